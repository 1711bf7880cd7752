//! Why not: the statements and grants that did not match, and the clauses that kept them from it.
//!
//! Each clause is compiled alone and put before Cedar with the same request; there is no second evaluator.
//! This runs after a refusal only.

use crate::{
    condition::{Test, emit, emit::Needs},
    document::{DocumentKind, Statement},
    engine::PolicyEngine,
    error::Unevaluable,
    grant::Applying,
    keys::{self, Seen, look_up},
    layers::{Chorus, Voice, satisfied},
    question::Question,
    request::{Needed, World},
    translate,
};
use cedar_policy::{PolicySet, pst};
use keyward_types::{Clause, Decision, Layer, NearMiss};

/// Near misses kept for one layer: those with the fewest failing clauses.
const NEAR_MAX: usize = 16;
/// Failing clauses kept of one near miss.
const CLAUSES_MAX: usize = 16;
/// Characters kept of what a clause expected or saw.
const TEXT_CHARS_MAX: usize = 512;

/// Fills `near` of every layer.
pub(crate) fn explain(
    engine: &PolicyEngine,
    question: &Question<'_>,
    chorus: &Chorus<'_>,
    world: &World,
    grants: &[Applying<'_>],
    decision: &mut Decision,
) -> Result<(), Unevaluable> {
    for outcome in &mut decision.layers {
        let mut near = Vec::new();
        if outcome.layer == Layer::Grant {
            near = near_grants(engine, question, world, grants)?;
        } else {
            for voice in chorus.of(outcome.layer) {
                near.extend(near_statements(engine, question, voice)?);
            }
        }
        near.sort_by_key(|miss| (!miss.allow, miss.failed.len()));
        near.truncate(NEAR_MAX);
        outcome.near = near;
    }
    Ok(())
}

/// Grants examined for one refusal.
const GRANTS_MAX: usize = 64;

fn near_grants(
    engine: &PolicyEngine,
    question: &Question<'_>,
    world: &World,
    applying: &[Applying<'_>],
) -> Result<Vec<NearMiss>, Unevaluable> {
    let policy = engine.grant_policy.as_ref().map_err(Clone::clone)?;
    let mut near = Vec::new();
    for grant in question.grants.iter().take(GRANTS_MAX) {
        if applying.iter().any(|one| one.grant.grant_id == grant.grant_id) {
            continue;
        }
        let failed: Vec<Clause> =
            policy.failing(question, world, grant)?.into_iter().map(shorten).collect();
        if !failed.is_empty() {
            let sid = Some(grant.grant_id.as_str().to_owned());
            near.push(NearMiss { source: "grant".to_owned(), sid, index: 0, allow: true, failed });
        }
    }
    Ok(near)
}

fn near_statements(
    engine: &PolicyEngine,
    question: &Question<'_>,
    voice: &Voice<'_>,
) -> Result<Vec<NearMiss>, Unevaluable> {
    let parsed = engine.parsed(voice.document, voice.kind)?;
    let hits = voice
        .permits
        .iter()
        .chain(&voice.forbids)
        .filter_map(|place| voice.slice.entries.get(*place));
    let hits: Vec<usize> = hits.map(|entry| entry.statement).collect();
    let mut near = Vec::new();
    for (index, statement) in parsed.statements.iter().enumerate() {
        if hits.contains(&index) {
            continue;
        }
        let failed = failing(engine, question, statement, voice)?;
        let failed: Vec<Clause> = failed.into_iter().take(CLAUSES_MAX).map(shorten).collect();
        let (source, sid) = (voice.source.to_owned(), statement.sid.clone());
        near.push(NearMiss { source, sid, index, allow: statement.allow, failed });
    }
    Ok(near)
}

/// The clauses of a statement that do not hold.
fn failing(
    engine: &PolicyEngine,
    question: &Question<'_>,
    statement: &Statement,
    voice: &Voice<'_>,
) -> Result<Vec<Clause>, Unevaluable> {
    let mut failed = missing(statement, voice.kind);
    if let Some(actions) =
        statement.actions.as_ref().filter(|_| !statement.covers_action(question.action))
    {
        failed.push(clause(
            name("Action", actions.not),
            actions.texts.join(", "),
            question.action.to_owned(),
        ));
    }
    let ambiguous = keys::ambiguous_names(question);
    let mut needs = Needs::default();
    let asked = asked(question, statement, !ambiguous.is_empty(), &mut needs)?;
    let mut set = PolicySet::new();
    for (place, (_, node)) in asked.iter().enumerate() {
        let policy = translate::policy(
            &place.to_string(),
            true,
            vec![node.clone()],
            None,
            pst::ActionConstraint::Any,
        )?;
        set.add(policy).map_err(|error| Unevaluable(error.to_string()))?;
    }
    let world = World::build(engine.base(question)?, question, &Needed::of([&needs]), &ambiguous)?;
    let principal = world
        .unnamed
        .as_ref()
        .filter(|_| voice.layer == Layer::KeyPolicy)
        .unwrap_or(&world.base.principal);
    let holding = satisfied(&set, &world.request(principal)?, world.entities())?;
    let unmet = asked.into_iter().enumerate().filter(|(place, _)| !holding.contains(place));
    failed.extend(unmet.map(|(_, (clause, _))| clause));
    Ok(failed)
}

/// Elements without which a statement has no effect.
fn missing(statement: &Statement, kind: DocumentKind) -> Vec<Clause> {
    let mut failed = Vec::new();
    let mut lacks = |element: &str| {
        failed.push(clause(element.to_owned(), "the element".to_owned(), "(absent)".to_owned()))
    };
    if statement.actions.is_none() {
        lacks("Action");
    }
    if statement.principals.is_none() && kind != DocumentKind::Identity {
        lacks("Principal");
    }
    if statement.resources.is_none() && kind != DocumentKind::Trust {
        lacks("Resource");
    }
    failed
}

/// Each clause that Cedar is asked about, with the explanation it gives when it does not hold.
fn asked(
    question: &Question<'_>,
    statement: &Statement,
    guard: bool,
    needs: &mut Needs,
) -> Result<Vec<(Clause, crate::build::Node)>, Unevaluable> {
    let mut asked = Vec::new();
    if let (Some(listed), Some(node)) =
        (&statement.principals, translate::principal(statement, needs)?)
    {
        let expected = listed.texts.join(", ");
        asked.push((
            clause(name("Principal", listed.not), expected, question.caller.arn.clone()),
            node,
        ));
    }
    if let (Some(listed), Some(node)) =
        (&statement.resources, translate::resource(statement, guard, needs)?)
    {
        let actual = question.resource.arn().to_owned();
        asked.push((clause(name("Resource", listed.not), listed.texts.join(", "), actual), node));
    }
    for test in &statement.tests {
        let label = format!("Condition {} {}", test.operator_text, test.key_text);
        let node = emit::test(test, statement.allow, guard, needs);
        asked.push((clause(label, test.value_texts.join(", "), seen(question, test)), node));
    }
    Ok(asked)
}

fn seen(question: &Question<'_>, test: &Test) -> String {
    match look_up(question, &test.key) {
        Ok(Some(Seen::One(value))) => value.into_owned(),
        Ok(Some(Seen::Many(values))) if !values.is_empty() => values.join(", "),
        Ok(_) => "(absent)".to_owned(),
        Err(why) => why,
    }
}

fn name(element: &str, not: bool) -> String {
    if not { format!("Not{element}") } else { element.to_owned() }
}

fn clause(clause: String, expected: String, actual: String) -> Clause {
    Clause { clause, expected, actual }
}

fn shorten(clause: Clause) -> Clause {
    let cut = |text: String| match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    };
    Clause { clause: clause.clause, expected: cut(clause.expected), actual: cut(clause.actual) }
}
