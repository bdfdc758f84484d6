//! What a condition costs, told before it runs.

use crate::condition::Condition;
use crate::program::{Amount, Program, Truth, Words};
use crate::window::{Function, MOST_BUCKETS, Window};

/// What a condition costs where it is asked. An estimate, for people who compare rules: it adds up all steps, although
/// `&&`, `||` and `?:` leave some out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// For one look at one entity, on a core of a server of 2020, nanoseconds: reading the fields, keeping the windows,
    /// and working out the answer.
    pub nanoseconds: u32,
    /// Memory for each entity that is watched, bytes: its windows at their longest. 0 without windows.
    pub bytes: u32,
}

/// Reading a field of an entity.
const READ_NS: u32 = 5;
/// A comparison, a sum, a `!`.
const STEP_NS: u32 = 2;
/// Comparing two texts, or looking for one at an end of another.
const TEXT_NS: u32 = 4;
/// Looking for a text anywhere in another.
const SEARCH_NS: u32 = 20;
/// Looking for a pattern in a name.
const PATTERN_NS: u32 = 60;
/// A value of a window: when it ends, its mean, least, most and last number, and for how long each was known.
const BUCKET_BYTES: u32 = 64;

impl Condition {
    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        let windows = || self.inputs.iter().filter_map(|input| input.window);
        let reading = READ_NS * self.inputs.len() as u32;
        let keeping: u32 = windows().map(window_ns).sum();
        Cost {
            nanoseconds: reading + keeping + self.program.nanoseconds(),
            bytes: windows().count() as u32 * MOST_BUCKETS as u32 * BUCKET_BYTES,
        }
    }
}

/// Keeping a window and working out its value.
fn window_ns(window: Window) -> u32 {
    let buckets = MOST_BUCKETS as u32;
    match window.function {
        Function::Rate => 20,
        Function::Avg | Function::Min | Function::Max | Function::Count => buckets,
        Function::Quantile(_) => 20 * buckets,
        // All pairs, but only when a bucket is full.
        Function::Slope | Function::TrendP | Function::Predict { .. } | Function::Growth => 4 * buckets,
    }
}

impl Program {
    /// All steps, nanoseconds. A text of [`crate::MAX_BYTES`] has too few of them for an overflow.
    fn nanoseconds(&self) -> u32 {
        let truth = |step: &Truth| match step {
            Truth::Constant(_) => 0,
            Truth::NumberAmong { numbers, .. } => STEP_NS + numbers.len() as u32,
            Truth::WordsAmong { words, .. } => STEP_NS + TEXT_NS * words.len() as u32,
            Truth::SameWords { .. } => TEXT_NS,
            Truth::Search { .. } => SEARCH_NS,
            Truth::Matches { .. } => PATTERN_NS,
            _ => STEP_NS,
        };
        let amount = |step: &Amount| if matches!(step, Amount::Constant(_) | Amount::Input(_)) { 1 } else { STEP_NS };
        let words = |step: &Words| if matches!(step, Words::Choice { .. }) { STEP_NS } else { 1 };
        let [truths, amounts, texts]: [u32; 3] = [
            self.truths.iter().map(truth).sum(),
            self.amounts.iter().map(amount).sum(),
            self.words.iter().map(words).sum(),
        ];
        truths + amounts + texts
    }
}
