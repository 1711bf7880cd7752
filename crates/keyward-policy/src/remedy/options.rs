//! What may be tried against the obstacle that a refusal names.

use super::{
    Forbid, Node, blast, edit, request,
    scene::{Place, Scene},
};
use crate::{
    grant,
    question::{Question, Resource},
};
use keyward_types::{
    Blast, CallerKind, ChangeKind, Clause, Decision, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, KeyRef, Layer, NearMiss, PolicyChange, Reason, Timestamp,
};
use serde_json::{Map, Value, json};

/// Near misses of one layer that are tried.
const NEAR_MAX: usize = 2;

/// A change, and the question with it made.
type Tried<'q> = (PolicyChange, Scene<'q>);

/// Everything worth trying next. `decision` is the refusal at the beginning, with its near misses.
pub(super) fn of<'q>(node: &Node<'q>, decision: &Decision) -> Vec<Tried<'q>> {
    let scene = &node.scene;
    match node.finding.verdict.1 {
        Reason::Denied(layer) => node
            .finding
            .forbids
            .iter()
            .find(|forbid| forbid.layer == layer)
            .map_or_else(Vec::new, |forbid| lifted(scene, forbid)),
        Reason::NotAllowed(Layer::KeyPolicy | Layer::Grant) => by_owner(scene, decision),
        Reason::NotAllowed(layer) => {
            let level = node.finding.silent_level.filter(|_| layer == Layer::ServiceControlPolicy);
            let mut tried: Vec<Tried<'q>> = added(scene, layer, level).into_iter().collect();
            tried.extend(near(scene, decision, layer, level));
            let freed = matches!(
                layer,
                Layer::IdentityPolicy | Layer::PermissionsBoundary | Layer::SessionPolicy
            );
            if freed && scene.question.same_account() {
                // Who is named by the key itself needs less of its own policies.
                tried.extend(by_owner(scene, decision));
            }
            tried
        }
        _ => Vec::new(),
    }
}

/// What the owner of a key or role can do.
fn by_owner<'q>(scene: &Scene<'q>, decision: &Decision) -> Vec<Tried<'q>> {
    let question = &scene.question;
    if !question.resource.has_policy() || question.action == "kms:RetireGrant" {
        return Vec::new(); // RetireGrant is decided by a grant that stands, and no grant changes.
    }
    let mut tried: Vec<Tried<'q>> = added(scene, Layer::KeyPolicy, None).into_iter().collect();
    tried.extend(granted(scene));
    tried.extend(near(scene, decision, Layer::KeyPolicy, None));
    tried.extend(near_grants(scene, decision));
    tried.extend(delegated(scene));
    tried
}

/// An Allow of exactly this, in a layer.
fn added<'q>(scene: &Scene<'q>, layer: Layer, level: Option<usize>) -> Option<Tried<'q>> {
    let question = &scene.question;
    let statement = allowing(question, layer, principal(question))?;
    addition(scene, layer, level, statement)
}

/// The key policy lets the account hand the action out.
fn delegated<'q>(scene: &Scene<'q>) -> Option<Tried<'q>> {
    let question = &scene.question;
    if question.is_service() || question.caller.is_root() {
        return None;
    }
    let account = json!({"AWS": question.caller.account.root_arn()});
    addition(scene, Layer::KeyPolicy, None, allowing(question, Layer::KeyPolicy, account)?)
}

fn addition<'q>(
    scene: &Scene<'q>,
    layer: Layer,
    level: Option<usize>,
    statement: Value,
) -> Option<Tried<'q>> {
    let question = &scene.question;
    let (changed, source) = scene.extended(layer, level, &statement)?;
    let blast = blast::of(question, layer, source.as_deref(), &statement);
    let to = match (layer, &source) {
        (Layer::IdentityPolicy, _) => format!("a policy of {}", question.caller.principal_arn),
        (Layer::SessionPolicy, _) => "the session's policy, when the session is made".to_owned(),
        (_, Some(source)) => format!("the {}", titled(layer, source)),
        (_, None) => format!("a {}", layer.words()),
    };
    let named =
        statement.get("Principal").map(|who| format!(" for {}", names(who))).unwrap_or_default();
    let text = format!("Add to {to} an Allow of {}{named}.", question.action);
    let change = PolicyChange {
        kind: ChangeKind::AddStatement,
        layer: Some(layer),
        source,
        level,
        sid: None,
        index: None,
        body: Some(statement),
        text,
        blast,
    };
    Some((change, changed))
}

