//! Layouts of the banks' own: payment files and answers that a file of `config/banks` describes.
//!
//! [`definition`] reads the description and refuses what is wrong in it, [`writer`] makes the
//! payment file, [`reader`] reads the answer's rows, whatever the file is, and [`matching`] finds
//! the payment that each row answers. What comes out is the answer of the layout `neutral`, so
//! that everything after it is one path.

pub mod definition;
pub mod matching;
pub mod reader;
pub mod sample;
pub mod writer;

#[cfg(test)]
mod tests;
