//! What can be claimed of policies, each as questions to the solver.
//!
//! Two claims are a comparison in disguise: "only these principals" says that a policy allows nothing beyond one
//! that allows these, and "never without this condition" nothing beyond one that allows everybody under it.

use crate::{
    compose::Side,
    inquiry::{Holder, Inquiry, Party, Surroundings, Witness},
    request::{Target, Vocabulary, constant},
    solver::Solver,
};
use keyward_policy::{
    KMS_ACTIONS, PolicyEngine, PolicyError, PolicyKind, is_asked_of_key,
    symbolic::{SymbolicDocument, can_carry},
    vectors::cross_account_operations,
};
use keyward_types::{Decision, Layer, Reason};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Proves claims about policies.
#[derive(Debug)]
pub struct Prover<'s> {
    solver: &'s Solver,
    engine: PolicyEngine,
    key: Option<String>,
}

/// What became of a claim.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It holds of every request.
    Proved,
    /// It does not: this request shows it, and the policy engine decided it.
    Refuted(Box<Counterexample>),
    /// Neither was found, and why: a solver that gave up, or something that has no exact form.
    Unknown(Vec<String>),
}

impl Verdict {
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Proved)
    }
}

/// A request that a claim does not hold of.
#[derive(Clone, Debug)]
pub struct Counterexample {
    pub action: String,
    pub caller: String,
    /// The request as a decision vector with the policy in question, as `keyward policy vectors` decides it.
    pub vector: Json,
    /// What the policy engine says of it, under the policy in question
    pub decision: Decision,
    /// and under the one that it was compared with.
    pub before: Option<Decision>,
    /// The statements of the policy in question that allow it: place and Sid.
    pub allowing: Vec<(usize, Option<String>)>,
    /// What is odd about it.
    pub notes: Vec<String>,
}

/// Whether somebody can change a key policy.
#[derive(Clone, Debug)]
pub enum Repair {
    /// This caller can.
    Possible {
        by: Box<Counterexample>,
        /// Whether it is the root user, and can whatever else the request brings.
        always: bool,
    },
    /// Nobody can, whatever policies of principals say.
    Impossible,
    Unknown(Vec<String>),
}

/// What a statement is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// No request matches it.
    Dead,
    /// Without it every request is decided the same.
    Redundant,
    /// Without it some request is decided otherwise.
    Needed,
}

/// A statement, and what it is good for.
#[derive(Clone, Debug)]
pub struct StatementUse {
    pub index: usize,
    pub sid: Option<String>,
    pub allow: bool,
    /// `Err`: why it is not known.
    pub used: Result<Use, Vec<String>>,
}

/// A policy, read once.
struct Read<'t> {
    text: &'t str,
    document: SymbolicDocument,
}

impl<'t> Read<'t> {
    fn key_policy(text: &'t str) -> Result<Self, PolicyError> {
        Ok(Self { text, document: SymbolicDocument::read(text, PolicyKind::Resource)? })
    }

    fn party(&self, action: Option<&str>, allows: bool) -> Party<'t> {
        Party { text: self.text, side: Side::of(&self.document, action, None), allows }
    }

    /// What has no exact form.
    fn unsaid(&self) -> impl Iterator<Item = String> {
        self.document.unsaid.iter().map(|(_, words)| format!("not provable: {words}"))
    }

    fn words(&self, why: String) -> Vec<String> {
        std::iter::once(why).chain(self.unsaid()).collect()
    }
}

impl<'s> Prover<'s> {
    /// `key`: the ARN of the key that the policies are of; `None` for whatever key.
    pub fn new(solver: &'s Solver, key: Option<&str>) -> Self {
        Self { solver, engine: PolicyEngine::new(), key: key.map(str::to_owned) }
    }