/// The statement that allows the request and nothing else of this kind.
fn allowing(question: &Question<'_>, layer: Layer, principal: Value) -> Option<Value> {
    let arn = question.resource.arn();
    edit::is_plain(arn).then_some(()).or((arn == "*").then_some(()))?;
    let mut statement = Map::new();
    statement.insert("Effect".to_owned(), json!("Allow"));
    if matches!(layer, Layer::KeyPolicy | Layer::VpcEndpointPolicy) {
        statement.insert("Principal".to_owned(), principal);
    }
    statement.insert("Action".to_owned(), json!(question.action));
    let own = layer == Layer::KeyPolicy;
    if !(own && matches!(question.resource, Resource::Role { .. })) {
        statement.insert("Resource".to_owned(), json!(if own { "*" } else { arn }));
    }
    Some(statement.into())
}

/// The caller as a Principal element names it: the role for its sessions.
fn principal(question: &Question<'_>) -> Value {
    match &question.caller.kind {
        CallerKind::Service { name } => json!({"Service": name}),
        _ => json!({"AWS": question.caller.principal_arn}),
    }
}

/// A grant of this operation to the caller, held to the request's encryption context.
fn granted<'q>(scene: &Scene<'q>) -> Option<Tried<'q>> {
    let question = &scene.question;
    let operation = GrantOperation::parse(question.action.strip_prefix("kms:")?)?;
    let (Resource::Key { arn, owner, .. }, false) = (question.resource, question.is_service())
    else {
        return None;
    };
    let KeyRef::Arn(key) = KeyRef::parse(arn) else { return None };
    let (mut operations, mut constraints) = ([operation].into(), GrantConstraints::default());
    if let Some(child) = question.child_grant {
        // A grant lets nobody pass on more than it gives.
        operations = child.operations.iter().copied().chain([operation]).collect();
        constraints.clone_from(&child.constraints);
    } else if grant::CARRY_CONTEXT.contains(&operation.as_str()) {
        constraints.encryption_context_equals =
            question.facts.context().filter(|pairs| !pairs.is_empty()).cloned();
    }
    let grantee = question.caller.principal_arn.clone();
    let record = GrantRecord {
        grant_id: GrantId::new("proposed"),
        key,
        name: None,
        created: Timestamp(0),
        grantee: Grantee::Principal(grantee.clone()),
        grantee_id: None,
        retiring: None,
        issuing_account: owner.clone(),
        operations,
        constraints,
    };
    Some((grant_change(question, &record, &grantee), scene.with_grant(record)))
}

fn grant_change(question: &Question<'_>, record: &GrantRecord, grantee: &str) -> PolicyChange {
    let operations: Vec<String> =
        record.operations.iter().map(|one| one.as_str().to_owned()).collect();
    let equals = record.constraints.encryption_context_equals.as_ref().map(|pairs| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    });
    let held = equals
        .as_ref()
        .map(|pairs| format!(", for the encryption context {pairs} alone"))
        .unwrap_or_default();
    let text = format!("Create a grant of {} to {grantee}{held}.", operations.join(", "));
    let mut body = json!({
        "KeyId": question.resource.arn(), "GranteePrincipal": grantee, "Operations": operations,
    });
    if let (false, Some(members)) = (record.constraints.is_empty(), body.as_object_mut()) {
        members.insert("Constraints".to_owned(), json!(record.constraints));
    }
    let blast = blast::grant(question, grantee, &operations, equals);
    PolicyChange {
        kind: ChangeKind::CreateGrant,
        layer: Some(Layer::Grant),
        source: None,
        level: None,
        sid: None,
        index: None,
        body: Some(body),
        text,
        blast,
    }
}

/// The nearest Allows of a layer: widened by their one clause that failed, or met by another request.
fn near<'q>(
    scene: &Scene<'q>,
    decision: &Decision,
    layer: Layer,
    level: Option<usize>,
) -> Vec<Tried<'q>> {
    let mut tried = Vec::new();
    for miss in misses(decision, layer).take(NEAR_MAX) {
        let place = Place { layer, level, source: &miss.source, index: Some(miss.index) };
        let Some(statement) = scene.statement(&place) else { continue };
        tried.extend(request::fitting(scene, miss, &statement));
        if let [failed] = miss.failed.as_slice() {
            tried.extend(widened(scene, &place, miss.sid.as_ref(), &statement, failed));
        }
    }
    tried
}

fn near_grants<'q>(scene: &Scene<'q>, decision: &Decision) -> Vec<Tried<'q>> {
    misses(decision, Layer::Grant)
        .take(NEAR_MAX)
        .filter_map(|miss| request::fitting_grant(scene, miss))
        .collect()
}

fn misses(decision: &Decision, layer: Layer) -> impl Iterator<Item = &NearMiss> {
    let outcomes = decision.layers.iter().filter(move |outcome| outcome.layer == layer);
    outcomes.flat_map(|outcome| &outcome.near).filter(|miss| miss.allow && !miss.failed.is_empty())
}

