//! `by` written anew: what decided takes the place of what a file says decided, and nothing else of the text
//! is touched.
//!
//! A `by` that holds is left as it is. One that several cases of a matrix share gets what decided all of them;
//! where that is nothing, or a case has another effect than expected, it stays, and the test fails.

use crate::{
    grounds::Ground,
    read::TestFile,
    run::{self, Decided},
};
use keyward_policy::Place;

pub(crate) fn update(text: &str, file: &TestFile, decided: &[Decided]) -> Option<String> {
    let mut edits: Vec<(Place, Place, String)> = Vec::new();
    for group in run::by_place(file, decided).values() {
        let Some(by) = group
            .first()
            .and_then(|one| file.cases.get(one.case))
            .and_then(|case| case.by.as_ref())
        else {
            continue;
        };
        let holds = |one: &Decided| {
            let named = |name: &String| one.grounds.iter().any(|ground| ground.is(name));
            !by.names.is_empty() && by.names.iter().all(named)
        };
        if group.iter().all(|one| holds(one)) || !group.iter().all(|one| one.as_expected) {
            continue;
        }
        let names = shared(group);
        if !names.is_empty() {
            edits.push((by.at, by.end, written(&names)));
        }
    }
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let mut body = body.to_owned();
    // From the end, so that earlier places stay true.
    edits.sort_by_key(|(at, _, _)| core::cmp::Reverse(*at));
    for (at, end, new) in &edits {
        let (start, end) = (offset(&body, *at)?, offset(&body, *end)?);
        let old = body.get(start..end)?.trim_end();
        body.replace_range(start..start + old.len(), new);
    }
    (!edits.is_empty()).then(|| format!("{mark}{body}"))
}

/// What decided every case of a group.
fn shared(group: &[&Decided]) -> Vec<String> {
    let Some((first, others)) = group.split_first() else { return Vec::new() };
    let everywhere = |ground: &&Ground| {
        let there = |one: &&Decided| one.grounds.iter().any(|other| other.is(&ground.short()));
        others.iter().all(there)
    };
    let mut names: Vec<String> =
        first.grounds.iter().filter(everywhere).map(Ground::short).collect();
    names.dedup();
    names
}

fn written(names: &[String]) -> String {
    let quoted = |name: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        if name.chars().all(plain) {
            name.clone()
        } else {
            serde_json::Value::from(name.as_str()).to_string()
        }
    };
    match names {
        [one] => quoted(one),
        many => format!("[{}]", many.iter().map(quoted).collect::<Vec<_>>().join(", ")),
    }
}

/// The byte at which a place is.
fn offset(text: &str, place: Place) -> Option<usize> {
    let before: usize =
        text.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(before..)?;
    let column = rest.char_indices().map(|(offset, _)| offset).chain([rest.len()]);
    column.skip(place.column.checked_sub(1)?).map(|offset| before + offset).next()
}
