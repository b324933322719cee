//! Exact decimal numbers for scripts: money is never a binary fraction.

// `ProvidesStaticType` is an unsafe trait that only its derive may implement.
#![expect(unsafe_code, reason = "derived by the starlark crate for its values")]

use std::cmp::Ordering;
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::collections::StarlarkHasher;
use starlark::environment::{GlobalsBuilder, Methods, MethodsBuilder};
use starlark::starlark_module;
use starlark::starlark_simple_value;
use starlark::values::{
    Heap, NoSerialize, StarlarkPagable, StarlarkValue, Value, ValueError, starlark_value,
};

use super::code;
use super::failure::Raised;

/// Most digits after the point.
const MAX_SCALE: u32 = 18;

/// An exact number: `units` divided by ten to the power of `scale`.
///
/// Every operation is exact or an error; nothing is rounded but by `round`.
#[derive(Debug, Clone, Copy, ProvidesStaticType, NoSerialize, StarlarkPagable, Allocative)]
pub struct Decimal {
    // The interpreter's heap aligns to eight bytes, so an i128 is kept in halves.
    high: i64,
    low: u64,
    scale: u32,
}

/// Why a text or a result is no decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not digits with at most one point, a sign before.
    #[error("{0:?} is not a decimal number such as -1234.50")]
    Text(String),
    /// Outside 38 digits, or more than 18 of them after the point.
    #[error("the number does not fit in 38 digits, 18 of them after the point")]
    Range,
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let wrong = || DecimalError::Text(text.chars().take(60).collect());
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.')
        {
            return Err(wrong());
        }
        let scale = u32::try_from(fraction.len()).map_err(|_| DecimalError::Range)?;
        if scale > MAX_SCALE {
            return Err(DecimalError::Range);
        }
        let magnitude: i128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| DecimalError::Range)?;
        let units = if text.starts_with('-') {
            magnitude.checked_neg().ok_or(DecimalError::Range)?
        } else {
            magnitude
        };
        Ok(Self::new(units, scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units() < 0 { "-" } else { "" };
        let digits = self.units().unsigned_abs().to_string();
        let places = usize::try_from(self.scale).unwrap_or_default();
        let padded = format!("{digits:0>width$}", width = places.saturating_add(1));
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(places));
        if places == 0 {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{fraction}")
        }
    }
}

impl Decimal {
    fn new(units: i128, scale: u32) -> Self {
        let [a, b, c, d, e, f, g, h, low @ ..] = units.to_be_bytes();
        Self {
            high: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            low: u64::from_be_bytes(low),
            scale,
        }
    }

    fn units(self) -> i128 {
        (i128::from(self.high) << 64) | i128::from(self.low)
    }

    fn power(exponent: u32) -> Result<i128, DecimalError> {
        10i128.checked_pow(exponent).ok_or(DecimalError::Range)
    }

    /// The units that this number has at a larger scale.
    fn units_at(self, scale: u32) -> Result<i128, DecimalError> {
        let shift = scale.checked_sub(self.scale).ok_or(DecimalError::Range)?;
        self.units()
            .checked_mul(Self::power(shift)?)
            .ok_or(DecimalError::Range)
    }

    fn combine(
        self,
        other: Self,
        with: fn(i128, i128) -> Option<i128>,
    ) -> Result<Self, DecimalError> {
        let scale = self.scale.max(other.scale);
        let units =
            with(self.units_at(scale)?, other.units_at(scale)?).ok_or(DecimalError::Range)?;
        Ok(Self::new(units, scale))
    }

    fn times(self, other: Self) -> Result<Self, DecimalError> {
        let scale = self.scale.saturating_add(other.scale);
        let units = self
            .units()
            .checked_mul(other.units())
            .ok_or(DecimalError::Range)?;
        let product = Self::new(units, scale);
        if scale <= MAX_SCALE {
            Ok(product)
        } else {
            let trimmed = product.normal();
            (trimmed.scale <= MAX_SCALE)
                .then_some(trimmed)
                .ok_or(DecimalError::Range)
        }
    }

    /// The same number without zeros at its end after the point.
    pub fn normal(self) -> Self {
        let (mut units, mut scale) = (self.units(), self.scale);
        while scale > 0 && units % 10 == 0 {
            units /= 10;
            scale = scale.saturating_sub(1);
        }
        Self::new(units, scale)
    }

    /// Rounded to so many places, a half away from zero.
    ///
    /// # Errors
    /// [`DecimalError::Range`] if the result has too many digits.
    pub fn round(self, places: u32) -> Result<Self, DecimalError> {
        if places > MAX_SCALE {
            return Err(DecimalError::Range);
        }
        if places >= self.scale {
            return Ok(Self::new(self.units_at(places)?, places));
        }
        let step = Self::power(self.scale.saturating_sub(places))?;
        let half = (step / 2).saturating_mul(self.units().signum());
        let units = self.units().checked_add(half).ok_or(DecimalError::Range)? / step;
        Ok(Self::new(units, places))
    }

    /// Compares by value.
    ///
    /// # Errors
    /// [`DecimalError::Range`] if the two cannot be brought to one scale.
    pub fn order(self, other: Self) -> Result<Ordering, DecimalError> {
        let (a, b) = (self.normal(), other.normal());
        let scale = a.scale.max(b.scale);
        Ok(a.units_at(scale)?.cmp(&b.units_at(scale)?))
    }

    /// A decimal or a whole number of the script.
    fn of_value(value: Value<'_>) -> Option<Self> {
        if let Some(decimal) = Self::from_value(value) {
            return Some(*decimal);
        }
        let units = value.unpack_i32()?;
        Some(Self::new(units.into(), 0))
    }

