//! Pressure stall information: `/proc/pressure/{cpu,memory,io}`.

use watchkeeper_core::reading::Stall;

use super::scan::{decimal, fields, fraction, lines, split_once};

/// The lines of one pressure file; older kernels have no `full` line for the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stalls {
    /// Some task waited.
    pub(super) some: Option<Stall>,
    /// All tasks waited.
    pub(super) full: Option<Stall>,
}

/// Reads one pressure file. `None`: not understood, or without a `some` line.
pub(super) fn parse(text: &[u8]) -> Option<Stalls> {
    let mut stalls = Stalls::default();
    for line in lines(text) {
        let mut words = fields(line);
        match words.next() {
            Some(b"some") => stalls.some = Some(stall(words)?),
            Some(b"full") => stalls.full = Some(stall(words)?),
            _ => {}
        }
    }
    stalls.some.map(|_| stalls)
}

fn stall<'line>(words: impl Iterator<Item = &'line [u8]>) -> Option<Stall> {
    let (mut avg10, mut avg60, mut total) = (None, None, None);
    for word in words {
        let (key, value) = split_once(word, b'=')?;
        match key {
            b"avg10" => avg10 = Some(share(value)?),
            b"avg60" => avg60 = Some(share(value)?),
            b"total" => total = Some(decimal(value)?),
            _ => {}
        }
    }
    Some(Stall { avg10: avg10?, avg60: avg60?, total_us: total? })
}

/// Percent in the file, 0..1 here.
fn share(value: &[u8]) -> Option<f64> {
    fraction(value).map(|percent| percent / 100.0).filter(|share| *share <= 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percent_becomes_a_share_and_the_total_stays_microseconds() {
        let text =
            b"some avg10=12.50 avg60=1.00 avg300=0.10 total=123456\nfull avg10=100.00 avg60=0.00 avg300=0.00 total=7\n";
        let stalls = parse(text).expect("understood");
        assert_eq!(stalls.some, Some(Stall { avg10: 0.125, avg60: 0.01, total_us: 123_456 }));
        assert_eq!(stalls.full, Some(Stall { avg10: 1.0, avg60: 0.0, total_us: 7 }));
        let without_full = parse(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=0").expect("understood");
        assert_eq!((without_full.some, without_full.full), (Some(Stall::default()), None));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "full avg10=0.00 avg60=0.00 avg300=0.00 total=0",
            "some avg10=0.00 avg60=0.00",
            "some avg10=101.00 avg60=0.00 avg300=0.00 total=0",
            "some avg10=nan avg60=0.00 avg300=0.00 total=0",
            "some avg10",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(text in "(some|full)?[ =a-z0-9.\\n\\x00-\\xff]{0,120}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn written_files_read_back(hundredths in 0_u32..=10_000, total: u64) {
            let percent = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let text = format!("some avg10={percent} avg60=0.00 avg300=0.00 total={total}\n");
            let some = parse(text.as_bytes()).and_then(|stalls| stalls.some).expect("understood");
            prop_assert!((some.avg10 - f64::from(hundredths) / 10_000.0).abs() < 1e-9);
            prop_assert_eq!(some.total_us, total);
        }
    }
}
