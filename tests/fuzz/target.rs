//! The fuzz target of the reader that the binary is named after. It begins with the reader's samples, which it puts
//! into the folder of its corpus.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;
use std::{env, fs, panic};

mod readers;

static READER: LazyLock<readers::Reader> = LazyLock::new(|| readers::named(env!("CARGO_BIN_NAME")));

/// A panic that a reader catches, as it does those of the library for workbooks, is no finding; one that gets out of
/// it still ends the run.
fn let_panics_be_caught() {
    panic::set_hook(Box::new(|_| ()));
}

fn put_samples() {
    let Some(corpus) = env::args().skip(1).map(PathBuf::from).find(|path| path.is_dir()) else { return };
    for (at, sample) in (READER.samples)().iter().enumerate() {
        fs::write(corpus.join(format!("sample-{at}")), sample).expect("a corpus that can be written");
    }
}

libfuzzer_sys::fuzz_target!(init: { let_panics_be_caught(); put_samples(); }, |bytes: &[u8]| {
    (READER.read)(bytes);
});
