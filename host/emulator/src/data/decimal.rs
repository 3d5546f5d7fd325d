//! Exact decimal numbers.
//!
//! NUMBER, INTEGER and CURRENCY are kept as a 128-bit integer and a scale, so no value passes
//! through binary floating point. At most 38 digits, as SQL Server's `decimal` has; whatever does
//! not fit is refused where it is read, and arithmetic that overflows answers `None`.

use std::cmp::Ordering;
use std::fmt;

const MAX_SCALE: u32 = 38;

/// `mantissa / 10^scale`, without trailing zeros behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    fn normal(mut mantissa: i128, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// Reads `-12.50`, `+3`, `.5`, `1.2e3`; surrounding blanks are allowed. `None` when it is no
    /// number or has too many digits.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, digits.strip_prefix('+').unwrap_or(digits)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut mantissa: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        if negative {
            mantissa = -mantissa;
        }
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if scale < 0 {
            if mantissa == 0 {
                return Some(Self::ZERO);
            }
            let factor = 10_i128.checked_pow(scale.unsigned_abs())?;
            return Some(Self::normal(mantissa.checked_mul(factor)?, 0));
        }
        let number = Self::normal(mantissa, scale.unsigned_abs());
        (number.scale <= MAX_SCALE).then_some(number)
    }

    /// An integer.
    pub fn from_i64(value: i64) -> Self {
        Self { mantissa: i128::from(value), scale: 0 }
    }

    /// The integer, when there is nothing behind the point.
    pub fn to_i64(self) -> Option<i64> {
        (self.scale == 0).then(|| i64::try_from(self.mantissa).ok()).flatten()
    }

    /// Digits behind the point.
    pub fn scale(self) -> u32 {
        self.scale
    }

    /// Whether it is 0.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let left = self.mantissa.checked_mul(10_i128.checked_pow(scale - self.scale)?)?;
        let right = other.mantissa.checked_mul(10_i128.checked_pow(scale - other.scale)?)?;
        Some((left, right, scale))
    }

    /// Sum.
    pub fn add(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self::normal(left.checked_add(right)?, scale))
    }

    /// Negative of it.
    pub fn neg(self) -> Self {
        Self { mantissa: -self.mantissa, scale: self.scale }
    }

    /// Product.
    pub fn mul(self, other: Self) -> Option<Self> {
        let product = self.mantissa.checked_mul(other.mantissa)?;
        let number = Self::normal(product, self.scale + other.scale);
        (number.scale <= MAX_SCALE).then_some(number)
    }

    /// Quotient, cut to 6 digits behind the point, or to a whole number when both are whole, as
    /// SQL Server divides. `None` for a division by zero.
    pub fn div(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        if right == 0 {
            return None;
        }
        if scale == 0 {
            return Some(Self::normal(left / right, 0));
        }
        Some(Self::normal(left.checked_mul(1_000_000)? / right, 6))
    }

    /// Mean of a sum over `count` values, cut to 6 digits behind the point.
    pub fn mean(self, count: u32) -> Option<Self> {
        let scaled = self.mantissa.checked_mul(1_000_000)?;
        let cut = Self::normal(scaled.checked_div(i128::from(count))?, self.scale.checked_add(6)?);
        Some(cut.cut(6))
    }

    /// Without the digits behind the point beyond `scale`.
    pub fn cut(self, scale: u32) -> Self {
        match self.scale.checked_sub(scale) {
            Some(extra) if extra > 0 => match 10_i128.checked_pow(extra) {
                Some(divisor) => Self::normal(self.mantissa / divisor, scale),
                None => Self::ZERO,
            },
            _ => self,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.aligned(*other) {
            Some((left, right, _)) => left.cmp(&right),
            // Only when the whole parts are far apart: they decide.
            None => {
                let whole = |number: Self| match 10_i128.checked_pow(number.scale) {
                    Some(divisor) => number.mantissa / divisor,
                    None => 0,
                };
                whole(*self).cmp(&whole(*other))
            }
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = self.scale as usize;
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn digits_are_kept() {
        for text in ["0", "-1", "12.5", "0.0001", "-0.05", "99999999999999999999.1234"] {
            assert_eq!(number(text).to_string(), text);
        }
        assert_eq!(number("1.50").to_string(), "1.5");
        assert_eq!(number("+.5").to_string(), "0.5");
        assert_eq!(number("1.2e3").to_string(), "1200");
        assert_eq!(number("5e-3").to_string(), "0.005");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "1a", "1.2.3", "0x10", "1e", "NaN", "1e99999999999", "1e400"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(number("0.1").add(number("0.2")), Some(number("0.3")));
        assert_eq!(number("1.5").mul(number("-2")), Some(number("-3")));
        assert_eq!(number("7").div(number("2")), Some(number("3")));
        assert_eq!(number("7.0").neg().div(number("0")), None);
        assert_eq!(number("10").mean(3), Some(number("3.333333")));
        assert!(number("10.01") > number("9.999"));
        assert_eq!(number("1.23456").cut(2), number("1.23"));
    }
}
