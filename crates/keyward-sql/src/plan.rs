//! Which part of a question the log's indexes answer.
//!
//! SQLite offers conditions; those that an index knows are taken as arguments, one letter each in the plan's
//! text, and narrow what is read. SQLite checks every condition again itself, so that a plan may be wider than
//! what was asked and never narrower.

use crate::{
    row::{COLUMNS, Column},
    source::Term,
    table::Shape,
};
use keyward_trail::is_outsider_name;
use keyward_types::Timestamp;
use rusqlite::{
    Result,
    types::ValueRef,
    vtab::{Filters, IndexConstraintOp as Op, IndexInfo},
};

/// What a condition narrows, and its letter in the plan's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Key,
    Principal,
    AccessKey,
    Event,
    Request,
    Account,
    Name,
    Outcome,
    ErrorCode,
    SeqIs,
    SeqFrom,
    SeqTo,
    MsIs,
    MsFrom,
    MsTo,
    TimeIs,
    TimeFrom,
    TimeTo,
}

const PARTS: &[(Part, char)] = &[
    (Part::Key, 'k'),
    (Part::Principal, 'p'),
    (Part::AccessKey, 'c'),
    (Part::Event, 'i'),
    (Part::Request, 'r'),
    (Part::Account, 'a'),
    (Part::Name, 'n'),
    (Part::Outcome, 'o'),
    (Part::ErrorCode, 'e'),
    (Part::SeqIs, 's'),
    (Part::SeqFrom, '['),
    (Part::SeqTo, ']'),
    (Part::MsIs, 'm'),
    (Part::MsFrom, '('),
    (Part::MsTo, ')'),
    (Part::TimeIs, 't'),
    (Part::TimeFrom, '<'),
    (Part::TimeTo, '>'),
];

impl Part {
    fn of(column: Column, op: Op) -> Option<Self> {
        let is = op == Op::SQLITE_INDEX_CONSTRAINT_EQ;
        let from = [Op::SQLITE_INDEX_CONSTRAINT_GT, Op::SQLITE_INDEX_CONSTRAINT_GE].contains(&op);
        let to = [Op::SQLITE_INDEX_CONSTRAINT_LT, Op::SQLITE_INDEX_CONSTRAINT_LE].contains(&op);
        Some(match column {
            Column::Seq if is => Self::SeqIs,
            Column::Seq if from => Self::SeqFrom,
            Column::Seq if to => Self::SeqTo,
            Column::TimeMs if is => Self::MsIs,
            Column::TimeMs if from => Self::MsFrom,
            Column::TimeMs if to => Self::MsTo,
            Column::Time if is => Self::TimeIs,
            Column::Time if from => Self::TimeFrom,
            Column::Time if to => Self::TimeTo,
            Column::Key if is => Self::Key,
            Column::Principal if is => Self::Principal,
            Column::AccessKeyId if is => Self::AccessKey,
            Column::EventId if is => Self::Event,
            Column::RequestId if is => Self::Request,
            Column::Account if is => Self::Account,
            Column::Name if is => Self::Name,
            Column::Outcome if is => Self::Outcome,
            Column::ErrorCode if is => Self::ErrorCode,
            _ => return None,
        })
    }

    fn is_text(self) -> bool {
        !matches!(
            self,
            Self::SeqIs | Self::SeqFrom | Self::SeqTo | Self::MsIs | Self::MsFrom | Self::MsTo
        )
    }

    /// About how many events in how many remain.
    fn remains(self) -> f64 {
        match self {
            Self::SeqIs | Self::Event | Self::Request => 0.0,
            Self::MsIs | Self::TimeIs => 0.001,
            Self::Key | Self::Principal | Self::AccessKey => 0.02,
            Self::ErrorCode => 0.05,
            Self::Name => 0.1,
            Self::SeqFrom | Self::SeqTo | Self::MsFrom | Self::MsTo => 0.3,
            Self::TimeFrom | Self::TimeTo => 0.3,
            Self::Outcome => 0.5,
            Self::Account => 1.0,
        }
    }
}

