//! What settings may ask for, so that a request cannot make the detectors take the machine's memory or time.

use crate::Settings;
use core::{fmt, ops::RangeInclusive};

/// Entries of lists that are gone through for events: patterns of keys, canaries, approvals.
const ENTRIES_MAX: usize = 500;
/// Bytes of one pattern, and of a reason.
const PATTERN_BYTES_MAX: usize = 2_048;
/// Operations of an approval.
const OPERATIONS_MAX: usize = 100;
/// Nothing that is multiplied is multiplied by more.
const FACTOR_MAX: f64 = 1_000_000.0;
/// No score is larger.
const SCORE_MAX: f64 = 300.0;

/// Settings that cannot hold: which one, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    pub name: &'static str,
    pub wanted: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.name, self.wanted)
    }
}

impl std::error::Error for SettingsError {}

type Checked = Result<(), SettingsError>;

impl Settings {
    /// # Errors
    /// [`SettingsError`] names the first limit that does not hold.
    pub fn check(&self) -> Checked {
        self.check_tables()?;
        self.check_lists()?;
        self.check_rates()?;
        let (novelty, sweeps) = (&self.novelty, &self.sweeps);
        whole("novelty.learn_hours", novelty.learn_hours, 0..=8_760)?;
        whole("novelty.hold_minutes", novelty.hold_minutes, 1..=10_080)?;
        whole("novelty.silence_days", novelty.silence_days, 1..=3_650)?;
        whole("sweeps.keys_min", sweeps.keys_min, 1..=1_024)?;
        number("sweeps.ratio", sweeps.ratio, 0.0..=FACTOR_MAX)
    }

    fn check_tables(&self) -> Checked {
        let tables = &self.tables;
        for (name, entries, max) in [
            ("tables.series", tables.series, 50_000),
            ("tables.principals", tables.principals, 50_000),
            ("tables.pairs", tables.pairs, 1_000_000),
            ("tables.keys", tables.keys, 500_000),
            ("tables.alerts", tables.alerts, 10_000),
        ] {
            if !(1..=max).contains(&entries) {
                return wrong(name, format!("1 to {max}"));
            }
        }
        Ok(())
    }

    fn check_lists(&self) -> Checked {
        let approvals = self.approvals.as_deref().unwrap_or_default();
        for (name, entries) in [
            ("keys", self.keys.len()),
            ("canaries", self.canaries.len()),
            ("approvals", approvals.len()),
            ("silences", self.silences.len()),
            ("off", self.off.len()),
        ] {
            if ENTRIES_MAX < entries {
                return wrong(name, format!("a list of {ENTRIES_MAX} entries at most"));
            }
        }
        let silenced = self.silences.iter().flat_map(|one| {
            let patterns = [&one.account, &one.principal, &one.key];
            patterns.into_iter().flatten().chain([&one.reason])
        });
        let approved = approvals
            .iter()
            .flat_map(|one| [&one.grantee, &one.key].into_iter().chain(&one.operations));
        let patterns = self.canaries.iter().chain(self.keys.iter().map(|one| &one.key));
        if patterns.chain(silenced).chain(approved).any(|text| PATTERN_BYTES_MAX < text.len()) {
            return wrong("a pattern", format!("a text of {PATTERN_BYTES_MAX} bytes at most"));
        }
        if approvals.iter().any(|one| OPERATIONS_MAX < one.operations.len()) {
            return wrong("approvals.operations", format!("a list of {OPERATIONS_MAX} at most"));
        }
        self.keys.iter().try_for_each(|one| {
            number("keys.score_extra", one.score_extra, -SCORE_MAX..=SCORE_MAX)?;
            whole("keys.floor", one.floor.unwrap_or(1), 1..=u32::MAX)?;
            whole("keys.count_min", one.count_min.unwrap_or(1), 1..=u32::MAX)?;
            whole("keys.silence_days", one.silence_days.unwrap_or(1), 1..=3_650)
        })
    }

