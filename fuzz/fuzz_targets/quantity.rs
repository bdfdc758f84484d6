//! Spans and sizes as people write them: no panic, and what was understood is written back as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_core::quantity::{Size, Span};

fuzz_target!(|text: &str| {
    if let Ok(span) = Span::parse(text) {
        assert_eq!(Span::parse(&span.to_string()), Ok(span), "{text:?}");
    }
    if let Ok(size) = Size::parse(text) {
        assert_eq!(Size::parse(&size.to_string()), Ok(size), "{text:?}");
    }
});
