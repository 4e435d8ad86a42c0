//! Folding of the look-alike characters that keyboards and spreadsheets put into numbers.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use memchr::memchr_iter;

/// What stands between a separator of one byte, found many bytes at a time.
///
/// The separator is ASCII, or what is between is no text.
pub fn between(separator: u8, text: &str) -> impl Iterator<Item = &str> {
    debug_assert!(separator.is_ascii());
    let mut start = 0;
    memchr_iter(separator, text.as_bytes()).chain([text.len()]).map(move |end| {
        let part = &text[start..end];
        start = end + 1;
        part
    })
}

/// The lines of a text that we have written: each ends with a line break, the last too.
pub fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.strip_suffix('\n').unwrap_or(text);
    between(b'\n', whole).take(if text.is_empty() { 0 } else { usize::MAX })
}

/// Writes a number in decimal, as `write!` would: millions of lines have eight each.
pub fn push_number(text: &mut String, number: i64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// A short text that is held in place: only what is longer than 22 bytes takes memory of its own.
///
/// A million numbers of people and accounts are then a million places in one list, and no million pieces of memory.
#[derive(Clone)]
pub struct ShortText(Held);

#[derive(Clone)]
enum Held {
    Here { length: u8, bytes: [u8; ShortText::MOST_HERE] },
    Elsewhere(Box<str>),
}

impl ShortText {
    const MOST_HERE: usize = 22;

    /// The text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Held::Here { length, bytes } => str::from_utf8(&bytes[..usize::from(*length)]).unwrap_or_default(),
            Held::Elsewhere(text) => text,
        }
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Held::Here { length, bytes } => &bytes[..usize::from(*length)],
            Held::Elsewhere(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for ShortText {
    fn from(text: &str) -> ShortText {
        match u8::try_from(text.len()) {
            Ok(length) if text.len() <= ShortText::MOST_HERE => {
                let mut bytes = [0; ShortText::MOST_HERE];
                bytes[..text.len()].copy_from_slice(text.as_bytes());
                ShortText(Held::Here { length, bytes })
            }
            _ => ShortText(Held::Elsewhere(text.into())),
        }
    }
}

impl PartialEq for ShortText {
    fn eq(&self, other: &ShortText) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for ShortText {}

impl Ord for ShortText {
    fn cmp(&self, other: &ShortText) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for ShortText {
    fn partial_cmp(&self, other: &ShortText) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ShortText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// Full-width forms (U+FF01…U+FF5E) to ASCII, the ideographic and no-break space to a blank.
///
/// Rosters typed with a Chinese input method hold `６５２８２７` and `Ｘ`; they mean the same.
pub fn fold_width(text: &str) -> Cow<'_, str> {
    // Nearly every number is ASCII, and nearly every name is as it should be.
    if text.is_ascii() || !text.contains(is_wide) {
        return text.into();
    }
    text.chars()
        .map(|c| match c {
            '\u{3000}' | '\u{00A0}' => ' ',
            wide if is_wide(wide) => char::from_u32(u32::from(wide) - 0xFEE0).unwrap_or(wide),
            other => other,
        })
        .collect::<String>()
        .into()
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{FF01}'..='\u{FF5E}' | '\u{3000}' | '\u{00A0}')
}

/// Removes every blank and the invisible marks that copying from web pages and Excel leaves behind.
pub fn without_blanks(text: &str) -> Cow<'_, str> {
    // Nearly every text is so; the characters of a Chinese name are looked at, not copied.
    let has_blanks = if text.is_ascii() { text.bytes().any(is_ascii_blank) } else { text.contains(is_blank) };
    if !has_blanks {
        return text.into();
    }
    text.replace(is_blank, "").into()
}

/// [`is_blank`] of a byte of an ASCII text.
fn is_ascii_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// A blank, or a mark that shows nothing.
#[inline]
pub fn is_blank(c: char) -> bool {
    c.is_whitespace() || is_invisible(c)
}

/// [`without_blanks`] of [`fold_width`]: how a number or a word is compared.
pub fn folded(text: &str) -> Cow<'_, str> {
    match fold_width(text) {
        Cow::Borrowed(text) => without_blanks(text),
        Cow::Owned(text) => without_blanks(&text).into_owned().into(),
    }
}

/// Marks that show nothing: zero-width space and joiners, byte-order mark, those that turn the
/// direction of writing around.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// One line as it may be shown: line breaks and what would move a terminal's cursor become blanks,
/// invisible marks go, so that no name from a file can reorder or hide what stands beside it.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Replaces the middle of a number by stars, so that a person who knows it recognises it and
/// nobody else learns it: the first `head` and last `tail` characters stay.
pub fn mask_middle(text: &str, head: usize, tail: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= head + tail {
        return "*".repeat(characters.len());
    }
    let last = characters.len() - tail;
    characters.iter().enumerate().map(|(i, c)| if i < head || i >= last { *c } else { '*' }).collect()
}

/// Masks the middle of every long number (eleven digits or more) in a text: phones, citizen numbers, accounts.
pub fn mask_long_numbers(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || c == 'X';
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (number, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        masked.push_str(before);
        masked.push_str(&if number.len() < 11 { number.to_string() } else { mask_middle(number, 4, 4) });
        rest = after;
    }
    masked + rest
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_written_as_the_formatter_writes_it(number in any::<i64>(), shift in 0_u32..64) {
            for number in [number, number >> shift, 0, i64::MIN, i64::MAX] {
                let mut text = String::from("x");
                push_number(&mut text, number);
                prop_assert_eq!(text, format!("x{number}"));
            }
        }

        #[test]
        fn what_is_between_is_what_split_finds(text in "[ab甲\\t\\n]{0,40}") {
            prop_assert!(between(b'\t', &text).eq(text.split('\t')));
            prop_assert!(lines_of(&text).eq(text.lines()));
        }
    }

    #[test]
    fn full_width_digits_and_letters_fold_to_ascii() {
        assert_eq!(fold_width("６５２Ｘ　ｘ"), "652X x");
    }

    #[test]
    fn a_blank_byte_is_a_blank_character() {
        assert!((0..128).all(|byte| is_ascii_blank(byte) == is_blank(char::from(byte))));
    }

    #[test]
    fn a_text_is_the_same_wherever_it_is_held() {
        for text in
            ["", "王", "652827194005010017", "1234567890123456789012", "12345678901234567890123", "王王王王王王王王"]
        {
            let (held, copy) = (ShortText::from(text), ShortText::from(text));
            assert_eq!((held.as_str(), held == copy, held.cmp(&ShortText::from("4"))), (text, true, text.cmp("4")));
        }
        assert!(size_of::<ShortText>() <= size_of::<String>());
    }

    #[test]
    fn what_is_shown_neither_moves_nor_hides_anything() {
        assert_eq!(printable("\u{1b}[31m王\u{202E}芳\u{200B}\n\u{FEFF}x"), " [31m王芳 x");
    }

    #[test]
    fn only_long_numbers_in_a_text_are_masked() {
        assert_eq!(
            mask_long_numbers(
                "RCC 6217000000000000017 王芳，65282719500101002X，13999990000，2026-05-12（明细 652827-202601-1-17）"
            ),
            "RCC 6217***********0017 王芳，6528**********002X，1399***0000，2026-05-12（明细 652827-202601-1-17）"
        );
        assert_eq!((mask_long_numbers("").as_str(), mask_long_numbers("王芳").as_str()), ("", "王芳"));
    }

    #[test]
    fn a_short_text_is_masked_completely() {
        assert_eq!(mask_middle("1234567", 4, 4), "*******");
        assert_eq!(mask_middle("123456789", 4, 4), "1234*6789");
    }
}
