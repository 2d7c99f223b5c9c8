//! XML as a tree of elements, bounded in size, number and depth (FORMAT.md R6).
//!
//! Comments, processing instructions and declarations are passed over. A document type is refused:
//! only there can entities be defined that grow.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::ReadError;
use super::limits::Meter;
use super::wellformed::{
    attribute_problem, foreign_character, has_glued_attributes, is_character, is_name,
};

/// Attributes of an element.
const ATTRIBUTES: usize = 64;

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    text: String,
    pub(crate) children: Vec<Node>,
}

/// The XML files that are read, by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlKind {
    /// `descriptor.xml` of 5.0 and later.
    Descriptor,
    /// `descriptor.xml` of 4.x.
    LegacyDescriptor,
    /// `index.xml` of a bundle.
    Index,
    /// A vendor's index.
    VendorIndex,
    /// A file of `vibs/` in the metadata.
    Record,
    /// A file of `bulletins/`.
    Bulletin,
    /// A file of `profiles/`.
    Profile,
    /// `vmware.xml`.
    Response,
    /// A file of a payload that a host parses, such as a firewall ruleset.
    Service,
}

impl XmlKind {
    /// Name of the root.
    pub fn root(self) -> &'static str {
        match self {
            Self::Descriptor | Self::Record => "vib",
            Self::LegacyDescriptor => "descriptor",
            Self::Index => "vendorList",
            Self::VendorIndex => "metaList",
            Self::Bulletin => "bulletin",
            Self::Profile => "imageprofile",
            Self::Response => "metadataResponse",
            Self::Service => "ConfigRoot",
        }
    }
}

/// The first bytes of an XML file that are not ASCII.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct BeyondAscii {
    /// Where they begin, in bytes.
    pub offset: u64,
    /// The word that they are a part of; empty for a byte order mark.
    pub word: String,
}

impl BeyondAscii {
    /// Looks for them.
    fn find(text: &str) -> Option<Self> {
        /// Most characters of a word that are shown, on either side.
        const MOST: usize = 20;
        let place = text.bytes().position(|byte| !byte.is_ascii())?;
        let (before, rest) = text.split_at_checked(place)?;
        if place == 0 && rest.starts_with('\u{feff}') {
            return Some(Self {
                offset: 0,
                word: String::new(),
            });
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'');
        let head: Vec<_> = before
            .chars()
            .rev()
            .take(MOST)
            .take_while(|c| !ends(*c))
            .collect();
        let tail = rest.chars().take(MOST).take_while(|c| !ends(*c));
        Some(Self {
            offset: place as u64,
            word: head.into_iter().rev().chain(tail).collect(),
        })
    }
}

/// The root, and what stood before it.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Node,
    /// What stands there beyond ASCII, if anything does (FORMAT.md D11).
    pub(crate) beyond_ascii: Option<BeyondAscii>,
    /// Whether there was a declaration that names an encoding (FORMAT.md D1).
    pub(crate) names_encoding: bool,
}

impl Node {
    /// An element with this text and nothing else.
    pub(crate) fn with_text(name: &str, text: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of that name.
    pub(crate) fn named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The children of the first child of that name.
    pub(crate) fn list(&self, name: &str) -> &[Self] {
        self.child(name).map_or(&[], |child| &child.children)
    }

    /// The text of the first child of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::text)
    }

    /// As [`Node::text_of`], owned.
    pub(crate) fn string(&self, name: &str) -> Option<String> {
        self.text_of(name).map(str::to_owned)
    }

    /// The text without blanks around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it says nothing, which hosts take for its absence.
    pub(crate) fn is_empty(&self) -> bool {
        self.text().is_empty()
            && self.attributes.is_empty()
            && self.children.iter().all(Self::is_empty)
    }

    /// Whether both say the same: order of attributes, blanks around text and empty elements do
    /// not count, and neither does the order of elements in `unordered` ones.
    pub(crate) fn means(&self, other: &Self, unordered: &[&str]) -> bool {
        self.meaning(unordered, false) == other.meaning(unordered, false)
    }

