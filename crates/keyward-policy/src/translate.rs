//! A statement as Cedar policies, sliced by action.
//!
//! A slice holds what one document says to one audience about one action: the action is compiled out, and
//! statements about other actions or other principals are not there. A test proves that the slice and the
//! whole document decide alike.
//! Permits also stand in a set of their own, because Cedar's answer to a forbidden request does not name them.
//!
//! INVARIANT: a resource-side Allow becomes one policy for each kind of match, so that the kind is known.

use crate::{
    build::{self, Node},
    condition::{
        emit::{self, Needs},
        native::Atom,
    },
    document::{Audience, DocumentKind, Listed, Parsed, ResourcePattern, Statement},
    entities,
    error::Unevaluable,
    pattern::{Pattern, Piece},
    principal::Named,
};
use cedar_policy::{Policy, PolicySet, pst};
use keyward_types::MatchKind;
use std::collections::BTreeMap;

/// What one document says about one action.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Every policy.
    pub(crate) all: PolicySet,
    /// The permits alone, asked when a forbid keeps Cedar from naming them.
    pub(crate) permits: PolicySet,
    /// By policy id, which is the place in this list.
    pub(crate) entries: Vec<Entry>,
    pub(crate) needs: Needs,
    /// About how much memory this takes.
    pub(crate) bytes: u64,
}

/// Where a Cedar policy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) statement: usize,
    pub(crate) sid: Option<String>,
    pub(crate) kind: Option<MatchKind>,
}

impl Slice {
    /// `audience`: leave out statements about other principals; `None` keeps them.
    /// `whole`: keep every statement and let Cedar choose by action, as the tests do to compare.
    pub(crate) fn compile(
        parsed: &Parsed,
        kind: DocumentKind,
        audience: Option<Audience>,
        action: &str,
        guard: bool,
        whole: bool,
    ) -> Result<Self, Unevaluable> {
        let mut slice = Self {
            all: PolicySet::new(),
            permits: PolicySet::new(),
            entries: Vec::new(),
            needs: Needs::default(),
            bytes: 1_024,
        };
        let account = audience.and_then(|audience| parsed.account_of(audience));
        for (index, statement) in parsed.statements.iter().enumerate() {
            let concerned = audience.is_none_or(|audience| parsed.concerns(statement, audience));
            let speaks = whole || concerned && statement.covers_action(action);
            if is_dead(statement, kind) || !speaks {
                continue;
            }
            slice.bytes += statement.bytes();
            for (kind, nodes) in policies(statement, kind, account, guard, &mut slice.needs)? {
                let entry = Entry { statement: index, sid: statement.sid.clone(), kind };
                let actions = if whole {
                    action_constraint(statement, &[action])?
                } else {
                    pst::ActionConstraint::Any
                };
                let policy = policy(
                    &slice.entries.len().to_string(),
                    statement.allow,
                    nodes,
                    Some(&entry),
                    actions,
                )?;
                let failed = |error: cedar_policy::PolicySetError| Unevaluable(error.to_string());
                if statement.allow {
                    slice.permits.add(policy.clone()).map_err(failed)?;
                }
                slice.all.add(policy).map_err(failed)?;
                slice.entries.push(entry);
            }
        }
        Ok(slice)
    }
}

/// A statement that lacks an element it needs has no effect.
pub(crate) fn is_dead(statement: &Statement, kind: DocumentKind) -> bool {
    let no_principal = kind != DocumentKind::Identity && statement.principals.is_none();
    let no_resource = kind != DocumentKind::Trust && statement.resources.is_none();
    statement.actions.is_none() || no_principal || no_resource
}

/// The conditions of one Cedar policy, and the kind of match that it makes.
type Body = (Option<MatchKind>, Vec<Node>);