/// SQLite plans with sixty-four tables at most; no honest question has as many conditions on one.
const ARGUMENTS_MAX: usize = 32;

/// Answers SQLite's question what a reading with these conditions costs, and in which order it comes.
pub(crate) fn choose(shape: Shape, total: u64, info: &mut IndexInfo) -> Result<bool> {
    let mut taken: Vec<(usize, Part, char)> = Vec::new();
    for (i, constraint) in info.constraints().enumerate() {
        let column = shape.column(constraint.column());
        let Some(part) = column.and_then(|column| Part::of(column, constraint.operator())) else {
            continue;
        };
        let letter = PARTS.iter().find(|(known, _)| *known == part).map(|(_, letter)| *letter);
        if let Some(letter) = letter.filter(|_| constraint.is_usable()) {
            taken.push((i, part, letter));
        }
    }
    // Of another collation more is equal than an index knows.
    taken.retain(|(i, part, _)| !part.is_text() || info.collation(*i).is_ok_and(|c| c == "BINARY"));
    taken.truncate(ARGUMENTS_MAX);
    let mut text = String::new();
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let mut rows = (total as f64).max(1.0) * shape.rows_of_an_event();
    for (argument, (i, part, letter)) in (1..).zip(&taken) {
        info.constraint_usage(*i).set_argv_index(argument);
        text.push(*letter);
        rows *= part.remains();
    }
    let order = info.order_bys().next().filter(|by| {
        let is_number = shape.column(by.column()) == Some(Column::Seq);
        is_number && (info.num_of_order_by() == 1 || shape == Shape::Events)
    });
    let newest_first = order.as_ref().is_some_and(rusqlite::vtab::OrderBy::is_order_by_desc);
    let is_ordered = order.is_some();
    info.set_order_by_consumed(is_ordered);
    info.set_idx_num(i32::from(newest_first));
    info.set_idx_str(&text);
    // Opening a block is most of what one event costs.
    info.set_estimated_cost(rows.mul_add(10.0, 50.0));
    #[expect(clippy::cast_possible_truncation, reason = "an estimate")]
    info.set_estimated_rows(rows.max(1.0) as i64);
    Ok(true)
}

/// What to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) newest_first: bool,
    /// Event numbers, inclusive; `to` is `None` when the reading is empty from the start.
    pub(crate) seq_from: u64,
    pub(crate) seq_to: Option<u64>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) to: Option<Timestamp>,
    pub(crate) terms: Vec<Term>,
}

impl Reading {
    /// The plan's text with the values that SQLite filled in; `total` is the number of events to look at.
    pub(crate) fn of(order: i32, text: &str, values: &Filters<'_>, total: u64) -> Self {
        let mut reading =
            Self { newest_first: order != 0, seq_to: total.checked_sub(1), ..Self::default() };
        for (letter, value) in text.chars().zip(values.iter()) {
            let part = PARTS.iter().find(|(_, known)| *known == letter).map(|(part, _)| *part);
            match (part, value) {
                (Some(part), ValueRef::Integer(number)) => reading.number(part, number),
                (Some(part), ValueRef::Text(text)) => {
                    reading.text(part, core::str::from_utf8(text).unwrap_or_default());
                }
                // A value of another type is SQLite's to compare.
                _ => {}
            }
        }
        reading
    }

    fn number(&mut self, part: Part, number: i64) {
        let seq = u64::try_from(number).unwrap_or(0);
        match part {
            Part::SeqIs | Part::SeqFrom | Part::SeqTo => {
                if matches!(part, Part::SeqIs | Part::SeqFrom) {
                    self.seq_from = self.seq_from.max(seq);
                }
                if matches!(part, Part::SeqIs | Part::SeqTo) {
                    let to = (0 <= number).then_some(seq);
                    self.seq_to = self.seq_to.zip(to).map(|(known, to)| known.min(to));
                }
            }
            Part::MsIs | Part::MsFrom | Part::MsTo => {
                self.between(
                    (part != Part::MsTo).then_some(number),
                    (part != Part::MsFrom).then_some(number),
                );
            }
            _ => {}
        }
    }

