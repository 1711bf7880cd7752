//! Facts with which the engine would allow, built from what the open conditions ask for.
//!
//! A value is built where a condition names one or leaves one to choose, and the whole is put to the engine as a
//! question like any other; what it refuses is not an example. Not everything that can be met is found: then
//! the conditions stand as unknown, and nothing is claimed.

use super::{
    Example,
    open::{self, Left},
};
use crate::{
    condition::{
        Operands, Test,
        native::{condition_holds, resolve},
        operators::Shape,
    },
    engine::PolicyEngine,
    facts::{Facts, Values},
    keys::{Family, Kind, Place},
    pattern::{Pattern, Piece},
    question::Question,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_types::{EncryptionContext, GrantRecord, Layer};
use std::collections::BTreeMap;

/// Characters of a value that is tried: as long as an encryption context may be.
const VALUE_CHARS_MAX: usize = 8_192;

/// Ways on the key's side, and identity statements, that are tried.
const TRIES_MAX: usize = 8;

pub(super) struct Sought {
    pub(super) example: Option<Example>,
    pub(super) unknown: Vec<String>,
}

/// Looks for facts under which one of the ways is open and no Deny stands in it.
pub(super) fn seek(
    engine: &PolicyEngine,
    question: &Question<'_>,
    ways: &BTreeMap<(Layer, usize), Vec<Left>>,
    grants: &[&GrantRecord],
    denies: &[&Left],
) -> Sought {
    let seeker = Seeker { engine, question, denies };
    let of = |layer| ways.get(&(layer, 0)).map(Vec::as_slice).unwrap_or_default();
    // Whatever narrows must allow by one statement of each level.
    let narrowing: Vec<&Left> = ways
        .iter()
        .filter(|((layer, _), _)| !matches!(layer, Layer::KeyPolicy | Layer::IdentityPolicy))
        .filter_map(|(_, lefts)| lefts.first())
        .collect();
    let grants = grants.iter().map(|grant| (None, Some(*grant)));
    let by_policy = of(Layer::KeyPolicy).iter().map(|left| (Some(left), None));
    let mut unknown: Vec<String> = Vec::new();
    for (left, grant) in by_policy.chain(grants).take(TRIES_MAX) {
        let identity = of(Layer::IdentityPolicy).iter().map(Some).chain([None]).take(TRIES_MAX);
        for identity in identity {
            let wanted: Vec<&Left> =
                left.into_iter().chain(identity).chain(narrowing.iter().copied()).collect();
            let mut draft = Draft::default();
            seeker.demand(&wanted, grant, &mut draft);
            seeker.dodge(&mut draft);
            if seeker.allows(&draft, grant) {
                return Sought { example: Some(draft.example), unknown: Vec::new() };
            }
            unknown.extend(draft.unknown);
        }
    }
    let open = ways.values().flatten().chain(denies.iter().copied()).flat_map(Left::words);
    unknown.extend(open);
    unknown.sort_unstable();
    unknown.dedup();
    Sought {
        example: None,
        unknown: unknown.into_iter().map(|it| format!("unknown: {it}")).collect(),
    }
}

/// An example under construction.
#[derive(Clone, Default)]
struct Draft {
    example: Example,
    /// Names, in lower case, that something asks for.
    fixed: Vec<String>,
    unknown: Vec<String>,
}

struct Seeker<'s> {
    engine: &'s PolicyEngine,
    question: &'s Question<'s>,
    denies: &'s [&'s Left],
}

