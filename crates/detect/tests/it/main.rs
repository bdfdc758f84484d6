//! The models from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod reference;
