//! Load average: `/proc/loadavg`.

use watchkeeper_core::reading::Load;

use super::scan::{fields, fraction, split_once};

/// Reads the three averages. `None`: not understood, or answered by a sandbox that counts no tasks.
pub(super) fn parse(text: &[u8]) -> Option<Load> {
    let mut columns = fields(text);
    let mut average = || columns.next().and_then(fraction);
    let load = Load { one: average()?, five: average()?, fifteen: average()? };
    // Running and existing tasks: whoever reads this exists.
    let (_, tasks) = split_once(columns.next()?, b'/')?;
    (tasks != b"0").then_some(load)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_averages_are_read() {
        let load = Load { one: 0.52, five: 12.0, fifteen: 1024.99 };
        assert_eq!(parse(b"0.52 12.00 1024.99 3/1234 56789\n"), Some(load));
        for text in
            ["", "0.5", "0.5 0.5 x 1/2 3", "0.5 0.5", "nan nan nan 1/2 3", "-1 0 0 1/2 3", "0 0 0", "0 0 0 0/0 0"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