    /// The element in a form of which there is one for each meaning. Inside an element that is
    /// `unordered`, everything is.
    fn meaning(&self, unordered: &[&str], sorted: bool) -> Meaning<'_> {
        let sorted = sorted || unordered.contains(&self.name.as_str());
        let mut attributes: Vec<_> = self.attributes.iter().collect();
        attributes.sort_unstable();
        let said = self.children.iter().filter(|child| !child.is_empty());
        let mut children: Vec<_> = said.map(|child| child.meaning(unordered, sorted)).collect();
        if sorted {
            children.sort_unstable();
        }
        Meaning {
            name: &self.name,
            text: self.text(),
            attributes,
            children,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Meaning<'n> {
    name: &'n str,
    text: &'n str,
    attributes: Vec<&'n (String, String)>,
    children: Vec<Meaning<'n>>,
}

/// Reads a document.
pub(super) fn parse(bytes: &[u8], kind: XmlKind, meter: &Meter) -> Result<Document, ReadError> {
    let mut parser = Parser::new(bytes, kind, meter)?;
    while parser.step()? {}
    match parser.root {
        Some(node) if node.name == kind.root() => Ok(Document {
            root: node,
            beyond_ascii: std::str::from_utf8(bytes).ok().and_then(BeyondAscii::find),
            names_encoding: parser.names_encoding,
        }),
        Some(node) => Err(ReadError::Xml {
            kind,
            problem: format!("the root should be {:?}", kind.root()),
            element: node.name,
            offset: 0,
        }),
        None => Err(parser.problem("there is no root element")),
    }
}

/// Whether a document is well-formed, whatever its root. One with a document type is not looked at
/// further: its entities are not known here.
pub(super) fn well_formed(bytes: &[u8], kind: XmlKind, meter: &Meter) -> Result<(), ReadError> {
    let mut parser = Parser::new(bytes, kind, meter)?;
    parser.stops_at_type = true;
    while parser.step()? {}
    if parser.root.is_none() && !parser.has_type {
        return Err(parser.problem("there is no root element"));
    }
    Ok(())
}

/// What bytes that are not UTF-8 say about themselves: by a mark of UTF-16, or by a declaration
/// in a form of ASCII.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Some("UTF-16".to_owned());
    }
    let declaration = bytes.strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|two| two == b"?>")?;
    let declaration = std::str::from_utf8(declaration.get(..end)?).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = value.split(quote).nth(1)?;
    Some(name.chars().take(40).collect())
}

