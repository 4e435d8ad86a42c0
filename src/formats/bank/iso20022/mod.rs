//! ISO 20022: the payment file `pain.001.001.09` and its answer `pain.002`.
//!
//! One message is one payment file: one group, one payment information, its reference both. Our reference of a
//! payment is its `EndToEndId`, which alone matches the answer to it. Accounts are numbers in `Othr`, agents are
//! a BIC or a 12-digit number of CNAPS. The answer is read by local names, so that `pain.002.001.03` and
//! the versions from `.10` on are one reader. Structure and lengths: the published schemas of the messages.

pub mod payment;
pub mod report;

#[cfg(test)]
mod tests;
