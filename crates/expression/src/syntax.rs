//! The syntax tree. Every part knows the bytes of the text that it came from.

use std::ops::Range;

/// A text that was parsed, with its tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The text as it was written.
    pub text: String,
    /// The tree.
    pub root: Syntax,
}

/// A part of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Syntax {
    /// What it is.
    pub node: Node,
    /// Bytes of the text, enclosing parentheses not counted.
    pub range: Range<usize>,
}

/// What a part of the tree is.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A value that stands for itself.
    Literal(Literal),
    /// A dotted name such as `system.linux.load.1m`.
    Name(String),
    /// `[a, b]`
    List(Vec<Syntax>),
    /// `!a` or `-a`
    Unary {
        /// Which.
        operator: Unary,
        /// `a`
        operand: Box<Syntax>,
    },
    /// `a > b` and the like.
    Binary {
        /// Which.
        operator: Binary,
        /// Bytes of the operator.
        operator_range: Range<usize>,
        /// `a`
        left: Box<Syntax>,
        /// `b`
        right: Box<Syntax>,
    },
    /// `a ? b : c`
    Conditional {
        /// `a`
        condition: Box<Syntax>,
        /// `b`
        yes: Box<Syntax>,
        /// `c`
        no: Box<Syntax>,
    },
    /// `avg(a, "5m")`
    Call {
        /// `avg`
        function: Word,
        /// What stands in the parentheses.
        arguments: Vec<Syntax>,
    },
    /// `a.startsWith("x")`
    Method {
        /// `a`
        target: Box<Syntax>,
        /// `startsWith`
        method: Word,
        /// What stands in the parentheses.
        arguments: Vec<Syntax>,
    },
}

/// A value that stands for itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A number, finite and not negative; the sign is an operator.
    Number(f64),
    /// Text in quotes, escapes resolved. What it means depends on the field it meets.
    Text(String),
    /// `true` or `false`
    Boolean(bool),
}

/// The name of a function or method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The name.
    pub text: String,
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `!`
    Not,
    /// `-`
    Negate,
}

impl Unary {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Not => "!",
            Self::Negate => "-",
        }
    }
}

/// An operator between its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the symbols stand in `symbol`")]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Binary {
    /// All of them, the weakest first.
    pub const ALL: [Self; 13] = [
        Self::Or,
        Self::And,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::In,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
    ];

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// How strongly it binds, as in CEL; 0 is left for `?:`.
    pub(crate) fn power(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            comparison if comparison.compares() => 3,
            Self::Add | Self::Subtract => 4,
            _ => 5,
        }
    }

    /// Whether it compares; comparisons cannot be chained.
    pub fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
                | Self::In
        )
    }
}
