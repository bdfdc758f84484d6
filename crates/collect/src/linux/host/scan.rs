//! Lines, fields and numbers in the kernel's text files, on bytes and without allocation.

/// The lines of a text without their line breaks; a last line without a break counts.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The fields of a line, separated by any number of blanks or tabs.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|field| !field.is_empty())
}

/// A decimal number of digits only; `None` when empty, followed by anything, or beyond 64 bits.
pub(super) fn decimal(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 { None } else { value.checked_mul(10)?.checked_add(u64::from(digit)) }
    })
}

/// A decimal number that may have a fraction, such as `0.42`; never negative, infinite or not a number.
pub(super) fn fraction(field: &[u8]) -> Option<f64> {
    let point = field.iter().position(|byte| *byte == b'.').unwrap_or(field.len());
    let whole = decimal(&field[..point])?;
    let Some(digits) = field.get(point + 1..) else {
        return Some(whole as f64);
    };
    if digits.len() > 15 {
        return None;
    }
    let part = decimal(digits)?;
    Some(whole as f64 + part as f64 / 10_f64.powi(digits.len() as i32))
}

/// A hexadecimal number of digits only; `None` when empty, followed by anything, or beyond 32 bits.
pub(super) fn hexadecimal(field: &[u8]) -> Option<u32> {
    if field.is_empty() || field.len() > 8 {
        return None;
    }
    field.iter().try_fold(0_u32, |value, byte| Some(value << 4 | char::from(*byte).to_digit(16)?))
}

/// Both sides of the first separator.
pub(super) fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Foreign bytes as text; what is not UTF-8 becomes the replacement character.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_whole_or_not_at_all() {
        for (field, value) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(decimal(field.as_bytes()), value, "{field}");
        }
        for (field, value) in [
            ("0.42", Some(0.42)),
            ("17", Some(17.0)),
            ("1.", None),
            (".5", None),
            ("1.2.3", None),
            ("nan", None),
            ("inf", None),
            ("-0.1", None),
            ("0.1234567890123456", None),
        ] {
            assert_eq!(fraction(field.as_bytes()), value, "{field}");
        }
        for (field, value) in
            [("0A", Some(10)), ("FFFFFFFF", Some(u32::MAX)), ("", None), ("100000000", None), ("0g", None)]
        {
            assert_eq!(hexadecimal(field.as_bytes()), value, "{field}");
        }
    }

    proptest! {
        #[test]
        fn written_numbers_read_back(value: u64, hundredths in 0_u32..1_000_000, word: u32) {
            prop_assert_eq!(decimal(value.to_string().as_bytes()), Some(value));
            let shown = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let read = fraction(shown.as_bytes()).expect("a number");
            prop_assert!((read - f64::from(hundredths) / 100.0).abs() < 1e-9);
            prop_assert_eq!(hexadecimal(format!("{word:08X}").as_bytes()), Some(word));
        }

        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = (decimal(&bytes), fraction(&bytes), hexadecimal(&bytes));
            for line in lines(&bytes) {
                prop_assert!(fields(line).all(|field| !field.is_empty()));
            }
        }
    }
}