    /// Whether `new` allows nothing on a key that `old` does not. `actions`: all those of KMS on a key unless said.
    ///
    /// # Errors
    /// A policy is malformed.
    pub fn no_new_access(
        &self,
        old: &str,
        new: &str,
        actions: Option<&[String]>,
        surroundings: Surroundings,
    ) -> Result<Verdict, PolicyError> {
        let (old, new) = (Read::key_policy(old)?, Read::key_policy(new)?);
        let spelled = spelled(&[old.text, new.text]);
        let mut unknown = Vec::new();
        for action in classes(&[&old.document, &new.document], actions) {
            let parties = vec![old.party(Some(action), false), new.party(Some(action), true)];
            if let [before, after] = parties.as_slice()
                && before.side == after.side
            {
                continue;
            }
            match self.ask(action, parties, surroundings, Vec::new(), &spelled) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    return Ok(Verdict::Refuted(Box::new(shown(
                        witness,
                        new.text,
                        Layer::KeyPolicy,
                    ))));
                }
                Err(why) => {
                    unknown.push(format!("{action}: {why}"));
                    unknown.extend(old.unsaid().chain(new.unsaid()));
                }
            }
        }
        Ok(verdict(unknown))
    }

    /// Whether nobody but these can ever perform the actions on a key with this policy, whatever policies of
    /// principals say; grants aside.
    ///
    /// # Errors
    /// The policy is malformed, or a principal is none.
    pub fn only(
        &self,
        policy: &str,
        principals: &[String],
        actions: &[String],
    ) -> Result<Verdict, PolicyError> {
        let bound = only_these(principals);
        self.no_new_access(&bound, policy, Some(actions), Surroundings::Willing)
    }

    /// Whether nobody but these can ever perform the action on a key with this policy, where nobody has identity
    /// policies but the holders, and there are no grants. What holders' boundaries refuse may be left unknown.
    ///
    /// # Errors
    /// A policy is malformed, or a principal is none.
    pub fn never(
        &self,
        policy: &str,
        action: &str,
        except: &[String],
        holders: &[Holder],
    ) -> Result<Verdict, PolicyError> {
        let bound = only_these(except);
        let (bound, read) = (Read::key_policy(&bound)?, Read::key_policy(policy)?);
        let mut texts = vec![policy];
        texts.extend(holders.iter().flat_map(|one| &one.identity).map(String::as_str));
        let spelled = spelled(&texts);
        let named = holders.iter().filter(|one| !except.contains(&one.arn)).map(Some);
        for holder in std::iter::once(None).chain(named) {
            let mut sides = Vec::new();
            for text in holder.iter().flat_map(|one| &one.identity) {
                let document = SymbolicDocument::read(text, PolicyKind::Identity)?;
                sides.push(Side::of(&document, Some(action), None));
            }
            let inquiry = Inquiry {
                action: Some(action),
                target: Target::Key(self.key.clone()),
                across: is_across(action),
                surroundings: Surroundings::Named,
                parties: vec![bound.party(Some(action), false), read.party(Some(action), true)],
                holder: holder.map(|holder| (holder, sides)),
                also: Vec::new(),
                spelled: &spelled,
            };
            match inquiry.seek(self.solver, &self.engine) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    let found = shown(witness, policy, Layer::KeyPolicy);
                    return Ok(Verdict::Refuted(Box::new(found)));
                }
                Err(why) => return Ok(Verdict::Unknown(read.words(why))),
            }
        }
        Ok(Verdict::Proved)
    }

    /// Whether the actions are never allowed to a request that does not meet `condition`, written as the
    /// `Condition` of a statement; grants aside.
    ///
    /// # Errors
    /// The policy or the condition is malformed.
    pub fn never_without(
        &self,
        policy: &str,
        condition: &Json,
        actions: &[String],
    ) -> Result<Verdict, PolicyError> {
        let bound = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition,
        }]});
        self.no_new_access(&bound.to_string(), policy, Some(actions), Surroundings::Willing)
    }

    /// Whether a key policy allows none of the actions on any of the resources, whatever policies of principals
    /// say. No actions are all actions, and no resources are all resources.
    ///
    /// # Errors
    /// The policy, an action or a resource is malformed.
    pub fn not_granted(
        &self,
        policy: &str,
        actions: &[String],
        resources: &[String],
    ) -> Result<Verdict, PolicyError> {
        let bound = all_but(actions, resources, Some("*"));
        self.no_new_access(&bound, policy, None, Surroundings::Willing)
    }

    /// The same of an identity policy by itself.
    ///
    /// # Errors
    /// As [`Self::not_granted`].
    pub fn not_granted_to_identity(
        &self,
        policy: &str,
        actions: &[String],
        resources: &[String],
    ) -> Result<Verdict, PolicyError> {
        self.no_new_access_of_identity(&all_but(actions, resources, None), policy)
    }

    /// Whether a key policy allows nothing to strangers: principals of accounts that it does not name, whose
    /// requests carry none of the condition keys that tie a request to somebody known.
    ///
    /// # Errors
    /// The policy is malformed.
    pub fn no_public_access(&self, policy: &str) -> Result<Verdict, PolicyError> {
        let read = Read::key_policy(policy)?;
        let spelled = spelled(&[policy]);
        let mut unknown = Vec::new();
        for action in classes(&[&read.document], None) {
            let party = read.party(Some(action), true);
            let strangers = strangers(&Vocabulary::of(party.side.formulas()));
            match self.ask(action, vec![party], Surroundings::Willing, strangers, &spelled) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    return Ok(Verdict::Refuted(Box::new(shown(
                        witness,
                        policy,
                        Layer::KeyPolicy,
                    ))));
                }
                Err(why) => unknown.extend(read.words(format!("{action}: {why}"))),
            }
        }
        Ok(verdict(unknown))
    }

    /// Whether somebody can still change the policy of a key that has this one.
    ///
    /// # Errors
    /// The policy is malformed.
    pub fn repairable(&self, policy: &str) -> Result<Repair, PolicyError> {
        const ACTION: &str = "kms:PutKeyPolicy";
        let read = Read::key_policy(policy)?;
        let spelled = spelled(&[policy]);
        // The root user of the owner's account is always there; users and roles may not be.
        let root = "(and c_root (= c_account r_account))".to_owned();
        let ask = |allows, mut also: Vec<String>| {
            let party = read.party(Some(ACTION), allows);
            // What such a request never carries helps nobody.
            let vocabulary = Vocabulary::of(party.side.formulas());
            let uncarried = vocabulary.keys.iter().filter(|(name, _)| !can_carry(ACTION, name));
            also.extend(uncarried.map(|(_, key)| format!("(not {})", constant(key.place, "p"))));
            self.ask(ACTION, vec![party], Surroundings::Willing, also, &spelled)
        };
        let found = match ask(true, vec![root.clone()]) {
            Ok(None) => ask(true, Vec::new()),
            other => other,
        };
        let witness = match found {
            Ok(Some(witness)) => witness,
            Ok(None) => return Ok(Repair::Impossible),
            Err(why) => return Ok(Repair::Unknown(read.words(why))),
        };
        // Of others than the root user it is not known whether they are there.
        let account = crate::request::account_in(&witness.caller).unwrap_or_default();
        let owner = format!("(= r_account \"{account}\")");
        let always =
            witness.caller.ends_with(":root") && matches!(ask(false, vec![root, owner]), Ok(None));
        Ok(Repair::Possible { by: Box::new(shown(witness, policy, Layer::KeyPolicy)), always })
    }

    /// What each statement of a key policy is good for, taken alone.
    ///
    /// # Errors
    /// The policy is malformed.
    pub fn statements(&self, policy: &str) -> Result<Vec<StatementUse>, PolicyError> {
        let read = Read::key_policy(policy)?;
        let spelled = spelled(&[policy]);
        let used = read.document.statements.iter().map(|statement| StatementUse {
            index: statement.index,
            sid: statement.sid.clone(),
            allow: statement.allow,
            used: self.used(&read, statement.index, &spelled),
        });
        Ok(used.collect())
    }

    fn used(
        &self,
        read: &Read<'_>,
        index: usize,
        spelled: &BTreeMap<String, String>,
    ) -> Result<Use, Vec<String>> {
        let Some(statement) = read.document.statements.get(index) else {
            return Err(vec!["there is no such statement".to_owned()]);
        };
        if statement.when.is_empty() {
            return Ok(Use::Dead);
        }
        let covered: Vec<&str> = classes(&[&read.document], None)
            .into_iter()
            .filter(|one| statement.covers(one))
            .collect();
        let mut dead = true;
        let shortened = without(read.text, index);
        for action in covered {
            let mut alone = read.document.clone();
            alone.statements.retain(|one| one.index == index);
            alone.statements.iter_mut().for_each(|one| one.allow = true);
            dead = dead && self.is_dead(&alone, action).map_err(|why| read.words(why))?;
            let whole = Party {
                text: read.text,
                side: Side::of(&read.document, Some(action), None),
                allows: statement.allow,
            };
            let less = Party {
                text: &shortened,
                side: Side::of(&read.document, Some(action), Some(index)),
                allows: !statement.allow,
            };
            if whole.side == less.side {
                continue;
            }
            let asked = self.ask(action, vec![whole, less], Surroundings::Any, Vec::new(), spelled);
            if asked.map_err(|why| read.words(why))?.is_some() {
                return Ok(Use::Needed);
            }
        }
        Ok(if dead { Use::Dead } else { Use::Redundant })
    }

    /// Whether no request about the action matches the one statement.
    fn is_dead(&self, alone: &SymbolicDocument, action: &str) -> Result<bool, String> {
        let side = Side::of(alone, Some(action), None);
        let any = [side.session, side.entity, side.account, side.plain];
        let any = keyward_policy::symbolic::Formula::any(any);
        let vocabulary = Vocabulary::of([&any]);
        let target = Target::Key(self.key.clone());
        let mut script = crate::request::declare(&vocabulary, &target, false)?;
        let term = crate::encode::term(&any, &vocabulary)?;
        script.push_str(&format!("(assert {term})\n"));
        let mut session = self.solver.open()?;
        session.tell(&script)?;
        Ok(session.check(&[])? == crate::solver::Answer::Unsat)
    }

    fn ask(
        &self,
        action: &str,
        parties: Vec<Party<'_>>,
        surroundings: Surroundings,
        also: Vec<String>,
        spelled: &BTreeMap<String, String>,
    ) -> Result<Option<Witness>, String> {
        let inquiry = Inquiry {
            action: Some(action),
            target: Target::Key(self.key.clone()),
            across: is_across(action),
            surroundings,
            parties,
            holder: None,
            also,
            spelled,
        };
        inquiry.seek(self.solver, &self.engine)
    }

    /// Whether an identity policy by itself allows nothing that another does not: of any action on anything.
    ///
    /// # Errors
    /// A policy is malformed.
    pub fn no_new_access_of_identity(&self, old: &str, new: &str) -> Result<Verdict, PolicyError> {
        let read = |text| SymbolicDocument::read(text, PolicyKind::Identity);
        let (before, after) = (read(old)?, read(new)?);
        let parties = vec![
            Party { text: old, side: Side::of(&before, None, None), allows: false },
            Party { text: new, side: Side::of(&after, None, None), allows: true },
        ];
        let inquiry = Inquiry {
            action: None,
            target: Target::Anything,
            across: false,
            surroundings: Surroundings::Willing,
            parties,
            holder: None,
            // What a user may do by itself: other callers are what their own policies make them.
            also: vec!["c_user".to_owned()],
            spelled: &spelled(&[old, new]),
        };
        Ok(match inquiry.seek(self.solver, &self.engine) {
            Ok(None) => Verdict::Proved,
            Ok(Some(witness)) => {
                let mut found = shown(witness, new, Layer::IdentityPolicy);
                if let Some(vector) = found.vector.as_object_mut() {
                    vector.insert("identity".to_owned(), json(new));
                }
                Verdict::Refuted(Box::new(found))
            }
            Err(why) => {
                let unsaid = before.unsaid.iter().chain(&after.unsaid);
                let unsaid = unsaid.map(|(_, words)| format!("not provable: {words}"));
                verdict(std::iter::once(why).chain(unsaid).collect())
            }
        })
    }
}