    fn with<'v>(
        self,
        other: Value<'v>,
        heap: Heap<'v>,
        operator: impl Fn(Self, Self) -> Result<Self, DecimalError>,
    ) -> Option<starlark::Result<Value<'v>>> {
        let other = Self::of_value(other)?;
        Some(
            operator(self, other)
                .map(|result| heap.alloc(result))
                .map_err(starlark::Error::new_value),
        )
    }
}

starlark_simple_value!(Decimal);
starlark::methods_static!(METHODS = methods);

#[starlark_value(type = "decimal")]
impl<'v> StarlarkValue<'v> for Decimal {
    fn get_methods() -> Option<&'static Methods> {
        Some(METHODS.methods())
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        match Self::of_value(other) {
            Some(other) => Ok(self
                .order(other)
                .map_err(starlark::Error::new_value)?
                .is_eq()),
            None => Ok(false),
        }
    }

    fn compare(&self, other: Value<'v>) -> starlark::Result<Ordering> {
        match Self::of_value(other) {
            Some(other) => self.order(other).map_err(starlark::Error::new_value),
            None => ValueError::unsupported_with(self, "compare", other),
        }
    }

    fn write_hash(&self, hasher: &mut StarlarkHasher) -> starlark::Result<()> {
        let normal = self.normal();
        (normal.units(), normal.scale).hash(hasher);
        Ok(())
    }

    fn to_bool(&self) -> bool {
        self.units() != 0
    }

    fn minus(&self, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let units = self
            .units()
            .checked_neg()
            .ok_or_else(|| starlark::Error::new_value(DecimalError::Range))?;
        Ok(heap.alloc(Self::new(units, self.scale)))
    }

    fn add(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        self.with(other, heap, |a, b| a.combine(b, i128::checked_add))
    }

    fn radd(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        self.add(other, heap)
    }

    fn sub(&self, other: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        match self.with(other, heap, |a, b| a.combine(b, i128::checked_sub)) {
            Some(result) => result,
            None => ValueError::unsupported_with(self, "-", other),
        }
    }

    fn mul(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        self.with(other, heap, Self::times)
    }

    fn rmul(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        self.mul(other, heap)
    }
}

#[starlark_module]
fn methods(builder: &mut MethodsBuilder) {
    /// The number without zeros at its end after the point, as a spreadsheet's
    /// entry line shows it.
    fn plain(this: &Decimal) -> starlark::Result<String> {
        Ok(this.normal().to_string())
    }

    /// The number rounded to so many places, a half away from zero.
    fn round(this: &Decimal, places: i32) -> starlark::Result<Decimal> {
        u32::try_from(places)
            .map_err(|_| DecimalError::Range)
            .and_then(|places| this.round(places))
            .map_err(starlark::Error::new_value)
    }
}

/// The `decimal` function.
#[starlark_module]
pub fn globals(builder: &mut GlobalsBuilder) {
    /// An exact decimal number from text such as `-1234.50`.
    ///
    /// Operators: `+ - *`, comparisons with decimals and whole numbers. A result
    /// is exact, or an error if it does not fit in 38 digits.
    /// Methods: `.plain()` gives the text without zeros at the end,
    /// `.round(places)` rounds a half away from zero.
    fn decimal(#[starlark(require = pos)] text: &str) -> starlark::Result<Decimal> {
        Decimal::from_str(text).map_err(|e| Raised::new(&code::ERROR, e.to_string()).into())
    }

    /// Whether `decimal(text)` would give a number.
    fn is_decimal(#[starlark(require = pos)] text: &str) -> starlark::Result<bool> {
        Ok(Decimal::from_str(text).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_is_read_and_written_exactly() {
        for text in ["0", "0.00", "-0.05", "1234.50", "99999999999999999999.99"] {
            assert_eq!(d(text).to_string(), text);
        }
        assert_eq!(d("+007.10").to_string(), "7.10");
        for text in [
            "", "-", ".5", "5.", "1,5", "1e3", "1 0", "--1", "1.2.3", "٣", "0x1",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert_eq!(
            "9".repeat(40).parse::<Decimal>().unwrap_err(),
            DecimalError::Range
        );
    }

    #[test]
    fn sums_have_no_binary_fractions() {
        let sum = d("0.1").combine(d("0.2"), i128::checked_add).unwrap();
        assert!(sum.order(d("0.30")).unwrap().is_eq());
        assert_eq!(
            d("19").times(d("1234.50")).unwrap().normal().to_string(),
            "23455.5"
        );
        assert_eq!(d("1234.500").normal().to_string(), "1234.5");
    }

    #[test]
    fn rounding_is_away_from_zero() {
        for (text, places, rounded) in [
            ("0.125", 2, "0.13"),
            ("-0.125", 2, "-0.13"),
            ("0.124", 2, "0.12"),
            ("5", 2, "5.00"),
            ("0.5", 0, "1"),
        ] {
            assert_eq!(d(text).round(places).unwrap().to_string(), rounded);
        }
    }

    #[test]
    fn many_values_live_on_the_heap() {
        use starlark::environment::Module;
        use starlark::eval::Evaluator;
        let source = "x = [decimal(str(i) + \".25\") * i for i in range(100)]\nsum = x[0]\nfor d in x:\n    sum += d\nstr(sum)";
        let globals = GlobalsBuilder::standard().with(super::globals).build();
        Module::with_temp_heap(|module| {
            let ast = crate::workflow::interpreter::parse("t.star", source).unwrap();
            let value = Evaluator::new(&module).eval_module(ast, &globals).unwrap();
            assert_eq!(value.unpack_str(), Some("329587.50"));
        });
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let large = d(&"9".repeat(38));
        assert!(large.times(d("10")).is_err());
        assert!(large.combine(large, i128::checked_add).is_err());
        assert!(large.units_at(2).is_err());
    }
}
