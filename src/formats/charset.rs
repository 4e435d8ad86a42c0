//! Charsets of the files that clerks and banks exchange: UTF-8 with or without byte-order mark,
//! and GB18030. Nothing is ever replaced: a byte that does not decode and a character that does
//! not encode are errors, because `?`, `U+FFFD` or `&#16134;` in a name stops a payment at the bank.

use std::borrow::Cow;

use encoding_rs::{DecoderResult, EncoderResult, GB18030};
use simdutf8::compat::from_utf8;

const UTF8_BOM: &[u8] = b"\xEF\xBB\xBF";

/// How the characters of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// UTF-8 after a byte-order mark, as Excel writes "CSV UTF-8".
    Utf8Bom,
    /// GB18030, which contains GBK and GB2312.
    Gb18030,
}

impl Charset {
    /// Stored and typed form.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Charset::Utf8 => "utf-8",
            Charset::Utf8Bom => "utf-8-bom",
            Charset::Gb18030 => "gb18030",
        }
    }

    /// From a code or a usual name; GBK and GB2312 are read as GB18030, which contains them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Charset> {
        match text.trim().to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Charset::Utf8),
            "utf-8-bom" | "utf8-bom" => Some(Charset::Utf8Bom),
            "gb18030" | "gbk" | "gb2312" => Some(Charset::Gb18030),
            _ => None,
        }
    }
}

/// Why bytes are no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CharsetError {
    /// Excel's "Unicode text".
    #[error("文件是 UTF-16 编码，应为 UTF-8 或 GB18030；请在表格软件中另存为“CSV UTF-8”或 xlsx")]
    Utf16,
    /// A zero byte: no text has one.
    #[error("第 {line} 行（第 {offset} 字节）是空字节，不是文本文件；请确认选对了文件")]
    Nul {
        /// Place in the file, from 1.
        offset: usize,
        /// Line, from 1.
        line: usize,
    },
    /// Bytes that are no character.
    #[error("第 {line} 行（第 {offset} 字节）不是 {expected} 字符，文件可能已损坏或被截断；请重新导出")]
    Malformed {
        /// Charset that was tried.
        expected: &'static str,
        /// Place in the file, from 1.
        offset: usize,
        /// Line, from 1.
        line: usize,
    },
    /// A UTF-8 mark in a file that was said to be GB18030.
    #[error("文件开头有 UTF-8 标记，与指定的 gb18030 不符；请改为 utf-8 或不指定编码")]
    NotAsSaid,
}

impl CharsetError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Utf16 => "CHARSET_UTF16",
            Self::Nul { .. } => "CHARSET_NUL",
            Self::Malformed { .. } => "CHARSET_MALFORMED",
            Self::NotAsSaid => "CHARSET_NOT_AS_SAID",
        }
    }
}

/// A character that the charset does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("第 {position} 个字符“{character}”（U+{:04X}）无法用该编码表示，文件未写出", u32::from(*.character))]
pub struct Unmappable {
    /// The character.
    pub character: char,
    /// Its place in the text, in characters from 1.
    pub position: usize,
}

/// Decodes a file: by its mark, else UTF-8 if all of it is, else GB18030. `said` forces one;
/// whether UTF-8 has a mark is always taken from the file.
///
/// # Errors
/// When the bytes are UTF-16, hold a zero byte, or do not decode completely.
pub fn decode(bytes: &[u8], said: Option<Charset>) -> Result<(String, Charset), CharsetError> {
    text_of(bytes, said).map(|(text, charset)| (text.into_owned(), charset))
}

