//! What a condition costs, told before it runs.

use crate::condition::{Condition, Input};
use crate::program::{Amount, Program, Truth, Words};
use crate::window::{Function, MOST_BUCKETS, Window};

/// What a condition costs where it is asked: an estimate, for people who compare rules.
///
/// Its constants are CPU time on a core of an AMD EPYC at one look a second: of conditions from `benches/evaluate.rs`, of
/// windows from their functions over 128 values. All steps are added up, although `&&`, `||` and `? :` leave some out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// For one look at one entity, nanoseconds: reading the fields, keeping the windows, working out the answer.
    pub nanoseconds: u32,
    /// Memory for each entity that is watched, bytes: its windows at their fullest. 0 without windows.
    pub bytes: u32,
}

/// Asking at all.
const ASK_NS: u32 = 7;
/// Reading a field of an entity.
const READ_NS: u32 = 5;
/// A comparison, or one more number that something is worked out of.
const STEP_NS: u32 = 3;
/// A join of two conditions, or one more item of a list.
const JOIN_NS: u32 = 2;
/// Looking for a text in another.
const SEARCH_NS: u32 = 6;
/// Looking for a pattern in a name.
const PATTERN_NS: u32 = 43;
/// Finding the window of an entity and adding a value to it.
const KEEP_NS: u32 = 50;
/// A value of a window: when it ends, its mean, least, most and last number, and for how long each was known.
const BUCKET_BYTES: u32 = 64;

impl Condition {
    /// What it costs to ask it.
    pub fn cost(&self) -> Cost {
        let windows = || self.inputs.iter().filter_map(|input| Some((input, input.window?)));
        // Functions of the same field over the same time share its values.
        let is_first = |(index, (input, window)): &(usize, (&Input, Window))| {
            let mut before = windows().take(*index);
            !before.any(|(other, earlier)| other.name == input.name && earlier.length_ms == window.length_ms)
        };
        let kept = windows().enumerate().filter(is_first).count() as u32;
        let reading = READ_NS * self.inputs.iter().filter(|input| input.window.is_none()).count() as u32;
        let keeping = (READ_NS + KEEP_NS) * kept;
        let functions: u32 = windows().map(|(_, window)| function_ns(window)).sum();
        Cost {
            nanoseconds: reading + keeping + functions + self.program.nanoseconds(),
            bytes: kept * MOST_BUCKETS as u32 * BUCKET_BYTES,
        }
    }
}

/// Working out the value of a full window.
fn function_ns(window: Window) -> u32 {
    let whole = match window.function {
        Function::Rate => return STEP_NS,
        Function::Avg | Function::Min | Function::Max | Function::Count => return 60,
        Function::Quantile(_) => 300,
        Function::TrendP => 3_200,
        Function::Slope => 23_000,
        Function::Predict { .. } => 23_500,
        Function::Growth => 27_000,
    };
    // These are worked out anew only where the window has moved by a value: it keeps several looks as one if it is long.
    let looks = (window.length_ms / 1_000 / MOST_BUCKETS as i64).max(1);
    whole / u32::try_from(looks).unwrap_or(u32::MAX)
}

impl Program {
    /// All steps, nanoseconds. A text of [`crate::MAX_BYTES`] has too few of them for an overflow.
    fn nanoseconds(&self) -> u32 {
        let truth = |step: &Truth| match step {
            Truth::Constant(_) => 0,
            Truth::Not(_) | Truth::And(..) | Truth::Or(..) => JOIN_NS,
            Truth::NumberAmong { numbers, .. } => STEP_NS + JOIN_NS * numbers.len() as u32,
            Truth::WordsAmong { words, .. } => STEP_NS + JOIN_NS * words.len() as u32,
            Truth::Search { .. } => SEARCH_NS,
            Truth::Matches { .. } => PATTERN_NS,
            _ => STEP_NS,
        };
        let amount = |step: &Amount| if matches!(step, Amount::Constant(_)) { 1 } else { STEP_NS };
        let words = |step: &Words| if matches!(step, Words::Choice { .. }) { STEP_NS } else { 0 };
        let [truths, amounts, texts]: [u32; 3] = [
            self.truths.iter().map(truth).sum(),
            self.amounts.iter().map(amount).sum(),
            self.words.iter().map(words).sum(),
        ];
        ASK_NS + truths + amounts + texts
    }
}
