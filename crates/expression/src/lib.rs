//! The rule language: conditions over named fields, in a syntax compatible with CEL.
//!
//! Text becomes tokens, tokens become a tree ([`parse`]), the tree is checked against the fields that exist
//! ([`check`]: names, types, units, limits) and becomes a [`Condition`], a small program that is evaluated without
//! allocation (a pattern of `matches` takes its working memory once). Everything is bounded by [`MAX_BYTES`],
//! [`MAX_NESTING`] and [`MAX_HEIGHT`], so no text makes the parser or a condition slow or deep.

#![forbid(unsafe_code)]

mod checker;
mod condition;
mod cost;
mod error;
mod field;
mod lexer;
mod literal;
mod measure;
mod parser;
mod print;
mod program;
mod syntax;
mod window;

pub use checker::{check, compile};
pub use condition::{Comparison, Condition, Headline, Input, Threshold};
pub use cost::Cost;
pub use error::ExpressionError;
pub use field::{Bounds, CatalogueFields, Field, Fields};
pub use parser::{MAX_BYTES, MAX_HEIGHT, MAX_NESTING, parse};
pub use syntax::{Binary, Expression, Literal, Node, Syntax, Unary, Word};
pub use window::{Function, LONGEST_HORIZON, LONGEST_WINDOW, MOST_BUCKETS, MOST_WINDOWS, SHORTEST_WINDOW, Window};
