//! What XML lets stand, beyond what the reader of events looks at. A parser of a host refuses the
//! rest, so it must not be read here either.

use quick_xml::events::attributes::Attribute;

/// Whether XML 1.0 has the character, be it written out or as a number.
pub(super) fn is_character(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        _ => c >= ' ',
    }
}

/// The first character that XML does not have, by its place in bytes.
pub(super) fn foreign_character(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, c)| !is_character(*c))
}

/// Whether an element or attribute can have this name.
pub(super) fn is_name(name: &str) -> bool {
    let begins = |c: char| {
        matches!(c, 'A'..='Z' | 'a'..='z' | '_' | ':')
            || matches!(c, '\u{c0}'..='\u{2ff}' | '\u{370}'..='\u{1fff}' | '\u{3001}'..='\u{d7ff}')
                && !matches!(c, '\u{d7}' | '\u{f7}' | '\u{37e}')
    };
    let goes_on = |c: char| begins(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{b7}');
    let mut characters = name.chars();
    characters.next().is_some_and(begins) && characters.all(goes_on)
}

/// Whether a value ends where the next attribute begins. `attributes` are all of an element, with
/// the blank before the first.
pub(super) fn has_glued_attributes(attributes: &str) -> bool {
    let mut open = None;
    let mut closed = false;
    for c in attributes.chars() {
        if closed && !c.is_ascii_whitespace() {
            return true;
        }
        closed = open == Some(c);
        open = match open {
            _ if closed => None,
            None if matches!(c, '"' | '\'') => Some(c),
            still => still,
        };
    }
    false
}

/// What is wrong with an attribute and the value that it stands for.
pub(super) fn attribute_problem(attribute: &Attribute<'_>, value: &str) -> Option<String> {
    let name = attribute.key.as_ref();
    if !is_name(name) {
        return Some(format!(
            "its attribute {name:?} has a name that XML does not allow"
        ));
    }
    if attribute.value.contains('<') {
        return Some(format!("the value of its attribute {name:?} holds a \"<\""));
    }
    let (_, c) = foreign_character(value)?;
    Some(format!(
        "its attribute {name:?} holds the character {c:?}, which XML does not have"
    ))
}
