//! Digits and dates, validated. What passes here is fit for a query text and for JSON.

use jiff::civil::{Date, DateTime};

/// Longest number accepted, in characters.
const MAX_DIGITS: usize = 64;

/// A decimal number in plain form, without superfluous leading zeros: sign, digits, fraction, exponent.
/// None when the text is anything else.
pub(super) fn decimal(text: &str) -> Option<String> {
    if text.len() > MAX_DIGITS {
        return None;
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let mut plain = format!("{sign}{whole}");
    if let Some(fraction) = fraction {
        plain.push('.');
        plain.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if !digits(bare) || bare.len() > 3 {
            return None;
        }
        plain.push('e');
        plain.push_str(exponent);
    }
    Some(plain)
}

/// A floating-point number in the same form. None when it is not finite.
pub(super) fn float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let size = number.abs();
    Some(if number == 0.0 {
        "0".to_owned()
    } else if (1e-6..1e15).contains(&size) {
        number.to_string()
    } else {
        format!("{number:e}")
    })
}

/// How many decimals it has that are not zero at its end. The text is one of [`decimal`].
pub(super) fn decimals(text: &str) -> usize {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let zeros = if fraction.is_empty() { whole.len() - whole.trim_end_matches('0').len() } else { 0 };
    let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let zeros = i64::try_from(zeros).unwrap_or(i64::MAX);
    let shifted = places - zeros - exponent.parse::<i64>().unwrap_or(0);
    usize::try_from(shifted).unwrap_or(0)
}

/// A number without zeros that say nothing, to compare two of them.
pub(super) fn plain_number(text: &str) -> Option<String> {
    let plain = decimal(text.trim())?;
    Some(match plain.split_once('.') {
        Some((whole, fraction)) if !fraction.contains('e') => match fraction.trim_end_matches('0') {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        },
        _ => plain,
    })
}

/// A whole number.
pub(super) fn integer(text: &str) -> Option<i64> {
    let plain = decimal(text)?;
    plain.parse().ok()
}

/// A day or a point in time without zone, as `YYYY-MM-DDTHH:MM:SS[.fff]`. A day is its midnight.
/// What is finer than a millisecond is cut: Caspio keeps no more.
pub(super) fn date_time(text: &str) -> Option<String> {
    parse_date_time(text).map(|at| {
        let seconds = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        match at.millisecond() {
            0 => seconds,
            ms => format!("{seconds}.{ms:03}"),
        }
    })
}

/// The same, a midnight as `YYYY-MM-DD` alone.
pub(super) fn date_or_date_time(text: &str) -> Option<String> {
    let full = date_time(text)?;
    Some(full.strip_suffix("T00:00:00").map(str::to_owned).unwrap_or(full))
}

fn parse_date_time(text: &str) -> Option<DateTime> {
    // Only these forms; the parser would take more, zones and years of six digits among them.
    let bytes = text.as_bytes();
    let shape = |at: usize, wanted: u8| bytes.get(at) == Some(&wanted);
    let usual = bytes.iter().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'T' | b' '));
    if !usual || !shape(4, b'-') || !shape(7, b'-') {
        return None;
    }
    if bytes.len() == 10 {
        return text.parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0));
    }
    let parts = (shape(10, b'T') || shape(10, b' ')) && shape(13, b':') && shape(16, b':');
    let end = bytes.len() == 19 || (shape(19, b'.') && (21..=29).contains(&bytes.len()));
    if !parts || !end || bytes.get(17..19) == Some(b"60") {
        return None;
    }
    text.parse::<DateTime>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_digits() {
        for (text, plain) in [
            ("12.5000", "12.5000"),
            ("-0.10", "-0.10"),
            ("007", "7"),
            ("000", "0"),
            ("1E+20", "1e+20"),
            ("123456789012345678901234567890.1234", "123456789012345678901234567890.1234"),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(plain), "{text}");
        }
        for text in [
            "", "-", "+1", " 1", "1 ", "1.", ".5", "1,5", "0x1", "1e", "1e9999", "--1", "NaN", "inf", "١",
            "1;", "1'",
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(decimal(&"1".repeat(65)), None);
    }

    #[test]
    fn decimals_are_counted_without_zeros_at_the_end() {
        for (text, count) in [
            ("1", 0),
            ("1.0", 0),
            ("1.2300", 2),
            ("0.00001", 5),
            ("1e-5", 5),
            ("10e-5", 4),
            ("1.5e1", 0),
            ("1.23e1", 1),
            ("1e20", 0),
            ("0", 0),
            ("0.0", 0),
        ] {
            assert_eq!(decimals(text), count, "{text}");
        }
        assert_eq!(plain_number("020.50").as_deref(), Some("20.5"));
        assert_eq!(plain_number("20.0").as_deref(), Some("20"));
        assert_eq!(plain_number("x"), None);
    }

    #[test]
    fn floats_are_finite_and_in_a_form_that_sql_reads() {
        for (number, text) in
            [(1.5, "1.5"), (-0.0, "0"), (1e300, "1e300"), (2.5e-9, "2.5e-9"), (1e6, "1000000")]
        {
            assert_eq!(float(number).as_deref(), Some(text));
            assert!(decimal(text).is_some());
        }
        assert!(float(f64::NAN).is_none() && float(f64::INFINITY).is_none());
    }

    #[test]
    fn dates_have_one_form() {
        for (text, plain) in [
            ("2024-02-29", "2024-02-29T00:00:00"),
            ("2024-02-29T10:01:02", "2024-02-29T10:01:02"),
            ("2024-02-29 10:01:02", "2024-02-29T10:01:02"),
            ("2024-02-29T10:01:02.000", "2024-02-29T10:01:02"),
            ("2024-02-29T10:01:02.5", "2024-02-29T10:01:02.500"),
            ("2024-02-29T10:01:02.1239999", "2024-02-29T10:01:02.123"),
            ("1753-01-01", "1753-01-01T00:00:00"),
        ] {
            assert_eq!(date_time(text).as_deref(), Some(plain), "{text}");
        }
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "2024-1-1",
            "20240101",
            "01/31/2024",
            "2024-01-01T10",
            "2024-01-01T25:00:00",
            "2024-01-01T10:00:00Z",
            "2024-01-01T10:00:00+01:00",
            "2024-01-01T10:00:60",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00:00'",
            "+02024-01-01",
            "2024-01-01x10:00:00",
        ] {
            assert_eq!(date_time(text), None, "{text}");
        }
        assert_eq!(date_or_date_time("2024-02-29T00:00:00").as_deref(), Some("2024-02-29"));
        assert_eq!(date_or_date_time("2024-02-29T00:00:01").as_deref(), Some("2024-02-29T00:00:01"));
    }
}
