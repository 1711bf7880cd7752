//! The one form of time that SigV4 uses: `20150830T123600Z`.

use chrono::{DateTime, NaiveDate};

/// Seconds since 1970 of `YYYYMMDDThhmmssZ`.
pub(crate) fn parse_basic(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |range: core::ops::Range<usize>| {
        bytes
            .get(range)?
            .iter()
            .try_fold(0_u32, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
    };
    if bytes.len() != 16 || bytes.get(8) != Some(&b'T') || bytes.get(15) != Some(&b'Z') {
        return None;
    }
    let date =
        NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(4..6)?, number(6..8)?)?;
    Some(date.and_hms_opt(number(9..11)?, number(11..13)?, number(13..15)?)?.and_utc().timestamp())
}

/// Seconds since 1970 of a `Date` header, which may also carry the form above.
pub(crate) fn parse_date_header(text: &str) -> Option<i64> {
    parse_basic(text)
        .or_else(|| DateTime::parse_from_rfc2822(text).ok().map(|time| time.timestamp()))
}

/// `YYYYMMDDThhmmssZ`; times outside of chrono's range are written as 1970.
pub(crate) fn basic(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_agree() {
        assert_eq!(parse_basic("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(parse_date_header("Sun, 30 Aug 2015 12:36:00 GMT"), Some(1_440_938_160));
        assert_eq!(basic(1_440_938_160), "20150830T123600Z");
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for bad in [
            "",
            "20150830",
            "20150830T123600",
            "20150830T1236000",
            "20151330T123600Z",
            "2015083xT123600Z",
            "20150830t123600Z",
            "20150830T256000Z",
        ] {
            assert_eq!(parse_basic(bad), None, "{bad}");
        }
    }
}
