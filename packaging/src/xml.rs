//! A small element tree. The host's files need elements, attributes and text; nothing else.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::Error;

/// An element with attributes and either text or children.
///
/// An element made by [`Element::new`] without children is written `<name/>`, one made by
/// [`Element::text`] always `<name>...</name>`, also when the text is empty, as the vendor's index
/// files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    body: Body,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Children(Vec<Element>),
    Text(String),
}

impl Element {
    /// An element for children.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            body: Body::Children(Vec::new()),
        }
    }

    /// An element with text, which is escaped when it is written.
    pub fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            body: Body::Text(text.into()),
        }
    }

    /// An element that says `true` or `false`.
    pub fn flag(name: &'static str, value: bool) -> Self {
        Self::text(name, value.to_string())
    }

    /// Adds an attribute; they are written in the order of adding.
    #[must_use]
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// Adds a child at the end. Replaces text, if the element had some.
    #[must_use]
    pub fn child(self, child: Self) -> Self {
        self.children([child])
    }

    /// Adds children at the end. Replaces text, if the element had some.
    #[must_use]
    pub fn children(mut self, more: impl IntoIterator<Item = Self>) -> Self {
        match &mut self.body {
            Body::Children(children) => children.extend(more),
            Body::Text(_) => self.body = Body::Children(more.into_iter().collect()),
        }
        self
    }

    /// Inserts children behind the first child called `name`, or at the end if there is none.
    #[must_use]
    pub fn children_after(mut self, name: &str, more: impl IntoIterator<Item = Self>) -> Self {
        if let Body::Children(children) = &mut self.body {
            let place = children
                .iter()
                .position(|child| child.name == name)
                .map_or(children.len(), |found| found + 1);
            children.splice(place..place, more);
        }
        self
    }

    /// The whole tree on one line without a newline at its end, and without an XML declaration
    /// (FORMAT.md D1).
    ///
    /// # Errors
    /// [`Error::Write`] if the XML writer fails, which it has no reason to when writing to memory.
    pub fn to_line(&self) -> Result<String, Error> {
        self.render(Writer::new(Vec::new()))
    }

    /// One element per line, indented by two blanks, with a newline at the end.
    ///
    /// # Errors
    /// As [`Element::to_line`].
    pub fn to_lines(&self) -> Result<String, Error> {
        let mut text = self.render(Writer::new_with_indent(Vec::new(), b' ', 2))?;
        text.push('\n');
        Ok(text)
    }

    fn render(&self, mut writer: Writer<Vec<u8>>) -> Result<String, Error> {
        let failed = Error::writing("XML");
        self.write(&mut writer).map_err(&failed)?;
        String::from_utf8(writer.into_inner()).map_err(|error| failed(std::io::Error::other(error)))
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, value.as_str()));
        }
        match &self.body {
            Body::Children(children) if children.is_empty() => {
                writer.write_event(Event::Empty(start))
            }
            Body::Children(children) => {
                writer.write_event(Event::Start(start))?;
                for child in children {
                    child.write(writer)?;
                }
                writer.write_event(Event::End(BytesEnd::new(self.name)))
            }
            Body::Text(text) => {
                writer.write_event(Event::Start(start))?;
                writer.write_event(Event::Text(BytesText::new(text)))?;
                writer.write_event(Event::End(BytesEnd::new(self.name)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Element {
        Element::new("a")
            .child(Element::new("b").attribute("relation", ">="))
            .child(Element::text("c", ""))
            .child(Element::text("d", "x < \"y\" & z"))
    }

    #[test]
    fn text_and_attributes_are_escaped() {
        let line = sample().to_line().unwrap();
        assert!(
            line.starts_with(r#"<a><b relation="&gt;="/><c></c><d>x &lt; "#),
            "{line}"
        );
        assert!(line.ends_with(" &amp; z</d></a>"), "{line}");
    }

    #[test]
    fn empty_text_keeps_its_two_tags_when_indented() {
        let lines = sample().to_lines().unwrap();
        assert!(
            lines.contains("\n  <b relation=\"&gt;=\"/>\n  <c></c>\n  <d>"),
            "{lines}"
        );
        assert!(lines.ends_with("</d>\n</a>\n"), "{lines}");
    }

    #[test]
    fn children_are_inserted_behind_their_elder_sibling() {
        let line = sample()
            .children_after("b", [Element::new("n")])
            .to_line()
            .unwrap();
        assert!(line.contains("/><n/><c>"), "{line}");
    }
}