/// The bodies of a statement's policies.
///
/// `account`: the account of every caller that the policies are for, whose name then needs no test.
pub(crate) fn policies(
    statement: &Statement,
    kind: DocumentKind,
    account: Option<&str>,
    guard: bool,
    needs: &mut Needs,
) -> Result<Vec<Body>, Unevaluable> {
    let mut rest = Vec::new();
    rest.extend(resource(statement, guard, needs)?);
    rest.extend(statement.tests.iter().map(|test| emit::test(test, statement.allow, guard, needs)));
    let with = |kind, principals: Vec<Option<Node>>| {
        // One that is sure makes the others idle.
        let test = principals.into_iter().collect::<Option<Vec<Node>>>().map(build::any);
        (kind, test.into_iter().chain(rest.iter().cloned()).collect())
    };
    match &statement.principals {
        None => Ok(vec![(None, rest)]),
        Some(_) if kind == DocumentKind::Identity => Ok(vec![(None, rest)]),
        Some(listed) if statement.allow && !listed.not => {
            let mut kinds: BTreeMap<MatchKind, Vec<Option<Node>>> = BTreeMap::new();
            for (kind, node) in principal_tests(listed, account, needs)? {
                kinds.entry(kind).or_default().push(node);
            }
            Ok(kinds.into_iter().map(|(kind, nodes)| with(Some(kind), nodes)).collect())
        }
        Some(_) => {
            let test = principal(statement, needs)?;
            Ok(test.into_iter().map(|node| with(None, vec![Some(node)])).collect())
        }
    }
}

/// Whether the statement speaks of the caller, by any kind of match.
pub(crate) fn principal(
    statement: &Statement,
    needs: &mut Needs,
) -> Result<Option<Node>, Unevaluable> {
    let Some(listed) = &statement.principals else { return Ok(None) };
    let tests = principal_tests(listed, None, needs)?.into_iter().filter_map(|(_, node)| node);
    let named = build::any(tests.collect());
    if !listed.not {
        return Ok(Some(named));
    }
    // AWS denies a principal with a boundary whatever NotPrincipal lists.
    needs.boundary = true;
    Ok(Some(build::or(build::context("hasBoundary"), build::not(named))))
}

/// What must hold of the caller to be named, by each kind of match; `None` is what holds of every caller of
/// `account`. Without an account nothing is `None`.
fn principal_tests(
    listed: &Listed<Named>,
    account: Option<&str>,
    needs: &mut Needs,
) -> Result<Vec<(MatchKind, Option<Node>)>, Unevaluable> {
    let mut tests = Vec::new();
    for named in &listed.items {
        match (named, account) {
            (Named::Anyone, Some(_)) => tests.push((MatchKind::Session, None)),
            (Named::Account(id), Some(account)) if id == account => {
                tests.push((MatchKind::Account, None));
            }
            _ => {
                let found = named.tests(needs);
                let found =
                    found.ok_or_else(|| Unevaluable("a principal has no Cedar form".to_owned()))?;
                tests.extend(found.into_iter().map(|(kind, node)| (kind, Some(node))));
            }
        }
    }
    Ok(tests)
}

/// `None` where the statement speaks of every resource.
pub(crate) fn resource(
    statement: &Statement,
    guard: bool,
    needs: &mut Needs,
) -> Result<Option<Node>, Unevaluable> {
    let Some(listed) = &statement.resources else { return Ok(None) };
    if !listed.not && listed.items.contains(&ResourcePattern::All) {
        return Ok(None);
    }
    let mut fits = Vec::new();
    for item in &listed.items {
        fits.push(match item {
            ResourcePattern::All => build::all(Vec::new()),
            ResourcePattern::Arn(pattern) => arn(pattern, needs)?,
        });
    }
    let any = build::any(fits);
    let plain = if listed.not { build::not(any) } else { any };
    if !guard {
        return Ok(Some(plain));
    }
    let keys = listed.items.iter().filter_map(|item| {
        if let ResourcePattern::Arn(pattern) = item { Some(pattern) } else { None }
    });
    Ok(Some(emit::guarded(plain, keys.flat_map(Pattern::variables), statement.allow, needs)))
}

