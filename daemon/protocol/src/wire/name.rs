//! File names on the control connection and in listings.
//!
//! RFC 2640 wants UTF-8 there, and line ends and NUL cannot be sent at all, but a file system takes
//! every byte except the slash and NUL. So a byte that cannot be sent as it is travels as one
//! character of the private use area: byte `b` as U+F700 + `b`. A genuine character of that block
//! is sent byte by byte in the same way, hence each name has one form, and each form one name.

use std::borrow::Cow;

/// The character that stands for byte 0.
const BLOCK: u32 = 0xF700;

/// What a client is sent for the bytes of a name or path.
pub fn encode(name: &[u8]) -> Cow<'_, str> {
    let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let plain = |text: &str| printable(text) || !text.chars().any(is_special);
    if let Ok(text) = str::from_utf8(name)
        && plain(text)
    {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(name.len() * 3);
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_special(character) {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    encoded.push(stand_in(byte));
                }
            } else {
                encoded.push(character);
            }
        }
        encoded.extend(chunk.invalid().iter().copied().map(stand_in));
    }
    Cow::Owned(encoded)
}

/// The bytes of the name or path that a client sent. Bytes that are not UTF-8 mean themselves.
pub fn decode(sent: &[u8]) -> Cow<'_, [u8]> {
    let mut decoded = Vec::new();
    let mut found = false;
    for chunk in sent.utf8_chunks() {
        for character in chunk.valid().chars() {
            if let Some(byte) = stands_for(character) {
                found = true;
                decoded.push(byte);
            } else {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        decoded.extend_from_slice(chunk.invalid());
    }
    if found {
        Cow::Owned(decoded)
    } else {
        Cow::Borrowed(sent)
    }
}

/// Whether a character of a name is not sent as it is.
fn is_special(character: char) -> bool {
    character.is_ascii_control() || stands_for(character).is_some()
}

fn stand_in(byte: u8) -> char {
    char::from_u32(BLOCK + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for.
fn stands_for(character: char) -> Option<u8> {
    u32::from(character)
        .checked_sub(BLOCK)
        .and_then(|byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_in_utf8_travel_as_they_are() {
        assert_eq!(encode("größe 100%.txt".as_bytes()), "größe 100%.txt");
    }

    #[test]
    fn a_line_end_in_a_name_cannot_forge_a_line() {
        assert_eq!(encode(b"a\r\nb"), "a\u{f70d}\u{f70a}b");
    }

    #[test]
    fn bytes_that_are_not_utf8_mean_themselves() {
        assert_eq!(decode(b"caf\xe9").as_ref(), b"caf\xe9");
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name: Vec<u8>) {
            let sent = encode(&name);
            prop_assert!(!sent.chars().any(|character| character.is_ascii_control()));
            prop_assert_eq!(decode(sent.as_bytes()).into_owned(), name);
        }

        #[test]
        fn characters_of_the_block_come_back(name in "[a\u{f6ff}-\u{f810}]{0,20}") {
            let sent = encode(name.as_bytes());
            prop_assert_eq!(decode(sent.as_bytes()).into_owned(), name.into_bytes());
        }
    }
}
