//! A recording of any length as a line of few points, in which no peak is lost.

/// Numbers that go along with time.
pub(super) type Point<const N: usize> = [Option<f64>; N];

/// Steps of equal numbers of rows, each with its first time and the highest of each number.
#[derive(Debug)]
pub(super) struct Samples<const N: usize> {
    steps: Vec<(i64, Point<N>)>,
    most: usize,
    /// Rows of a step; doubles when there are too many steps.
    rows_of_a_step: u64,
    rows_of_the_last: u64,
}

impl<const N: usize> Samples<N> {
    /// At most so many steps, two at least.
    pub(super) fn new(most: usize) -> Self {
        Self { steps: Vec::new(), most: most.max(2), rows_of_a_step: 1, rows_of_the_last: 0 }
    }

    pub(super) fn add(&mut self, ts_ms: i64, point: Point<N>) {
        match self.steps.last_mut() {
            Some((_, highest)) if self.rows_of_the_last < self.rows_of_a_step => {
                raise(highest, point);
                self.rows_of_the_last += 1;
            }
            _ => {
                if self.steps.len() == self.most {
                    self.halve();
                    // The last step may have half of its rows now.
                    return self.add(ts_ms, point);
                }
                self.steps.push((ts_ms, point));
                self.rows_of_the_last = 1;
            }
        }
    }

    /// Time and numbers of each step.
    pub(super) fn steps(&self) -> &[(i64, Point<N>)] {
        &self.steps
    }

    /// Rows of each step; of the last one at most.
    pub(super) fn rows_of_a_step(&self) -> u64 {
        self.rows_of_a_step
    }

    fn halve(&mut self) {
        let is_odd = self.steps.len() % 2 == 1;
        let halved = self.steps.chunks(2).map(|pair| {
            let (ts_ms, mut highest) = pair[0];
            if let Some((_, second)) = pair.get(1) {
                raise(&mut highest, *second);
            }
            (ts_ms, highest)
        });
        self.steps = halved.collect();
        self.rows_of_the_last = if is_odd { self.rows_of_a_step } else { self.rows_of_a_step * 2 };
        self.rows_of_a_step *= 2;
    }
}

fn raise<const N: usize>(highest: &mut Point<N>, point: Point<N>) {
    for (highest, value) in highest.iter_mut().zip(point) {
        *highest = match (*highest, value) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn steps_are_few_equal_and_keep_the_highest(
            values in proptest::collection::vec(proptest::option::of(0.0_f64..100.0), 1..400),
            most in 2_usize..30,
        ) {
            let mut samples = Samples::<1>::new(most);
            for (at, value) in values.iter().enumerate() {
                samples.add(at as i64, [*value]);
            }
            let rows = samples.rows_of_a_step() as usize;
            prop_assert!(samples.steps().len() <= most);
            prop_assert!(rows == 1 || samples.steps().len() > most / 2);
            let expected: Vec<(i64, [Option<f64>; 1])> = values
                .chunks(rows)
                .enumerate()
                .map(|(at, chunk)| ((at * rows) as i64, [chunk.iter().flatten().copied().reduce(f64::max)]))
                .collect();
            prop_assert_eq!(samples.steps(), &expected[..]);
        }
    }
}
