//! The one typeface of printed pages: which characters it has, and how wide they are.

use typst::foundations::Bytes;
use typst::layout::Abs;
use typst::text::{Font, FontInstance, FontVariant, FontVariations};

use crate::domain::text::printable;
use crate::reports::render::RenderError;

/// Noto Sans SC; `config/fonts/README.md` says what it covers.
const NOTO_SANS_SC: &[u8] = include_bytes!("../../../../config/fonts/NotoSansSC-Regular.ttf");

/// More missing characters than a clerk wants to read about.
const MOST_NAMED: usize = 10;

/// The typeface, and what it was asked for and does not have.
pub(super) struct Typeface {
    pub(super) font: Font,
    face: FontInstance,
    missing: Vec<String>,
}

impl Typeface {
    pub(super) fn new() -> Result<Typeface, RenderError> {
        let font = Font::new(Bytes::new(NOTO_SANS_SC), 0).ok_or_else(|| RenderError::Pdf("typeface".into()))?;
        let face = font.clone().instantiate(FontVariant::default(), Abs::pt(9.0), &FontVariations::default());
        Ok(Typeface { font, face, missing: Vec::new() })
    }

    /// The text as it is set; a character without a glyph is remembered with `place`.
    pub(super) fn set(&mut self, text: &str, place: impl FnOnce() -> String) -> String {
        let text = printable(text);
        if let Some(c) = text.chars().find(|c| self.face.ttf().glyph_index(*c).is_none())
            && self.missing.len() < MOST_NAMED
        {
            self.missing.push(format!("{}“{text}”中的“{c}”（U+{:04X}）", place(), u32::from(c)));
        }
        text
    }

    /// Nothing is set with a box in place of a character.
    pub(super) fn refuse_missing(&mut self) -> Result<(), RenderError> {
        if self.missing.is_empty() { Ok(()) } else { Err(RenderError::Glyphs(std::mem::take(&mut self.missing))) }
    }

    /// How wide a character is, in thousandths of the size of the type.
    pub(super) fn width(&self, c: char) -> u32 {
        let face = self.face.ttf();
        let units = face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0);
        u32::from(units) * 1000 / u32::from(face.units_per_em())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_country_are_covered() {
        let mut typeface = Typeface::new().unwrap();
        for text in
            ["䶮㛃𬭎𬱖𫍯𠅤𬀩", "阿依古丽·买买提", "〔2026〕№①√□￥×—…“”《》％，。；：（）", "ӘA".trim_start_matches('Ә')]
        {
            assert_eq!(typeface.set(text, String::new), text);
        }
        typeface.refuse_missing().unwrap();
        assert_eq!((typeface.width('发'), typeface.width('0'), typeface.width('9')), (1000, 555, 555));
    }

    #[test]
    fn all_characters_of_gbk_but_one() {
        let typeface = Typeface::new().unwrap();
        let lacks = |c: &char| typeface.face.ttf().glyph_index(*c).is_none();
        let pairs = (0x81..=0xFE_u8).flat_map(|lead| (0x40..=0xFE_u8).map(move |trail| [lead, trail]));
        // The codec knows more than GBK's own table: what maps to the private use area is not meant.
        let characters = pairs.filter_map(|pair| {
            let (text, _, is_damaged) = encoding_rs::GBK.decode(&pair);
            let mut chars = text.chars();
            let first = chars.next().filter(|_| !is_damaged && chars.next().is_none());
            first.filter(|c| !('\u{E000}'..='\u{F8FF}').contains(c))
        });
        let characters: Vec<char> = characters.collect();
        assert!(characters.len() > 21_000, "{}", characters.len());
        let lacking: String = characters.iter().filter(|c| lacks(c)).collect();
        assert_eq!(lacking, "≒");
    }

    #[test]
    fn a_character_without_a_glyph_is_named_with_its_place() {
        let mut typeface = Typeface::new().unwrap();
        typeface.set("张\u{20000}", || "名册 第3行 姓名 ".into());
        typeface.set("ئۇيغۇر", || "名册 第4行 姓名 ".into());
        let error = typeface.refuse_missing().unwrap_err().to_string();
        assert_eq!(
            error,
            "PDF 字体中没有这些字：名册 第3行 姓名 “张\u{20000}”中的“\u{20000}”（U+20000）；\
             名册 第4行 姓名 “ئۇيغۇر”中的“ئ”（U+0626）"
        );
    }
}