/// [`decode`], but UTF-8 stays where it is: a large file is not held twice.
///
/// # Errors
/// As [`decode`].
pub fn text_of(bytes: &[u8], said: Option<Charset>) -> Result<(Cow<'_, str>, Charset), CharsetError> {
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(CharsetError::Utf16);
    }
    // `contains` looks at many bytes at once, and nearly no file holds one.
    if let Some(i) = bytes.contains(&0).then(|| bytes.iter().position(|b| *b == 0)).flatten() {
        return Err(CharsetError::Nul { offset: i + 1, line: line_of(bytes, i) });
    }
    let (body, found) = match bytes.strip_prefix(UTF8_BOM) {
        Some(_) if said == Some(Charset::Gb18030) => return Err(CharsetError::NotAsSaid),
        Some(body) => (body, Charset::Utf8Bom),
        None => (bytes, Charset::Utf8),
    };
    let malformed = |expected, i| CharsetError::Malformed { expected, offset: i + 1, line: line_of(bytes, i) };
    let utf8_end = match from_utf8(body) {
        Ok(text) if said != Some(Charset::Gb18030) => return Ok((text.into(), found)),
        Ok(_) => 0,
        Err(error) => error.valid_up_to() + bytes.len() - body.len(),
    };
    if found == Charset::Utf8Bom || matches!(said, Some(Charset::Utf8 | Charset::Utf8Bom)) {
        return Err(malformed("UTF-8", utf8_end));
    }
    match gb18030_text(bytes) {
        Ok(text) if text.starts_with('\u{FEFF}') => {
            Ok((text.trim_start_matches('\u{FEFF}').to_string().into(), Charset::Gb18030))
        }
        Ok(text) => Ok((text.into(), Charset::Gb18030)),
        Err(end) if said.is_some() => Err(malformed("GB18030", end)),
        // The charset that got further is probably the one meant: that place helps to find the fault.
        Err(end) => Err(malformed("UTF-8 或 GB18030", utf8_end.max(end))),
    }
}

/// Chinese text in UTF-8. GB18030 text does not look so by chance: every two of its Chinese characters
/// would have to begin and end in a few rare codes, six of them at least.
#[must_use]
pub fn is_unmarked_utf8(bytes: &[u8]) -> bool {
    let is_chinese = |c: char| matches!(c, '·' | '\u{3000}'..='\u{9FFF}' | '\u{FF01}'..='\u{FF5E}' | '\u{20000}'..);
    from_utf8(bytes).is_ok_and(|text| {
        // In GB18030 路 has the bytes of · in UTF-8, and 駙· those of two characters: one short name is no sign.
        text.chars().filter(|c| c.len_utf8() > 2).count() > 3 && text.chars().all(|c| c.is_ascii() || is_chinese(c))
    })
}

fn line_of(bytes: &[u8], index: usize) -> usize {
    1 + bytes.iter().take(index).filter(|b| **b == b'\n').count()
}

/// The text of bytes in GB18030; else the index of the first byte that is no part of a character.
///
/// `encoding_rs` has a way of its own, but makes room for three bytes where there was one, and touches all of it.
fn gb18030_text(bytes: &[u8]) -> Result<String, usize> {
    // Two bytes may become three, and one of the two is not ASCII.
    let wide = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let mut text = String::with_capacity(bytes.len() + wide);
    let mut decoder = GB18030.new_decoder_without_bom_handling();
    let mut done = 0;
    loop {
        let (result, read) = decoder.decode_to_string_without_replacement(&bytes[done..], &mut text, true);
        done += read;
        match result {
            // The decoder asks for more room than it will use.
            DecoderResult::OutputFull => text.reserve(16),
            DecoderResult::InputEmpty => return Ok(text),
            DecoderResult::Malformed(length, after) => return Err(done.saturating_sub(usize::from(length + after))),
        }
    }
}

/// Encodes a text. `encoding_rs`'s own `encode()` writes `&#…;` for what it cannot map and only
/// sets a flag; this one refuses.
///
/// # Errors
/// The first character that the charset does not have.
pub fn encode(text: &str, charset: Charset) -> Result<Vec<u8>, Unmappable> {
    match charset {
        Charset::Utf8 => return Ok(text.as_bytes().to_vec()),
        Charset::Utf8Bom => return Ok([UTF8_BOM, text.as_bytes()].concat()),
        Charset::Gb18030 => {}
    }
    let mut bytes = Vec::with_capacity(text.len() + 16);
    encode_onto(text, &mut bytes)?;
    Ok(bytes)
}