fn arn(pattern: &Pattern, needs: &mut Needs) -> Result<Node, Unevaluable> {
    if let Some(text) = pattern.literal() {
        let uid = build::entity(entities::resource_type(&text), &text)
            .ok_or_else(|| Unevaluable(format!("{text} has no Cedar form")))?;
        return Ok(build::equal(build::resource(), build::entity_node(uid)));
    }
    let parts = pattern.arn_parts().filter(|_| pattern.is_like());
    let Some(parts) = parts else {
        return Ok(emit::atom(Atom::Resource(pattern.clone()), needs));
    };
    if parts.iter().take(5).all(|part| part.literal().is_some()) {
        return Ok(build::like(build::attribute(build::resource(), "arn"), pattern));
    }
    let part = |(name, part): (&&str, &Pattern)| {
        let have = build::attribute(build::resource(), name);
        match part.literal() {
            Some(text) => build::equal(have, build::text(&text)),
            None => build::like(have, part),
        }
    };
    let bound = entities::ARN_PARTS
        .iter()
        .zip(parts.iter().skip(1))
        .filter(|(_, part)| part.0 != [Piece::Star]);
    Ok(build::all(bound.map(part).collect()))
}

/// The actions among `known` that a statement speaks of.
pub(crate) fn action_constraint(
    statement: &Statement,
    known: &[&str],
) -> Result<pst::ActionConstraint, Unevaluable> {
    let covered = known.iter().filter(|action| statement.covers_action(action));
    let uids = covered.map(|action| {
        build::entity("Action", action)
            .ok_or_else(|| Unevaluable(format!("{action} has no Cedar form")))
    });
    Ok(pst::ActionConstraint::In(uids.collect::<Result<_, _>>()?))
}

/// A policy whose conditions are `nodes`, with where it comes from, if given, as annotations.
pub(crate) fn policy(
    id: &str,
    allow: bool,
    nodes: Vec<Node>,
    entry: Option<&Entry>,
    action: pst::ActionConstraint,
) -> Result<Policy, Unevaluable> {
    let failed = |error: &dyn core::fmt::Display| {
        Unevaluable(format!("a statement has no Cedar form: {error}"))
    };
    let effect = if allow { pst::Effect::Permit } else { pst::Effect::Forbid };
    let mut annotations = BTreeMap::new();
    if let Some(Entry { statement, sid, kind }) = entry {
        annotations.insert("statement".to_owned(), statement.to_string().into());
        annotations.extend(sid.iter().map(|sid| ("sid".to_owned(), sid.as_str().into())));
        annotations.extend(
            kind.map(|kind| ("match".to_owned(), format!("{kind:?}").to_lowercase().into())),
        );
    }
    // Cedar joins clauses one after the other; see `build::joined`.
    let clauses = if nodes.len() <= build::ROW_MAX { nodes } else { vec![build::all(nodes)] };
    let template = pst::Template::new(
        id,
        effect,
        pst::PrincipalConstraint::Any,
        action,
        pst::ResourceConstraint::Any,
    )
    .try_with_clauses(clauses.into_iter().map(pst::Clause::When))
    .map_err(|error| failed(&error))?
    .with_annotations(annotations);
    let body = pst::StaticPolicy::try_from(template).map_err(|error| failed(&error))?;
    Policy::from_pst(pst::Policy::Static(body)).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(node: &Node) -> usize {
        match &**node {
            pst::Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 1,
        }
    }

    /// Cedar walks expressions by recursion, in stacks that are no deeper for a long document.
    #[test]
    fn ten_thousand_values_make_no_deep_expression() {
        let nodes: Vec<Node> = (0..10_000).map(|_| build::resource()).collect();
        assert!(depth(&build::any(nodes.clone())) <= 8 + 11);
        assert!(depth(&build::all(nodes)) <= 8 + 11);
    }

    /// The work of a decision follows the document's length: at most three policies for a statement.
    #[test]
    fn a_statement_becomes_at_most_three_policies() {
        let principals: Vec<String> = (0..500)
            .flat_map(|n| {
                let (user, session) =
                    ("iam::111122223333:user", "sts::111122223333:assumed-role/r");
                [
                    format!("arn:aws:{user}/{n}"),
                    format!("arn:aws:{session}/{n}"),
                    format!("{n:012}"),
                ]
            })
            .collect();
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":{principals:?}}},"Action":"*","Resource":"*"}}}}"#
        );
        let parsed = Parsed::parse(&text, DocumentKind::Resource).unwrap();
        let slice =
            Slice::compile(&parsed, DocumentKind::Resource, None, "kms:Decrypt", false, false)
                .unwrap();
        assert_eq!(slice.entries.len(), 3);
        assert!(1_024 * 1_500 < slice.bytes, "{} bytes", slice.bytes);
    }
}
