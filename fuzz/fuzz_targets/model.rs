//! A model file: no panic, an error is a sentence that a terminal can show, and what loads can be asked and comes back the same.
//!
//! The input is read as it is, and once more with its length and its checksum made right: otherwise nothing but the checksum
//! would ever be reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_detect::{MAGIC, Model};

/// Where the length of the file stands.
const LENGTH: std::ops::Range<usize> = 12..20;

fuzz_target!(|bytes: &[u8]| {
    ask(bytes);
    if let Some(sealed) = sealed(bytes) {
        ask(&sealed);
    }
});

fn ask(bytes: &[u8]) {
    let model = match Model::from_bytes(bytes) {
        Ok(model) => model,
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.is_empty(), "refused without a reason");
            assert!(!shown.chars().any(char::is_control), "{shown:?} reaches a terminal");
            return;
        }
    };
    // Values on both sides of any threshold.
    for value in [0.0, -3e38, 3e38, 1.0] {
        let row = vec![value; model.features().len()];
        let verdict = model.judge(&row).expect("a row of numbers can be scored");
        assert!(verdict.score > 0.0 && verdict.score <= 1.0, "{verdict:?}");
        assert_eq!(model.score_all(&row), Ok(vec![verdict.score]));
        let shares: f64 = verdict.reasons.iter().map(|reason| reason.share).sum();
        assert!(verdict.reasons.is_empty() || (shares - 1.0).abs() < 1e-6, "{verdict:?}");
    }
    let again = Model::from_bytes(&model.to_bytes()).expect("what is written can be read");
    assert_eq!(again, model);
}

fn sealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let body = bytes.len().checked_sub(4).filter(|body| *body >= LENGTH.end)?;
    let length = bytes.len() as u64;
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[LENGTH].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    Some(bytes)
}