/// Adds a text in GB18030 to what is there, which stays as it is when the text cannot be encoded.
///
/// # Errors
/// The first character that the charset does not have.
pub fn encode_onto(text: &str, bytes: &mut Vec<u8>) -> Result<(), Unmappable> {
    if text.is_ascii() {
        bytes.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let before = bytes.len();
    let unmappable = unmappable(text, bytes);
    if unmappable.is_some() {
        bytes.truncate(before);
    }
    unmappable.map_or(Ok(()), |(character, position)| Err(Unmappable { character, position }))
}

/// Adds as much of a text as there is before the first character that cannot be encoded, which it returns with its place.
fn unmappable(text: &str, bytes: &mut Vec<u8>) -> Option<(char, usize)> {
    let mut encoder = GB18030.new_encoder();
    let mut done = 0;
    loop {
        bytes.reserve(text.len() - done + 16);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(&text[done..], bytes, true);
        done += read;
        match result {
            EncoderResult::InputEmpty => break,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => return Some((character, text[..done].chars().count())),
        }
    }
    // In UTF-8 the private characters begin with EE or EF; most texts have neither byte.
    if !text.bytes().any(|b| b == 0xEE || b == 0xEF) {
        return None;
    }
    text.chars().zip(1..).find(|(c, _)| is_private(*c) && changes_in_gb18030(*c))
}

/// Encodes a text as GBK, strictly: what GB18030 writes with one or two bytes, without what came to
/// its two-byte part after GBK (code page 936): a bank's GBK reader shows those characters as boxes.
///
/// # Errors
/// The first character that GBK does not have.
pub fn encode_gbk(text: &str) -> Result<Vec<u8>, Unmappable> {
    let bytes = encode(text, Charset::Gb18030)?;
    // Nearly every text is ASCII or plain Chinese: one look at the bytes, no look at the characters.
    let (mut at, mut is_gbk) = (0, true);
    while let (true, Some(lead)) = (is_gbk, bytes.get(at)) {
        let second = bytes.get(at + 1).copied().unwrap_or_default();
        is_gbk = lead.is_ascii() || second >= 0x40 && is_two_bytes_of_gbk(*lead, second);
        at += if lead.is_ascii() { 1 } else { 2 };
    }
    let is_outside = |c: char| is_private(c) || !has_gbk(c);
    // The private characters begin with EE or EF in UTF-8, see `encode`.
    if is_gbk && !text.bytes().any(|b| b == 0xEE || b == 0xEF) {
        return Ok(bytes);
    }
    match text.chars().zip(1..).find(|(c, _)| is_outside(*c)) {
        Some((character, position)) => Err(Unmappable { character, position }),
        None => Ok(bytes),
    }
}

/// False for what GB18030 added among the two-byte characters: 䶮 and its neighbours (FE50–FEA0), the
/// description characters (A989–A995), vertical forms (A6D9–A6DF, A6EC, A6ED, A6F3), ḿ, ǹ and €.
fn is_two_bytes_of_gbk(lead: u8, second: u8) -> bool {
    !matches!(
        (lead, second),
        (0xFE, 0x50..=0xA0)
            | (0xA9, 0x89..=0x95)
            | (0xA8, 0xBC | 0xBF)
            | (0xA6, 0xD9..=0xDF | 0xEC | 0xED | 0xF3)
            | (0xA2, 0xE3)
    )
}

fn has_gbk(c: char) -> bool {
    let mut buffer = [0; 4];
    match *GB18030.encode(c.encode_utf8(&mut buffer)).0 {
        [_] => true,
        [lead, second] => is_two_bytes_of_gbk(lead, second),
        _ => false,
    }
}

fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}')
}