impl Seeker<'_> {
    /// Whether the engine allows with these facts: a question like any other.
    fn allows(&self, draft: &Draft, grant: Option<&GrantRecord>) -> bool {
        let child = self.question.child_grant.or(grant);
        self.with(&draft.example, |question| {
            self.engine.allows(&Question { child_grant: child, ..*question })
        })
    }

    /// The question with the example's facts.
    fn with<T>(&self, example: &Example, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let context = EncryptionContext(example.encryption_context.clone());
        let mut facts: Facts<'_> = self.question.facts.clone();
        for (name, values) in &example.context {
            match values {
                Values::One(value) => facts.add(name, value.as_str()),
                Values::Many(values) => facts.add_many(name, values.iter().map(String::as_str)),
            };
        }
        if self.question.facts.context().is_none() {
            facts.set_encryption_context(&context);
        }
        ask(&Question { facts: &facts, ..*self.question })
    }

    fn holds(&self, test: &Test, example: &Example) -> bool {
        self.with(example, |question| match test.operands {
            Operands::Absent(absent) => {
                crate::keys::look_up(question, &test.key).is_ok_and(|seen| seen.is_none() == absent)
            }
            _ => condition_holds(test, question).unwrap_or(false),
        })
    }

    /// Chooses a value for every key that the statements ask about.
    fn demand(&self, wanted: &[&Left], grant: Option<&GrantRecord>, draft: &mut Draft) {
        if let Some(grant) = grant.filter(|_| self.question.facts.context().is_none()) {
            let constraints = &grant.constraints;
            let pairs = constraints.encryption_context_equals.iter();
            let pairs = pairs.chain(&constraints.encryption_context_subset).flatten();
            draft.example.encryption_context.extend(pairs.map(|(n, v)| (n.clone(), v.clone())));
        }
        if let Some(arn) = grant.and_then(|grant| grant.constraints.source_arn.as_ref()) {
            draft.example.context.insert("aws:SourceArn".to_owned(), Values::One(arn.clone()));
        }
        let tests: Vec<&Test> = wanted.iter().flat_map(|left| &left.tests).collect();
        for test in &tests {
            let of_key: Vec<&Test> =
                tests.iter().copied().filter(|other| other.key == test.key).collect();
            if draft.fixed.contains(&test.key.name) {
                continue;
            }
            draft.fixed.push(test.key.name.clone());
            if of_key.iter().all(|test| self.holds(test, &draft.example)) {
                continue;
            }
            let fits = |example: &Example| of_key.iter().all(|test| self.holds(test, example));
            match self
                .candidates(&of_key)
                .iter()
                .map(|value| stated(test, value, &draft.example))
                .find(fits)
            {
                Some(example) => draft.example = example,
                None => draft.unknown.push(open::words(test)),
            }
        }
    }

    /// Changes what nothing asks for, so that open Deny statements do not match.
    fn dodge(&self, draft: &mut Draft) {
        for deny in self.denies {
            if !deny.tests.iter().all(|test| self.holds(test, &draft.example)) {
                continue;
            }
            let free = deny.tests.iter().filter(|test| !draft.fixed.contains(&test.key.name));
            let escape = free.clone().find_map(|test| {
                let values = self.candidates(&[test]);
                let examples = values.iter().map(|value| stated(test, value, &draft.example));
                examples.into_iter().find(|example| !self.holds(test, example))
            });
            if let Some(example) = escape {
                draft.example = example;
            }
        }
    }

    /// Values that the tests name, and one that none of them names.
    fn candidates(&self, tests: &[&Test]) -> Vec<String> {
        let mut values: Vec<String> = tests.iter().flat_map(|test| self.named(test)).collect();
        let kind = tests.first().and_then(|test| test.key.row()).map_or(Kind::Text, |row| row.kind);
        values.push(
            match kind {
                Kind::Text => "x",
                Kind::Number | Kind::Epoch => "1",
                Kind::Time => "2000-01-01T00:00:00Z",
                Kind::Ip => "198.51.100.77",
            }
            .to_owned(),
        );
        values.extend(["true", "false"].map(str::to_owned));
        values
    }

    /// Values at which a test changes its mind.
    fn named(&self, test: &Test) -> Vec<String> {
        match &test.operands {
            Operands::Texts(patterns) => {
                let resolved = patterns.iter().filter_map(|pattern| {
                    resolve(pattern, VALUE_CHARS_MAX, self.question).ok().flatten()
                });
                resolved.map(|pattern| instance(&pattern, test.operator.shape)).collect()
            }
            Operands::Numbers(numbers) => numbers
                .iter()
                .flat_map(|number| around(number.floor(), 1))
                .map(|number| number.to_string())
                .collect(),
            Operands::Times(times) => times
                .iter()
                .flat_map(|time| around(*time, 1_000))
                .filter_map(chrono::DateTime::from_timestamp_millis)
                .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
                .collect(),
            Operands::Networks(networks) => {
                networks.iter().map(|network| network.addr().to_string()).collect()
            }
            Operands::Bytes(all) => all.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
            Operands::Absent(_) => Vec::new(),
        }
    }
}

fn around(value: i64, step: i64) -> [i64; 3] {
    [value, value.saturating_sub(step), value.saturating_add(step)]
}

/// A text that fits a pattern.
fn instance(pattern: &Pattern, shape: Shape) -> String {
    if shape == Shape::Arn && pattern.0 == [Piece::Star] {
        return "arn:aws:s3:::x".to_owned();
    }
    let text: String = pattern
        .0
        .iter()
        .map(|piece| match piece {
            Piece::Char(c) => *c,
            Piece::Star | Piece::One | Piece::Variable { .. } => 'x',
        })
        .collect();
    text
}

/// The example with one more fact.
fn stated(test: &Test, value: &str, example: &Example) -> Example {
    let mut example = example.clone();
    let name = &test.key_text;
    match test.key.place {
        Place::Tag(Family::EncryptionContext) => {
            // As the document spells it; names compare without case.
            let pair = name.splitn(3, ':').nth(2).unwrap_or(test.key.tag());
            example
                .encryption_context
                .retain(|known, _| known.to_lowercase() != pair.to_lowercase());
            example.encryption_context.insert(pair.to_owned(), value.to_owned());
        }
        Place::Fixed(_) if test.key.name == "kms:encryptioncontextkeys" => {
            example.encryption_context.entry(value.to_owned()).or_insert_with(|| "x".to_owned());
        }
        _ if test.key.is_multivalued() => {
            drop(example.context.insert(name.clone(), Values::Many(vec![value.to_owned()])));
        }
        _ => drop(example.context.insert(name.clone(), Values::One(value.to_owned()))),
    }
    example
}
