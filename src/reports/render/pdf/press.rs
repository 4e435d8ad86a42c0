//! The typesetter and what it may see: one page description, one typeface, one document's words.
//! No file, no network, no clock.

use typst::diag::{FileError, FileResult, SourceDiagnostic, Warned};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, Source};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

use crate::reports::render::RenderError;

/// What reports and letters look like.
const PAPER: &str = include_str!("paper.typ");

struct Press {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    font: Font,
    paper: Source,
    words: Bytes,
}

impl World for Press {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.paper.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.paper.id() { Ok(self.paper.clone()) } else { Err(FileError::NotSource) }
    }

    /// The only file that the page description asks for is the words.
    fn file(&self, _: FileId) -> FileResult<Bytes> {
        Ok(self.words.clone())
    }

    fn font(&self, index: usize) -> Option<Font> {
        (index == 0).then(|| self.font.clone())
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// The document's words, laid out on pages.
pub(super) fn set(words: &serde_json::Value, font: &Font) -> Result<PagedDocument, RenderError> {
    let press = Press {
        library: LazyHash::new(Library::default()),
        book: LazyHash::new(FontBook::from_fonts([font])),
        font: font.clone(),
        paper: Source::detached(PAPER),
        words: Bytes::from_string(words.to_string()),
    };
    let Warned { output, .. } = typst::compile::<PagedDocument>(&press);
    // What the typesetter keeps for the next document would only grow: no two are alike.
    typst::comemo::evict(0);
    output.map_err(|errors| refusal(&errors))
}

/// The pages as a file: the same document gives the same bytes. Without marks for screen readers,
/// which would make a long table eighteen times larger.
pub(super) fn print(document: &PagedDocument) -> Result<Vec<u8>, RenderError> {
    let options = PdfOptions {
        creator: Smart::Custom(Some(env!("CARGO_PKG_NAME").to_string())),
        timestamp: None,
        tagged: false,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(document, &options).map_err(|errors| refusal(&errors))
}

fn refusal(errors: &[SourceDiagnostic]) -> RenderError {
    let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    RenderError::Pdf(messages.join("; "))
}