/// Old systems hold rare characters at private code points; the encoder writes some of them as
/// the character that took their place later, and the name that comes back is another text.
fn changes_in_gb18030(c: char) -> bool {
    let text = c.to_string();
    let (bytes, _, _) = GB18030.encode(&text);
    GB18030.decode_without_bom_handling(&bytes).0 != text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: &str = "姓名,阿依古丽·买买提\r\n王䶮,㼆,𫖯,€\r\n";

    #[test]
    fn each_charset_is_recognised_and_comes_back() {
        for charset in [Charset::Utf8, Charset::Utf8Bom, Charset::Gb18030] {
            let bytes = encode(NAMES, charset).unwrap();
            assert_eq!(decode(&bytes, None).unwrap(), (NAMES.to_string(), charset));
            assert_eq!(decode(&bytes, Some(charset)).unwrap(), (NAMES.to_string(), charset));
            assert_eq!(Charset::parse(charset.code()), Some(charset));
        }
        assert_eq!(encode("㼆·", Charset::Gb18030).unwrap(), b"\x82\x32\x8D\x37\xA1\xA4");
        assert_eq!(Charset::parse(" GBK "), Some(Charset::Gb18030));
        assert_eq!(Charset::parse("utf-16"), None);
    }

    #[test]
    fn a_broken_byte_is_named_with_its_line() {
        let mut bytes = encode("姓名\n王建国\n", Charset::Gb18030).unwrap();
        bytes.extend(b"\xFF\n");
        assert_eq!(
            decode(&bytes, None),
            Err(CharsetError::Malformed { expected: "UTF-8 或 GB18030", offset: 13, line: 3 })
        );
        let utf8 = b"\xE5\xA7\x93\n\xE5\xA7".as_slice();
        assert_eq!(
            decode(utf8, Some(Charset::Utf8)),
            Err(CharsetError::Malformed { expected: "UTF-8", offset: 5, line: 2 })
        );
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(decode(b"\xFF\xFE\x59\x00", None), Err(CharsetError::Utf16));
        assert_eq!(decode(b"ab\nc\0", None), Err(CharsetError::Nul { offset: 5, line: 2 }));
        let marked = encode("姓名", Charset::Utf8Bom).unwrap();
        assert_eq!(decode(&marked, Some(Charset::Gb18030)), Err(CharsetError::NotAsSaid));
        let gb = encode("姓名", Charset::Gb18030).unwrap();
        assert_eq!(decode(&gb, Some(Charset::Utf8)).unwrap_err().code(), "CHARSET_MALFORMED");
    }

    #[test]
    fn an_unmappable_character_is_refused_not_replaced() {
        let error = encode("王\u{E5E5}", Charset::Gb18030).unwrap_err();
        assert_eq!(error, Unmappable { character: '\u{E5E5}', position: 2 });
        assert!(error.to_string().contains("U+E5E5"));
    }

    #[test]
    fn gbk_refuses_what_only_four_bytes_hold() {
        assert_eq!(encode_gbk("王東·买").unwrap(), encode("王東·买", Charset::Gb18030).unwrap());
        for (text, character) in [("李𬭎", '𬭎'), ("㼆", '㼆'), ("王\u{E5E5}", '\u{E5E5}')] {
            assert_eq!(encode_gbk(text).unwrap_err().character, character);
        }
        assert_eq!(encode_gbk("李𬭎").unwrap_err().position, 2);
    }

    /// Code page 936 has 21,791 characters of two bytes, and no other may be written.
    #[test]
    fn gbk_is_code_page_936_and_nothing_that_came_later() {
        let is_written = |c: &char| encode_gbk(c.encode_utf8(&mut [0; 4])).is_ok();
        let wide = ('\u{80}'..=char::MAX).filter(is_written);
        let mut count = 0;
        for c in wide {
            assert_eq!(encode_gbk(&c.to_string()).unwrap().len(), 2, "{c}");
            count += 1;
        }
        assert_eq!(count, 21_791);
        for c in ['䶮', '€', 'ḿ', 'ǹ', '⿰', '〾', '㑇', '龴', '︐', '\u{E000}', '•', '・'] {
            assert_eq!(encode_gbk(&format!("王{c}")).map_err(|e| (e.character, e.position)), Err((c, 2)));
        }
        assert_eq!(encode_gbk("·").unwrap(), b"\xA1\xA4");
    }

    #[test]
    fn every_character_comes_back_or_is_refused() {
        let mut refused = Vec::new();
        for c in '\u{1}'..=char::MAX {
            match encode(&c.to_string(), Charset::Gb18030) {
                Ok(bytes) => assert_eq!(GB18030.decode_without_bom_handling(&bytes).0, c.to_string()),
                Err(_) => refused.push(c),
            }
        }
        assert!(refused.contains(&'\u{E78D}') && refused.iter().all(|c| is_private(*c)), "{refused:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for said in [None, Some(Charset::Utf8), Some(Charset::Gb18030)] {
                let _ = decode(&bytes, said);
            }
        }

        #[test]
        fn what_encodes_decodes_to_itself(text in "[^\u{0}\u{FEFF}]{0,60}") {
            if let Ok(bytes) = encode(&text, Charset::Gb18030) {
                prop_assert_eq!(decode(&bytes, Some(Charset::Gb18030)).unwrap().0, text);
            }
        }
    }
}
