//! Typed values in policies and requests: exact decimals, times, networks, bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use ipnet::IpNet;
use std::{cmp::Ordering, net::IpAddr};

/// An exact decimal: `mantissa` / 10^[`SCALE`].
///
/// INVARIANT: up to 18 digits before the point and 18 after; longer texts are not numbers here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(i128);

const SCALE: u32 = 18;
const DIGITS_MAX: usize = 18;
const ONE: i128 = 10_i128.pow(SCALE);

impl Decimal {
    /// `[+-]digits[.digits]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let part = if digits.contains('.') { part } else { "0" };
        let fits =
            |t: &str| (1..=DIGITS_MAX).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if !fits(whole) || !fits(part) {
            return None;
        }
        let part: i128 = format!("{part:0<width$}", width = DIGITS_MAX).parse().ok()?;
        Some(Self(sign * (whole.parse::<i128>().ok()? * ONE + part)))
    }

    /// The largest integer that is not greater.
    pub(crate) fn floor(self) -> i64 {
        // INVARIANT: eighteen digits fit.
        i64::try_from(self.0.div_euclid(ONE)).unwrap_or(i64::MIN)
    }

    /// The largest integer that is not greater, and what is left, in parts of 10^[`SCALE`].
    pub(crate) fn parts(self) -> Option<(i64, u64)> {
        Some((self.floor(), u64::try_from(self.0.rem_euclid(ONE)).ok()?))
    }

    pub(crate) fn is_whole(self) -> bool {
        self.0.rem_euclid(ONE) == 0
    }
}

/// Milliseconds since 1970 of an ISO 8601 time, a date, or seconds since 1970.
pub(crate) fn time_ms(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    if let Some(seconds) = Decimal::parse(text) {
        return i64::try_from(seconds.0.div_euclid(ONE / 1_000)).ok();
    }
    // A month is its first day.
    let first = format!("{text}-01");
    for text in [text, &first] {
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis());
        }
    }
    if let Ok(time) = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z") {
        return Some(time.timestamp_millis());
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ")
        .ok()
        .map(|time| time.and_utc().timestamp_millis())
}

/// A range, or an address as a range of one. IPv4 addresses in IPv6 clothes are IPv4.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    if text.contains('/') {
        text.parse::<IpNet>().ok().map(|net| net.trunc())
    } else {
        address(text).map(IpNet::from)
    }
}

pub(crate) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Whether `left` stands to `right` as `order` says.
pub(crate) fn ordered<T: Ord>(left: &T, order: super::operators::Order, right: &T) -> bool {
    use super::operators::Order;
    let found = left.cmp(right);
    match order {
        Order::Equal => found == Ordering::Equal,
        Order::Less => found == Ordering::Less,
        Order::LessOrEqual => found != Ordering::Greater,
        Order::Greater => found == Ordering::Greater,
        Order::GreaterOrEqual => found != Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        let d = |text: &str| Decimal::parse(text).unwrap();
        assert!(d("0.1") < d("0.2") && d("-1.5") < d("-1.4") && d("3.0") == d("+3"));
        assert_eq!((d("3.5").floor(), d("-3.5").floor(), d("7").floor()), (3, -4, 7));
        assert!(d("7.000").is_whole() && !d("7.0001").is_whole());
        for bad in ["", ".", "1.", ".5", "1e3", "abc", "--1", "1234567890123456789", "0x1", " 1"] {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_in_every_form() {
        let expected = Some(1_785_542_400_000);
        for text in [
            "2026-08-01T00:00:00Z",
            "2026-08-01",
            "2026-08-01T00:00Z",
            "2026-08-01T02:00+02:00",
            "2026-08",
            "1785542400",
            "2026-08-01T02:00:00+02:00",
        ] {
            assert_eq!(time_ms(text), expected, "{text}");
        }
        assert!(time_ms("tomorrow").is_none());
    }

    #[test]
    fn networks_have_their_host_bits_cut() {
        assert_eq!(network("203.0.113.9/24").unwrap().to_string(), "203.0.113.0/24");
        assert_eq!(network("203.0.113.9").unwrap().to_string(), "203.0.113.9/32");
        assert_eq!(network("2001:db8::1").unwrap().to_string(), "2001:db8::1/128");
        assert_eq!(network("::ffff:10.0.0.1").unwrap().to_string(), "10.0.0.1/32");
        assert!(network("10.0.0/8").is_none());
    }
}
