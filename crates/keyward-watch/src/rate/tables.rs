//! What an envelope remembers, in little room: factors and peaks as short floating-point numbers, counts of minutes too.
//!
//! | table | entries | each |
//! |---|---|---|
//! | [`Ring`] | 60 minutes | 16 bits: whole numbers to 4,095 exactly, then 12 leading bits |
//! | [`Factors`] | 48 hours of a day of either kind, 168 of a week | 16 bits: to 0.05 % |
//! | [`Peaks`] | 192 quarter-hours of 4 windows | 12 bits: whole numbers to 256 exactly, then to 0.4 % |
//!
//! What is lost by it moves no figure of `tests/quality.rs` by more than an attack or two.

use super::WINDOWS;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const MINUTES: usize = 60;
/// Of weekdays, and behind them of days of the weekend.
pub(super) const DAY_HOURS: usize = 48;
pub(super) const WEEK_HOURS: usize = 168;
/// The same of quarter-hours.
pub(super) const QUARTERS: usize = 192;
/// Two peaks take three bytes.
const PEAKS_BYTES: usize = WINDOWS.len() * QUARTERS * 3 / 2;

/// Bytes that are saved as such.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bytes<const N: usize>([u8; N]);

impl<const N: usize> Bytes<N> {
    fn short(&self, place: usize) -> u16 {
        let pair = self.0.get(2 * place..2 * place + 2).and_then(|pair| pair.first_chunk());
        pair.map_or(0, |pair| u16::from_le_bytes(*pair))
    }

    fn set_short(&mut self, place: usize, value: u16) {
        if let Some(pair) = self.0.get_mut(2 * place..2 * place + 2) {
            pair.copy_from_slice(&value.to_le_bytes());
        }
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Exactly<const N: usize>;
        impl<const N: usize> de::Visitor<'_> for Exactly<N> {
            type Value = Bytes<N>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{N} bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes<N>, E> {
                let exactly =
                    bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(Bytes(exactly))
            }
        }
        deserializer.deserialize_bytes(Exactly)
    }
}

/// The counts of the last hour's minutes, by minute of the hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ring(Bytes<{ 2 * MINUTES }>);

impl Ring {
    pub(super) const fn new() -> Self {
        Self(Bytes([0; 2 * MINUTES]))
    }

    /// As it was kept; what is added to a sum and taken from it again must be this.
    pub(super) fn get(&self, place: usize) -> u32 {
        let code = u32::from(self.0.short(place));
        match code >> 11 {
            0 => code,
            exponent => (0x800 | (code & 0x7ff)) << (exponent - 1),
        }
    }

    /// Keeps a count, and gives it as it is kept.
    pub(super) fn set(&mut self, place: usize, count: u32) -> u32 {
        let bits = 32 - count.leading_zeros();
        let code = match bits.saturating_sub(12) {
            0 if bits < 12 => count,
            shift => ((shift + 1) << 11) | ((count >> shift) & 0x7ff),
        };
        self.0.set_short(place, u16::try_from(code).unwrap_or(u16::MAX));
        self.get(place)
    }
}

/// Factors of the hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Factors(Bytes<{ 2 * (DAY_HOURS + WEEK_HOURS) }>);

impl Factors {
    pub(super) const fn new() -> Self {
        Self(Bytes([0; 2 * (DAY_HOURS + WEEK_HOURS)]))
    }

    pub(super) fn day(&self, place: usize) -> f64 {
        widen::<10>(self.0.short(place), 31)
    }

    pub(super) fn week(&self, place: usize) -> f64 {
        self.day(DAY_HOURS + place)
    }

    pub(super) fn set_day(&mut self, place: usize, factor: f64) {
        self.0.set_short(place, shorten::<10>(factor, 31, 0xffff));
    }

    pub(super) fn set_week(&mut self, place: usize, factor: f64) {
        self.set_day(DAY_HOURS + place, factor);
    }
}

/// The largest counts of each window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Peaks(Bytes<PEAKS_BYTES>);

impl Peaks {
    pub(super) const fn new() -> Self {
        Self(Bytes([0; PEAKS_BYTES]))
    }

    pub(super) fn get(&self, window: usize, quarter: usize) -> f64 {
        let place = window * QUARTERS + quarter;
        let Some([a, b, c]) = self.0.0.as_chunks::<3>().0.get(place / 2) else { return 0.0 };
        let code = if place.is_multiple_of(2) {
            u16::from(*a) | (u16::from(*b) & 0x0f) << 8
        } else {
            u16::from(*b) >> 4 | u16::from(*c) << 4
        };
        widen::<7>(code, 4)
    }