    fn check_rates(&self) -> Checked {
        let (lines, floors) = (&self.rates.lines, &self.rates.floors);
        let scores = lines.score.iter().chain([&lines.young_extra, &lines.clear]);
        for score in scores {
            number("rates.lines: a score", *score, 0.0..=SCORE_MAX)?;
        }
        for ratio in lines.ratio.iter().chain(&lines.above_peak) {
            number("rates.lines: a ratio", *ratio, 0.0..=FACTOR_MAX)?;
        }
        whole("rates.lines.count_min", lines.count_min, 1..=u32::MAX)?;
        let all = [
            floors.operations,
            floors.without_plaintext,
            floors.refusals,
            floors.ciphertext_errors,
            floors.account,
        ];
        all.iter().try_for_each(|floor| whole("rates.floors: each", *floor, 1..=u32::MAX))
    }
}

fn wrong(name: &'static str, wanted: String) -> Checked {
    Err(SettingsError { name, wanted })
}

fn whole(name: &'static str, value: u32, range: RangeInclusive<u32>) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    let wanted =
        if *most == u32::MAX { format!("{least} or more") } else { format!("{least} to {most}") };
    wrong(name, wanted)
}

/// What is no number is in no range.
fn number(name: &'static str, value: f64, range: RangeInclusive<f64>) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    wrong(name, format!("{} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(settings: Value) -> String {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        settings.check().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn settings_from_before_a_window_was_added_still_count() {
        let lines = |numbers: Value| {
            let settings = json!({"rates": {"lines": {"score": numbers}}});
            serde_json::from_value::<Settings>(settings).map(|read| read.rates.lines.score)
        };
        assert_eq!(lines(json!([6.0, 5.0, 4.0])).unwrap(), [6.0, 6.0, 5.0, 4.0]);
        assert_eq!(lines(json!([6.0, 5.5, 5.0, 4.0])).unwrap(), [6.0, 5.5, 5.0, 4.0]);
        assert!(lines(json!([6.0, 5.0])).is_err() && lines(json!(["6"])).is_err());
    }

    #[test]
    fn the_limit_is_named() {
        assert_eq!(said(json!({})), "");
        let most = json!({"series": 50_000, "principals": 1, "pairs": 1_000_000, "keys": 1, "alerts": 10_000});
        assert_eq!(said(json!({"tables": most})), "");
        let many = |count: usize| vec!["k"; count];
        assert_eq!(said(json!({"canaries": many(500)})), "");
        for (settings, limit) in [
            (json!({"tables": {"series": 50_001}}), "tables.series is 1 to 50000"),
            (json!({"tables": {"pairs": 0}}), "tables.pairs is 1 to 1000000"),
            (json!({"canaries": many(501)}), "canaries is a list of 500 entries at most"),
            (json!({"canaries": ["k".repeat(2_049)]}), "a pattern is a text of 2048 bytes at most"),
            (
                json!({"rates": {"lines": {"score": [301.0, 1.0, 1.0, 1.0]}}}),
                "rates.lines: a score is 0 to 300",
            ),
            (
                json!({"rates": {"lines": {"ratio": [1.0, -1.0, 1.0, 1.0]}}}),
                "rates.lines: a ratio is 0 to 1000000",
            ),
            (json!({"rates": {"floors": {"refusals": 0}}}), "rates.floors: each is 1 or more"),
            (json!({"novelty": {"hold_minutes": 0}}), "novelty.hold_minutes is 1 to 10080"),
            (json!({"sweeps": {"keys_min": 0}}), "sweeps.keys_min is 1 to 1024"),
            (
                json!({"keys": [{"key": "k", "score_extra": -301.0}]}),
                "keys.score_extra is -300 to 300",
            ),
            (
                json!({"approvals": [{"grantee": "g", "operations": many(101)}]}),
                "approvals.operations is a list of 100 at most",
            ),
        ] {
            assert_eq!(said(settings), limit);
        }
        let mut settings = Settings::default();
        settings.sweeps.ratio = f64::NAN;
        assert!(settings.check().is_err());
    }
}
