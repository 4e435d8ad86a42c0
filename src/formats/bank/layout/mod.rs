//! Layouts of the banks' own: payment files and answers that a file of `config/banks` describes.
//!
//! [`keys`] knows every key, [`template`] every field; [`definition`] puts the description together and
//! tells all that is wrong in it. [`writer`] makes the payment file, [`workbook`] where it is one, [`reader`]
//! reads the answer's rows, whatever the file is (those of XML in `records`), and [`matching`] finds the payment that each row answers.
//! What comes out is the answer of the layout `neutral`, so that everything after it is one path.

pub mod definition;
pub mod keys;
pub mod matching;
pub mod read_back;
pub mod reader;
mod records;
pub mod reference;
pub mod sample;
pub mod template;
pub mod workbook;
pub mod writer;

#[cfg(test)]
mod tests;