/// A policy that allows everything to these principals, and nothing to anybody else.
fn only_these(principals: &[String]) -> String {
    let (services, others): (Vec<&String>, Vec<&String>) =
        principals.iter().partition(|name| name.contains('.') && !name.contains(':'));
    let mut named = Map::new();
    if !others.is_empty() {
        named.insert("AWS".to_owned(), json!(others));
    }
    if !services.is_empty() {
        named.insert("Service".to_owned(), json!(services));
    }
    let statement = if named.is_empty() {
        json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    } else {
        json!({"Effect": "Allow", "Principal": named, "Action": "*", "Resource": "*"})
    };
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A policy that allows everything but these actions on these resources.
fn all_but(actions: &[String], resources: &[String], principal: Option<&str>) -> String {
    let allow = |element: &str, listed: &[String]| {
        let mut statement = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        if let Some(members) = statement.as_object_mut() {
            members.remove(element.strip_prefix("Not").unwrap_or(element));
            members.insert(element.to_owned(), json!(listed));
            members.extend(principal.map(|one| ("Principal".to_owned(), one.into())));
        }
        statement
    };
    let mut statements = Vec::new();
    if !actions.is_empty() {
        statements.push(allow("NotAction", actions));
    }
    if !resources.is_empty() {
        statements.push(allow("NotResource", resources));
    }
    if statements.is_empty() {
        statements.push(allow("NotAction", &["*".to_owned()]));
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// Condition keys that tie a request to somebody, or to a place, that a policy knows.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-concepts.html>
const TIES: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:vpcsourceip",
    "kms:viaservice",
];

fn strangers(vocabulary: &Vocabulary) -> Vec<String> {
    let mut also = vec!["(not c_service)".to_owned(), "(not (= c_account r_account))".to_owned()];
    let known = vocabulary.callers.iter().map(String::as_str);
    let mut accounts: BTreeSet<&str> =
        known.map(|name| crate::request::account_in(name).unwrap_or(name)).collect();
    for (name, key) in &vocabulary.keys {
        match name.as_str() {
            "aws:principalaccount" | "kms:calleraccount" => {
                accounts.extend(key.texts.iter().map(String::as_str));
            }
            "aws:userid" => also.extend(
                key.texts
                    .iter()
                    .filter_map(|id| crate::smt::text(id).ok())
                    .map(|id| format!("(not (= {} {id}))", constant(key.place, "t"))),
            ),
            tie if TIES.contains(&tie) => also.push(format!("(not {})", constant(key.place, "p"))),
            _ => {}
        }
    }
    let text = accounts.into_iter().filter_map(|account| crate::smt::text(account).ok());
    also.extend(text.map(|account| format!("(not (= c_account {account}))")));
    also
}

fn verdict(reasons: Vec<String>) -> Verdict {
    let mut unknown: Vec<String> = Vec::new();
    for why in reasons {
        if !unknown.contains(&why) {
            unknown.push(why);
        }
    }
    if unknown.is_empty() { Verdict::Proved } else { Verdict::Unknown(unknown) }
}

fn is_across(action: &str) -> bool {
    action
        .strip_prefix("kms:")
        .is_some_and(|operation| cross_account_operations().any(|one| one == operation))
}

/// One action for all that the documents cannot tell apart.
fn classes<'a>(documents: &[&SymbolicDocument], actions: Option<&'a [String]>) -> Vec<&'a str> {
    let asked: Vec<&'a str> = match actions {
        Some(actions) => actions.iter().map(String::as_str).collect(),
        None => KMS_ACTIONS
            .iter()
            .copied()
            .filter(|action| is_asked_of_key(action) == Some(true))
            .collect(),
    };
    let mut keys = BTreeSet::new();
    for (_, formula) in
        documents.iter().flat_map(|document| &document.statements).flat_map(|one| &one.when)
    {
        keys.extend(Vocabulary::of([formula]).keys.into_keys());
    }
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    for action in asked {
        let covered: Vec<bool> = documents
            .iter()
            .flat_map(|document| &document.statements)
            .map(|statement| statement.covers(action))
            .collect();
        let carried: Vec<bool> = keys.iter().map(|key| can_carry(action, key)).collect();
        let grantable = crate::inquiry::operation(action).is_some();
        if seen.insert((covered, carried, is_across(action), grantable)) {
            chosen.push(action);
        }
    }
    chosen
}

