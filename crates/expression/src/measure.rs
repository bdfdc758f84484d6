//! What the numbers of an expression measure, and what comes of adding, multiplying and dividing them.

use watchkeeper_core::Unit;

use crate::literal::{self, Unfit};

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// As a field does.
    Of(Unit),
    /// Nothing: a share or a factor that was worked out, or written down.
    Plain,
}

use Measure::{Of, Plain};

impl Measure {
    /// As the end of "is ..." and "... and ...".
    pub(crate) fn words(self) -> String {
        match self {
            Of(unit @ (Unit::Bytes | Unit::BytesPerSecond | Unit::Seconds)) => format!("in {}", unit.words()),
            Of(unit) => unit.words().to_owned(),
            Plain => "a number without a unit".to_owned(),
        }
    }

    /// A number with neither size, time nor rate, which others can be multiplied with and divided by.
    fn is_factor(self) -> bool {
        matches!(self, Plain | Of(Unit::Ratio | Unit::Number | Unit::Count))
    }

    /// What both are, if they can be compared, added and subtracted.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Plain, a @ Of(Unit::Ratio | Unit::Number | Unit::Count | Unit::Cores))
            | (a @ Of(Unit::Ratio | Unit::Number | Unit::Count | Unit::Cores), Plain) => Some(a),
            _ => None,
        }
    }

    pub(crate) fn times(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (a, b) if a == b && a.is_factor() => a,
            // A share per second is turned into what it is a share of before a count is taken for a mere factor.
            (Of(Unit::RatioPerSecond), Of(of)) | (Of(of), Of(Unit::RatioPerSecond)) if shared(of).is_some() => {
                Of(shared(of)?)
            }
            // A share times a factor is a share no more: nothing says that it stays under 1.
            (Plain, Of(Unit::Ratio)) | (Of(Unit::Ratio), Plain) => Plain,
            (Plain | Of(Unit::Ratio), b) => b,
            (a, Plain | Of(Unit::Ratio)) => a,
            (a, b) if a.is_factor() && b.is_factor() => Of(Unit::Number),
            (a, b) if a.is_factor() => b,
            (a, b) if b.is_factor() => a,
            (Of(Unit::BytesPerSecond), Of(Unit::Seconds)) | (Of(Unit::Seconds), Of(Unit::BytesPerSecond)) => {
                Of(Unit::Bytes)
            }
            (Of(Unit::CountPerSecond), Of(Unit::Seconds)) | (Of(Unit::Seconds), Of(Unit::CountPerSecond)) => {
                Of(Unit::Count)
            }
            _ => return None,
        })
    }

    pub(crate) fn over(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (a, b) if a == b => Plain,
            (Plain | Of(Unit::Ratio), b) if b.is_factor() => Plain,
            (Of(Unit::Count), Of(Unit::Number)) => Of(Unit::Number),
            (a, b) if b.is_factor() => a,
            (Of(Unit::Ratio), Of(Unit::Seconds)) | (Of(Unit::BytesPerSecond), Of(Unit::Bytes)) => {
                Of(Unit::RatioPerSecond)
            }
            (Of(Unit::Bytes), Of(Unit::Seconds)) => Of(Unit::BytesPerSecond),
            (Plain | Of(Unit::Count), Of(Unit::Seconds)) => Of(Unit::CountPerSecond),
            (Plain | Of(Unit::Ratio), Of(Unit::RatioPerSecond))
            | (Of(Unit::Bytes), Of(Unit::BytesPerSecond))
            | (Of(Unit::Count), Of(Unit::CountPerSecond)) => Of(Unit::Seconds),
            // Bytes for each operation.
            (Of(Unit::BytesPerSecond), Of(Unit::CountPerSecond)) => Of(Unit::Bytes),
            _ => return None,
        })
    }

    /// A bare number beside a part that measures this; `name` is that part.
    pub(crate) fn number(self, name: &str, value: f64) -> Result<f64, Unfit> {
        match self {
            Of(unit) => literal::number(name, unit, value),
            Plain => Ok(value),
        }
    }

    /// Text in quotes beside a part that measures this.
    pub(crate) fn quantity(self, name: &str, text: &str) -> Result<f64, Unfit> {
        match self {
            Of(unit) => literal::quantity(name, unit, text),
            Plain => literal::share(name, text),
        }
    }
}

/// What a share per second of this comes to.
fn shared(of: Unit) -> Option<Unit> {
    Some(match of {
        Unit::Seconds => Unit::Ratio,
        Unit::Bytes => Unit::BytesPerSecond,
        Unit::Count => Unit::CountPerSecond,
        _ => return None,
    })
}
