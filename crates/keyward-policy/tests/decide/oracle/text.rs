//! Texts: wildcards, policy variables, ARNs, numbers, times, addresses.

use core::cmp::Ordering;
use std::{collections::BTreeSet, net::IpAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Char(char),
    /// `*`: any run of characters.
    Run,
    /// `?`: exactly one.
    One,
}

/// A text whose `*` and `?` are wildcards.
pub(super) fn wildcards(text: &str) -> Vec<Token> {
    let token = |c| match c {
        '*' => Token::Run,
        '?' => Token::One,
        other => Token::Char(other),
    };
    text.chars().map(token).collect()
}

/// A text without wildcards.
pub(super) fn literal(text: &str) -> Vec<Token> {
    text.chars().map(Token::Char).collect()
}

/// What a `${…}` is.
enum Variable {
    /// `${*}`, `${?}`, `${$}`
    Escape(char),
    Key {
        name: String,
        default: Option<String>,
    },
}

/// Cuts a text into what stands outside of `${…}` and what stands inside.
fn cut(text: &str) -> Vec<(String, Option<Variable>)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (inside, after) = after.split_once('}').expect("the grammar closes variables");
        let variable = match inside {
            "*" | "?" | "$" => Variable::Escape(inside.chars().next().expect("one character")),
            _ => match inside.split_once(", '") {
                Some((name, default)) => Variable::Key {
                    name: name.to_lowercase(),
                    default: Some(default.trim_end_matches('\'').to_owned()),
                },
                None => Variable::Key { name: inside.to_lowercase(), default: None },
            },
        };
        pieces.push((before.to_owned(), Some(variable)));
        rest = after;
    }
    pieces.push((rest.to_owned(), None));
    pieces
}

/// The keys that a text's variables name, in lower case.
pub(super) fn variables(text: &str, variables: bool) -> Vec<String> {
    if !variables {
        return Vec::new();
    }
    let name = |(_, variable)| match variable {
        Some(Variable::Key { name, .. }) => Some(name),
        _ => None,
    };
    cut(text).into_iter().filter_map(name).collect()
}

/// The text with its variables replaced by literal text; `None` when one has no value and no default.
pub(super) fn replaced(
    text: &str,
    variables: bool,
    has_wildcards: bool,
    value: &dyn Fn(&str) -> Option<String>,
) -> Option<Vec<Token>> {
    let plain = |text: &str| if has_wildcards { wildcards(text) } else { literal(text) };
    if !variables {
        return Some(plain(text));
    }
    let mut tokens = Vec::new();
    for (before, variable) in cut(text) {
        tokens.extend(plain(&before));
        match variable {
            Some(Variable::Escape(c)) => tokens.push(Token::Char(c)),
            Some(Variable::Key { name, default }) => {
                tokens.extend(literal(&value(&name).or(default)?));
            }
            None => {}
        }
    }
    Some(tokens)
}

/// Whether the whole text fits, by the set of places that the pattern can have reached.
pub(super) fn fits(pattern: &[Token], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut reached = BTreeSet::from([0]);
    for token in pattern {
        reached = match token {
            Token::Run => reached.first().map_or(0..0, |first| *first..text.len() + 1).collect(),
            Token::One => reached.iter().filter(|at| **at < text.len()).map(|at| at + 1).collect(),
            Token::Char(c) => {
                reached.iter().filter(|at| text.get(**at) == Some(c)).map(|at| at + 1).collect()
            }
        };
    }
    reached.contains(&text.len())
}

/// Six parts, each by itself; the last keeps its colons.
pub(super) fn fits_arn(pattern: &[Token], arn: &str) -> bool {
    let parts: Vec<&[Token]> = pattern.splitn(6, |token| *token == Token::Char(':')).collect();
    let values: Vec<&str> = arn.splitn(6, ':').collect();
    parts.len() == 6
        && values.len() == 6
        && parts.iter().zip(values).all(|(part, value)| fits(part, value))
}