fn widened<'q>(
    scene: &Scene<'q>,
    place: &Place<'_>,
    sid: Option<&String>,
    statement: &Value,
    failed: &Clause,
) -> Option<Tried<'q>> {
    let question = &scene.question;
    let value = match failed.clause.as_str() {
        "Principal" => principal(question),
        "Action" | "Resource" => json!(failed.actual),
        test => {
            edit::widens(edit::tested(test)?.0).then_some(())?;
            json!(failed.actual)
        }
    };
    edit::is_plain(&failed.actual).then_some(())?;
    let (wide, delta) = edit::widened(statement, failed, &value)?;
    let shown = value.as_str().map_or_else(|| names(&value), str::to_owned);
    let name = statement_name(place, sid);
    let text = format!("Add {shown} to the {} of {name}.", failed.clause);
    let blast = blast::of(question, place.layer, Some(place.source), &delta);
    replaced(scene, place, sid, wide, text, blast)
}

/// A Deny that matched: met by another request, narrowed to spare this case, or taken away.
fn lifted<'q>(scene: &Scene<'q>, forbid: &Forbid) -> Vec<Tried<'q>> {
    let levels = matches!(forbid.layer, Layer::ServiceControlPolicy | Layer::ResourceControlPolicy);
    let place = Place {
        layer: forbid.layer,
        level: levels.then_some(forbid.level),
        source: &forbid.source,
        index: Some(forbid.index),
    };
    let Some(statement) = scene.statement(&place) else { return Vec::new() };
    let (question, sid) = (&scene.question, forbid.sid.as_ref());
    let whole = blast::of(question, forbid.layer, Some(&forbid.source), &statement);
    let name = statement_name(&place, sid);
    let mut tried: Vec<Tried<'q>> = request::escaping(scene, &statement).into_iter().collect();
    let own = &question.caller.principal_arn;
    if let Some(narrow) = edit::exempting(&statement, own).filter(|_| !question.is_service()) {
        let text = format!("Exempt {own} from the Deny of {name}.");
        tried.extend(replaced(
            scene,
            &place,
            sid,
            narrow,
            text,
            blast::narrowed(whole.clone(), own),
        ));
    }
    if let Some(narrow) = edit::without_action(&statement, question.action) {
        let mut delta = statement.clone();
        if let Some(members) = delta.as_object_mut() {
            members.insert("Action".to_owned(), json!(question.action));
        }
        let opened = blast::of(question, forbid.layer, Some(&forbid.source), &delta);
        let text = format!("Take {} out of the Deny of {name}.", question.action);
        tried.extend(replaced(scene, &place, sid, narrow, text, opened));
    }
    let index = forbid.index;
    let removed = scene.edited(&place, |statements| edit::silence(statements.get_mut(index)?));
    if let Some(scene) = removed {
        let text = format!("Remove the Deny of {name}.");
        tried.push((change_of(ChangeKind::RemoveStatement, &place, sid, None, text, whole), scene));
    }
    tried
}

fn replaced<'q>(
    scene: &Scene<'q>,
    place: &Place<'_>,
    sid: Option<&String>,
    statement: Value,
    text: String,
    blast: Blast,
) -> Option<Tried<'q>> {
    let index = place.index?;
    let changed = scene.edited(place, |statements| {
        *statements.get_mut(index)? = statement.clone();
        Some(())
    })?;
    let change = change_of(ChangeKind::ReplaceStatement, place, sid, Some(statement), text, blast);
    Some((change, changed))
}

fn change_of(
    kind: ChangeKind,
    place: &Place<'_>,
    sid: Option<&String>,
    body: Option<Value>,
    text: String,
    blast: Blast,
) -> PolicyChange {
    PolicyChange {
        kind,
        layer: Some(place.layer),
        source: Some(place.source.to_owned()),
        level: place.level,
        sid: sid.cloned(),
        index: place.index,
        body,
        text,
        blast,
    }
}

fn statement_name(place: &Place<'_>, sid: Option<&String>) -> String {
    let document = titled(place.layer, place.source);
    match (sid, place.index) {
        (Some(sid), _) => format!("{sid} in the {document}"),
        (None, Some(index)) => format!("Statement[{index}] in the {document}"),
        (None, None) => format!("the {document}"),
    }
}

/// A document by what it is and by its own name, where it has one.
fn titled(layer: Layer, source: &str) -> String {
    if layer == Layer::KeyPolicy {
        source.to_owned()
    } else {
        format!("{} {source}", layer.words())
    }
}

fn names(principal: &Value) -> String {
    let named = principal.as_object().into_iter().flatten();
    named.map(|(_, name)| name.as_str().unwrap_or_default()).collect::<Vec<_>>().join(", ")
}