    pub(super) fn set(&mut self, window: usize, quarter: usize, peak: f64) {
        let place = window * QUARTERS + quarter;
        let [low, high] = shorten::<7>(peak, 4, 0x0fff).to_le_bytes();
        let Some([a, b, c]) = self.0.0.as_chunks_mut::<3>().0.get_mut(place / 2) else { return };
        if place.is_multiple_of(2) {
            *a = low;
            *b = (*b & 0xf0) | high;
        } else {
            *b = (*b & 0x0f) | (low << 4);
            *c = (low >> 4) | (high << 4);
        }
    }

    pub(super) fn of(&self, window: usize) -> impl Iterator<Item = f64> + '_ {
        (0..QUARTERS).map(move |quarter| self.get(window, quarter))
    }
}

/// A number of at least 0 with so many bits of mantissa, rounded; the smallest exponent is `-bias`. What is smaller
/// is 0, what is larger than the largest is the largest.
fn shorten<const MANTISSA: u32>(value: f64, bias: i32, most: u16) -> u16 {
    // Room above the mantissa, so that rounding may carry into the exponent.
    let bits = (single(value).to_bits() + (1 << (22 - MANTISSA))) >> (23 - MANTISSA);
    let exponent = i32::try_from(bits >> MANTISSA).unwrap_or_default() - 127 + bias + 1;
    if value.is_nan() || exponent < 1 {
        return 0;
    }
    let mantissa = bits & ((1 << MANTISSA) - 1);
    let code = (u32::try_from(exponent).unwrap_or_default() << MANTISSA) | mantissa;
    u16::try_from(code).unwrap_or(most).min(most)
}

fn widen<const MANTISSA: u32>(code: u16, bias: i32) -> f64 {
    let code = u32::from(code);
    let exponent = i32::try_from(code >> MANTISSA).unwrap_or_default();
    if exponent == 0 {
        return 0.0;
    }
    let exponent = u32::try_from(exponent - 1 - bias + 127).unwrap_or_default();
    let mantissa = (code & ((1 << MANTISSA) - 1)) << (23 - MANTISSA);
    f64::from(f32::from_bits((exponent << 23) | mantissa))
}

#[expect(clippy::cast_possible_truncation, reason = "it is made shorter still")]
fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_kept_as_they_are() {
        let (mut ring, mut peaks) = (Ring::new(), Peaks::new());
        for count in 0..4_096 {
            assert_eq!(ring.set(7, count), count);
        }
        assert_eq!(ring.set(59, u32::MAX), 0xfff0_0000);
        assert_eq!((ring.get(7), ring.get(8), ring.get(60)), (4_095, 0, 0));
        for count in 0..=256_u16 {
            peaks.set(1, 5, count.into());
            assert_eq!(peaks.get(1, 5), f64::from(count));
        }
        assert_eq!(
            peaks.get(1, 4) + peaks.get(1, 6) + peaks.get(0, 5) + peaks.get(2, 5) + peaks.get(3, 5),
            0.0
        );
    }

    proptest! {
        #[test]
        fn what_is_kept_is_near(count: u32, value in 0.0..1e7_f64, places in prop::collection::vec((0..WINDOWS.len(), 0..QUARTERS), 1..20)) {
            let mut ring = Ring::new();
            let kept = ring.set(3, count);
            prop_assert!(kept <= count && count - kept <= count / 2_048);
            let mut peaks = Peaks::new();
            for (window, quarter) in &places {
                peaks.set(*window, *quarter, value);
            }
            for (window, quarter) in places {
                let kept = peaks.get(window, quarter);
                prop_assert!((kept - value).abs() <= 0.004 * value || value < 0.1, "{value} {kept}");
            }
            let mut factors = Factors::new();
            factors.set_week(167, value);
            factors.set_day(47, value / 2.0);
            prop_assert!((factors.week(167) - value).abs() <= 0.0006 * value || value < 1e-8);
            prop_assert!((factors.day(47) - value / 2.0).abs() <= 0.0003 * value || value < 1e-8);
        }

        #[test]
        fn bytes_come_back(value in 0.0..1e7_f64) {
            let mut peaks = Peaks::new();
            peaks.set(3, 191, value);
            let bytes = rmp_serde::to_vec(&peaks).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<Peaks>(&bytes).unwrap(), peaks);
            prop_assert!(rmp_serde::from_slice::<Ring>(&bytes).is_err());
        }
    }
}