/// An exact decimal as its sign, and its digits before and after the point without idle zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    whole: String,
    part: String,
}

impl Number {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.chars().next()? {
            '-' => (true, &text[1..]),
            '+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
        if !all_digits(whole) || !all_digits(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let negative = negative && !(whole.is_empty() && part.is_empty());
        Some(Self { negative, whole: whole.to_owned(), part: part.to_owned() })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let size = (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| self.part.cmp(&other.part));
        match (self.negative, other.negative) {
            (false, false) => size,
            (true, true) => size.reverse(),
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
        }
    }
}

/// Milliseconds since 1970 of a time in ISO 8601 (the W3C's profile), or of seconds since 1970.
pub(super) fn time(text: &str) -> Option<i128> {
    if let Some(number) = Number::parse(text) {
        let whole: i128 = format!("0{}", number.whole).parse().ok()?;
        let part: String = format!("{}000", number.part).chars().take(3).collect();
        let size = whole * 1_000 + part.parse::<i128>().ok()?;
        return Some(if number.negative { -size } else { size });
    }
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    let mut fields = date.split('-').map(|field| field.parse::<i128>().ok());
    let (year, month) = (fields.next()??, fields.next()??);
    let day = match fields.next() {
        Some(day) => day?,
        None if clock.is_none() => 1,
        None => return None,
    };
    let days = days_to(year, month, day)?;
    let of_day = clock.map_or(Some(0), clock_ms)?;
    Some(days * 86_400_000 + of_day)
}

/// Days from 1970 to a date, counted year by year and month by month.
fn days_to(year: i128, month: i128, day: i128) -> Option<i128> {
    let leap = |year: i128| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = |month: i128| {
        let index = usize::try_from(month - 1).ok()?;
        Some(lengths.get(index)? + i128::from(month == 2 && leap(year)))
    };
    if year < 1970 || !(1..=length(month)?).contains(&day) {
        return None;
    }
    let years: i128 = (1970..year).map(|year| 365 + i128::from(leap(year))).sum();
    let months: i128 = (1..month).filter_map(length).sum();
    Some(years + months + day - 1)
}

/// `hh:mm`, `hh:mm:ss` or `hh:mm:ss.s`, and a zone.
fn clock_ms(text: &str) -> Option<i128> {
    let (clock, offset) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => {
            let at = text.rfind(['+', '-'])?;
            let (clock, zone) = text.split_at(at);
            let (hours, minutes) = zone[1..].split_once(':')?;
            let size = hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()?;
            (clock, if zone.starts_with('-') { -size } else { size })
        }
    };
    let fields: Vec<&str> = clock.split(':').collect();
    let (hours, minutes, seconds) = match fields.as_slice() {
        [hours, minutes] => (*hours, *minutes, "0"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    let minutes = hours.parse::<i128>().ok()? * 60 + minutes.parse::<i128>().ok()? - offset;
    Some(minutes * 60_000 + time(seconds)?)
}

/// Whether an address is in a range; of the other family it never is.
pub(super) fn in_network(network: &str, address: &str) -> bool {
    let (base, bits) = match network.split_once('/') {
        Some((base, bits)) => (base, bits.parse::<u32>().ok()),
        None => (network, None),
    };
    let read = |text: &str| text.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let (base, width) = match read(base) {
        Some(IpAddr::V4(base)) => (u128::from(u32::from(base)), 32),
        Some(IpAddr::V6(base)) => (u128::from(base), 128),
        None => return false,
    };
    let have = match read(address) {
        Some(IpAddr::V4(have)) if width == 32 => u128::from(u32::from(have)),
        Some(IpAddr::V6(have)) if width == 128 => u128::from(have),
        _ => return false,
    };
    let shift = width - bits.unwrap_or(width);
    base.checked_shr(shift).unwrap_or(0) == have.checked_shr(shift).unwrap_or(0)
}
