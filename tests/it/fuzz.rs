//! What fuzzing begins with and what it found. `scripts/fuzz` looks for more.

use std::fs;
use std::panic;
use std::path::Path;

#[path = "../fuzz/readers.rs"]
mod readers;

use readers::{READERS, named};

#[test]
fn every_reader_understands_its_samples() {
    for reader in READERS {
        let samples = (reader.samples)();
        assert!(!samples.is_empty(), "{}", reader.name);
        for (at, sample) in samples.iter().enumerate() {
            assert!((reader.read)(sample), "{}, sample {at}: {}", reader.name, String::from_utf8_lossy(sample));
        }
    }
}

/// Files that once made a reader panic, hang or take too much memory.
#[test]
fn what_fuzzing_found_is_read_to_the_end() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/found");
    let Ok(of_readers) = fs::read_dir(folder) else { return };
    for of_reader in of_readers.map(Result::unwrap) {
        let reader = named(of_reader.file_name().to_str().unwrap());
        for file in fs::read_dir(of_reader.path()).unwrap().map(Result::unwrap) {
            let bytes = fs::read(file.path()).unwrap();
            assert!(panic::catch_unwind(|| (reader.read)(&bytes)).is_ok(), "{}", file.path().display());
        }
    }
}