/// How documents write the names of condition keys, by their lower case.
fn spelled(texts: &[&str]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for text in texts {
        let Ok(Json::Object(root)) = serde_json::from_str(text) else { continue };
        let statements = match root.get("Statement") {
            Some(Json::Array(several)) => several.clone(),
            one => one.into_iter().cloned().collect(),
        };
        for statement in statements {
            let operators = statement.get("Condition").and_then(Json::as_object);
            let keys = operators.into_iter().flatten().filter_map(|(_, keys)| keys.as_object());
            for (key, _) in keys.flatten() {
                names.entry(key.to_lowercase()).or_insert_with(|| key.clone());
            }
        }
    }
    names
}

/// The policy with a statement that lacks its actions, and so has no effect.
fn without(text: &str, index: usize) -> String {
    let Ok(mut policy) = serde_json::from_str::<Json>(text) else { return text.to_owned() };
    let statements = policy.get_mut("Statement");
    let statement = match statements {
        Some(Json::Array(several)) => several.get_mut(index),
        one => one,
    };
    if let Some(Json::Object(members)) = statement {
        members.remove("Action");
        members.remove("NotAction");
    }
    policy.to_string()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn shown(witness: Witness, policy: &str, layer: Layer) -> Counterexample {
    let Witness { mut vector, mut decisions, caller } = witness;
    let mut notes = Vec::new();
    let action = vector.get("action").and_then(Json::as_str).unwrap_or_default().to_owned();
    let stated = vector.get("context").and_then(Json::as_object).into_iter().flatten();
    for (name, value) in stated {
        if !can_carry(&action, &name.to_lowercase()) && *value != json!([]) {
            notes.push(format!("on AWS, requests of {action} do not carry {name}"));
        }
    }
    if vector.contains_key("encryptionContext") && !can_carry(&action, "kms:encryptioncontextkeys")
    {
        notes.push(format!("on AWS, requests of {action} carry no encryption context"));
    }
    // The parties are the one compared with, and the one in question.
    let decision = decisions.pop();
    let before = decisions.pop();
    if !vector.contains_key("keyPolicy") {
        vector.insert("keyPolicy".to_owned(), json(policy));
    }
    let decision = decision.unwrap_or_else(|| unasked(&action));
    let outcomes = decision.layers.iter().filter(|outcome| outcome.layer == layer);
    let allowing = outcomes.flat_map(|outcome| &outcome.matched).filter(|one| one.allow);
    let allowing = allowing.map(|one| (one.index, one.sid.clone())).collect();
    Counterexample { action, caller, vector: vector.into(), decision, before, allowing, notes }
}

fn unasked(action: &str) -> Decision {
    Decision {
        effect: keyward_types::Effect::ImplicitDeny,
        reason: Reason::EvaluationFailed,
        rule: 0,
        action: action.to_owned(),
        resource: String::new(),
        layers: Vec::new(),
        remedies: Vec::new(),
        observed: Vec::new(),
    }
}
