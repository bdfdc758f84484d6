//! The parsers of `/proc/PID`, straight on the bytes: no panic, and nothing made up.
//!
//! They are private to their crate, so their file is compiled into this program as well.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the reader uses more of it than this program")]
#[rustfmt::skip] // formatted where it belongs
#[path = "../../crates/collect/src/linux/parse.rs"]
mod parse;

fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = parse::stat(bytes) {
        let name = stat.name;
        assert!(bytes.windows(name.len() + 2).any(|part| part.starts_with(b"(") && part[1..].starts_with(name)));
    }
    let _ = parse::statm_resident_pages(bytes);
    let _ = parse::schedstat(bytes);
    let _ = parse::io(bytes);
});