struct Parser<'a> {
    kind: XmlKind,
    reader: Reader<&'a [u8]>,
    meter: &'a Meter,
    open: Vec<Node>,
    root: Option<Node>,
    names_encoding: bool,
    /// Whether a document type ends the reading, instead of being refused.
    stops_at_type: bool,
    has_type: bool,
    elements: usize,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], kind: XmlKind, meter: &'a Meter) -> Result<Self, ReadError> {
        meter.xml(bytes.len(), 0)?;
        let text = std::str::from_utf8(bytes).map_err(|error| match declared_encoding(bytes) {
            Some(encoding) => ReadError::Encoding { kind, encoding },
            None => ReadError::Xml {
                kind,
                element: String::new(),
                offset: error.valid_up_to() as u64,
                problem: "it is not UTF-8".to_owned(),
            },
        })?;
        if let Some((offset, c)) = foreign_character(text) {
            return Err(ReadError::Xml {
                kind,
                element: String::new(),
                offset: offset as u64,
                problem: format!("there is the character {c:?}, which XML does not have"),
            });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut parser = Self {
            kind,
            reader: Reader::from_str(text),
            meter,
            open: Vec::new(),
            root: None,
            names_encoding: false,
            stops_at_type: false,
            has_type: false,
            elements: 0,
        };
        parser.reader.config_mut().check_comments = true;
        Ok(parser)
    }

    /// Takes one event; false at the end.
    fn step(&mut self) -> Result<bool, ReadError> {
        let is_first = self.reader.buffer_position() == 0;
        let event = match self.reader.read_event() {
            Ok(event) => event,
            Err(error) => return Err(self.problem(&error.to_string())),
        };
        match event {
            Event::Start(start) => self.begin(&start)?,
            Event::Empty(start) => {
                self.begin(&start)?;
                self.end()?;
            }
            Event::End(_) => self.end()?,
            Event::Text(text) => {
                let text = text.xml10_content();
                if text.contains("]]>") {
                    return Err(self.problem("its text holds \"]]>\""));
                }
                self.text(&text)?;
            }
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(entity) => {
                let character = match entity.resolve_char_ref() {
                    Ok(Some(character)) if is_character(character) => Some(character.to_string()),
                    Ok(Some(character)) => {
                        let problem = format!(
                            "it holds the character {character:?}, which XML does not have"
                        );
                        return Err(self.problem(&problem));
                    }
                    Ok(None) => {
                        quick_xml::escape::resolve_predefined_entity(&entity.xml10_content())
                            .map(str::to_owned)
                    }
                    Err(_) => None,
                };
                match character {
                    Some(text) => self.text(&text)?,
                    None => {
                        return Err(self.problem("it refers to an entity that XML does not define"));
                    }
                }
            }
            Event::Decl(_) if !is_first => {
                return Err(self.problem("it has a declaration, which belongs to the beginning"));
            }
            Event::Decl(declaration) => self.names_encoding |= declaration.encoding().is_some(),
            Event::DocType(_) if self.stops_at_type => {
                self.has_type = true;
                return Ok(false);
            }
            Event::DocType(_) => {
                return Err(
                    self.problem("it has a document type, whose entities could grow without bound")
                );
            }
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof if self.open.is_empty() => return Ok(false),
            Event::Eof => return Err(self.problem("it is never closed")),
        }
        Ok(true)
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), ReadError> {
        self.count()?;
        if self.open.len() >= self.meter.limits.xml_depth {
            return Err(self.problem(&format!(
                "it nests more than {} deep",
                self.meter.limits.xml_depth
            )));
        }
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.problem("there is a second root"));
        }
        let mut node = Node {
            name: start.name().as_ref().to_owned(),
            ..Node::default()
        };
        if !is_name(&node.name) {
            let problem = format!(
                "it holds {:?}, which XML does not allow as a name",
                node.name
            );
            return Err(self.problem(&problem));
        }
        if has_glued_attributes(start.attributes_raw()) {
            return Err(self.problem("there is no blank between two of its attributes"));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| self.problem(&error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.problem(&error.to_string()))?;
            if let Some(problem) = attribute_problem(&attribute, &value) {
                return Err(self.problem(&problem));
            }
            if node.attributes.len() >= ATTRIBUTES {
                return Err(self.problem(&format!("it has more than {ATTRIBUTES} attributes")));
            }
            self.count()?;
            node.attributes
                .push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        self.open.push(node);
        Ok(())
    }

    /// One more element or attribute.
    fn count(&mut self) -> Result<(), ReadError> {
        self.elements += 1;
        self.meter.xml(0, 1)?;
        if self.elements > self.meter.limits.xml_elements {
            return Err(self.problem(&format!(
                "there are more than {} elements and attributes",
                self.meter.limits.xml_elements
            )));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ReadError> {
        let Some(node) = self.open.pop() else {
            return Err(self.problem("it is closed and was never opened"));
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), ReadError> {
        match self.open.last_mut() {
            Some(node) => node.text.push_str(text),
            None if text.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n')) => {}
            None => return Err(self.problem("there is text outside the root")),
        }
        Ok(())
    }

    fn problem(&self, problem: &str) -> ReadError {
        ReadError::Xml {
            kind: self.kind,
            element: self
                .open
                .last()
                .map_or_else(String::new, |node| node.name.clone()),
            offset: self.reader.buffer_position(),
            problem: problem.to_owned(),
        }
    }
}