    fn text(&mut self, part: Part, text: &str) {
        let owned = text.to_owned();
        match part {
            Part::Key => self.terms.push(Term::Key(owned)),
            // A service's name stands in the column too, and in no index.
            Part::Principal if text.starts_with("arn:") || is_outsider_name(text) => {
                self.terms.push(Term::Principal(owned));
            }
            Part::AccessKey => self.terms.push(Term::AccessKey(owned)),
            Part::Event => self.terms.push(Term::Event(owned)),
            Part::Request => self.terms.push(Term::Request(owned)),
            Part::Account => self.terms.push(Term::Account(owned)),
            Part::Name => self.terms.push(Term::Operation(owned)),
            Part::Outcome => self.terms.push(Term::Outcome(owned)),
            Part::ErrorCode => self.terms.push(Term::Error(owned)),
            Part::TimeIs | Part::TimeFrom | Part::TimeTo => {
                let Some(second) = second_of(text) else { return };
                self.between(
                    (part != Part::TimeTo).then_some(second),
                    // The column has whole seconds.
                    (part != Part::TimeFrom).then_some(second.saturating_add(999)),
                );
            }
            _ => {}
        }
    }

    fn between(&mut self, from: Option<i64>, to: Option<i64>) {
        if let Some(from) = from {
            self.from = Some(self.from.map_or(Timestamp(from), |known| known.max(Timestamp(from))));
        }
        if let Some(to) = to {
            self.to = Some(self.to.map_or(Timestamp(to), |known| known.min(Timestamp(to))));
        }
    }
}

/// The first moment, in milliseconds, whose text is not less than a text such as `2026-11-23`: times are
/// compared as text. `None` when that isn't plain to see.
fn second_of(text: &str) -> Option<i64> {
    const FIRST: &str = "0000-01-01T00:00:00Z";
    let whole = match text.len() {
        4 | 7 | 10 | 13 | 16 | 19 | 20 => format!("{text}{}", FIRST.get(text.len()..)?),
        _ => return None,
    };
    let time = chrono::NaiveDateTime::parse_from_str(&whole, "%Y-%m-%dT%H:%M:%SZ").ok()?.and_utc();
    // chrono reads digits generously, and a leap second as one.
    let form = time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    (form == whole && time.timestamp_subsec_nanos() == 0).then(|| time.timestamp_millis())
}

impl Shape {
    /// The column of an event that a column of this table is, when an index may know it.
    fn column(self, number: i32) -> Option<Column> {
        let number = usize::try_from(number).ok();
        match (self, number) {
            (Self::Events, None) => Some(Column::Seq), // The row id.
            (Self::Events, Some(number)) => COLUMNS.get(number).map(|(column, ..)| *column),
            (_, Some(0)) => Some(Column::Seq),
            (_, Some(1)) => Some(Column::TimeMs),
            (Self::Keys, Some(2)) => Some(Column::Key),
            _ => None,
        }
    }

    fn rows_of_an_event(self) -> f64 {
        if self == Self::Contexts { 2.0 } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_time_only_in_the_form_that_is_compared() {
        let day = 1_767_225_600_000;
        for (text, expected) in [
            ("2026-01-01T00:00:00Z", Some(day)),
            ("2026-01-01T00:00:07", Some(day + 7_000)),
            ("2026-01-01T00:01", Some(day + 60_000)),
            ("2026-01-01T01", Some(day + 3_600_000)),
            ("2026-01-01", Some(day)),
            ("2026-01", Some(day)),
            ("2026", Some(day)),
            ("2026-1-01", None),
            ("2026-01-01 00:00:00", None),
            ("2026-01-01T00:00:00+02:00", None),
            ("2026-02-30", None),
            ("2026-01-01T00:00:60Z", None),
            ("", None),
            ("soon", None),
            ("éé", None),
        ] {
            assert_eq!(second_of(text), expected, "{text}");
        }
    }
}
