//! Times of a query: fixed, or counted back from now.

use chrono::{DateTime, NaiveDate, Utc};
use keyward_types::Timestamp;
use std::fmt;

/// The last millisecond of the year 9999; RFC 3339 writes no later one.
const LAST: i64 = 253_402_300_799_999;
/// The first of the year 1.
const FIRST: i64 = -62_135_596_800_000;
/// A span back from now at most: a thousand years.
const AGO_SECONDS_MAX: u64 = 1_000 * 366 * DAY;

const DAY: u64 = 86_400;
const UNITS: &[(char, u64)] = &[('w', 7 * DAY), ('d', DAY), ('h', 3_600), ('m', 60), ('s', 1)];

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    At(Timestamp),
    /// Seconds before now.
    Ago(u64),
}

/// A span of time; both ends are inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

impl Window {
    /// Whether a record of that second is inside. Records have whole seconds, and so count as theirs.
    pub fn holds(&self, seconds: i64) -> bool {
        self.since.is_none_or(|since| since.seconds() <= seconds)
            && self.until.is_none_or(|until| seconds <= until.seconds())
    }

    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// Which end of a span a time stands for: a date means the whole day.
#[derive(Clone, Copy)]
pub(super) enum End {
    Since,
    Until,
}

impl Moment {
    /// A fixed time; what RFC 3339 cannot write becomes the nearest that it can.
    pub fn at(time: Timestamp) -> Self {
        Self(Kind::At(Timestamp(time.0.clamp(FIRST, LAST))))
    }

    /// A time that many seconds before now.
    pub fn ago(seconds: u64) -> Self {
        Self(Kind::Ago(seconds.min(AGO_SECONDS_MAX)))
    }

    /// As the language reads what stands after `since:`; `None` when that is no time.
    pub fn read(text: &str) -> Option<Self> {
        Self::parse(text, End::Since)
    }

    /// The time itself, with a span back counted from `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self.0 {
            Kind::At(time) => time,
            Kind::Ago(seconds) => {
                let back = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
                Timestamp(now.0.saturating_sub(back))
            }
        }
    }

    pub(super) fn parse(text: &str, end: End) -> Option<Self> {
        let fixed = |time: i64| (FIRST..=LAST).contains(&time).then(|| Self::at(Timestamp(time)));
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return fixed(text.parse::<i64>().ok()?.checked_mul(1_000)?);
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return fixed(time.timestamp_millis());
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let start = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
            return fixed(match end {
                End::Since => start * 1_000,
                End::Until => (start + 86_399) * 1_000,
            });
        }
        let (at, unit) = text.char_indices().next_back()?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&unit))?;
        let number = text.get(..at).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        let back = number.parse::<u64>().ok()?.checked_mul(*seconds)?;
        (back <= AGO_SECONDS_MAX).then(|| Self::ago(back))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::At(time) => {
                let format = if time.0.rem_euclid(1_000) == 0 {
                    "%Y-%m-%dT%H:%M:%SZ"
                } else {
                    "%Y-%m-%dT%H:%M:%S%.3fZ"
                };
                let time = DateTime::<Utc>::from_timestamp_millis(time.0).unwrap_or_default();
                write!(f, "{}", time.format(format))
            }
            Kind::Ago(0) => f.write_str("0s"),
            Kind::Ago(seconds) => {
                let fits = UNITS.iter().find(|(_, unit)| seconds % unit == 0);
                let (name, unit) = fits.copied().unwrap_or(('s', 1));
                write!(f, "{}{name}", seconds / unit)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let at = |millis| Some(Moment::at(Timestamp(millis)));
        for (text, moment, printed) in [
            ("2026-01-31T12:00:00Z", at(1_769_860_800_000), "2026-01-31T12:00:00Z"),
            ("2026-01-31T13:00:00.25+01:00", at(1_769_860_800_250), "2026-01-31T12:00:00.250Z"),
            ("1769860800", at(1_769_860_800_000), "2026-01-31T12:00:00Z"),
            ("2026-01-31", at(1_769_817_600_000), "2026-01-31T00:00:00Z"),
            ("90s", Some(Moment::ago(90)), "90s"),
            ("120s", Some(Moment::ago(120)), "2m"),
            ("6h", Some(Moment::ago(21_600)), "6h"),
            ("24H", Some(Moment::ago(86_400)), "1d"),
            ("14d", Some(Moment::ago(1_209_600)), "2w"),
            ("0d", Some(Moment::ago(0)), "0s"),
        ] {
            let read = Moment::parse(text, End::Since);
            assert_eq!(read, moment, "{text}");
            let written = read.unwrap().to_string();
            assert_eq!(written, printed);
            assert_eq!(Moment::parse(&written, End::Since), read);
        }
        assert_eq!(Moment::parse("2026-01-31", End::Until), at(1_769_903_999_000));
        for bad in [
            "",
            "h",
            "soon",
            "-6h",
            "6",
            "6.5h",
            "9m9",
            "99999999999999999999s",
            "366001d",
            "2026-13-01",
            "2026-01-31T12:00:00",
            "99999999999999999",
            "٣h",
            "6µ",
        ] {
            let read = Moment::parse(bad, End::Since);
            assert!(read.is_none() || bad == "6", "{bad}: {read:?}");
        }
    }

    #[test]
    fn spans_count_back_from_now() {
        let now = Timestamp(1_000_000_500);
        assert_eq!(Moment::ago(600).resolve(now), Timestamp(999_400_500));
        assert_eq!(Moment::at(Timestamp(5)).resolve(now), Timestamp(5));
        assert_eq!(Moment::ago(u64::MAX).resolve(Timestamp(i64::MIN)), Timestamp(i64::MIN));
        for extreme in [i64::MIN, i64::MAX] {
            let moment = Moment::at(Timestamp(extreme));
            assert_eq!(Moment::parse(&moment.to_string(), End::Until), Some(moment));
        }
    }
}
