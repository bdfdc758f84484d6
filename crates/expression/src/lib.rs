//! The rule language: conditions over named fields, in a syntax compatible with CEL.
//!
//! Text becomes tokens, tokens become a tree ([`parse`]), the tree is checked against the fields that exist
//! ([`check`]) and becomes a [`Condition`], which is evaluated without allocation. The tree covers the whole grammar;
//! the checker accepts one comparison of a field with a value. Everything is bounded by [`MAX_BYTES`], [`MAX_NESTING`]
//! and [`MAX_HEIGHT`], so no text makes the parser slow or deep.

#![forbid(unsafe_code)]

mod checker;
mod condition;
mod error;
mod field;
mod lexer;
mod literal;
mod parser;
mod print;
mod syntax;

pub use checker::{check, compile};
pub use condition::{Comparison, Condition, Threshold};
pub use error::ExpressionError;
pub use field::{Bounds, CatalogueFields, Field, Fields};
pub use parser::{MAX_BYTES, MAX_HEIGHT, MAX_NESTING, parse};
pub use syntax::{Binary, Expression, Literal, Node, Syntax, Unary, Word};
