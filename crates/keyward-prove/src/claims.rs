//! What can be claimed of policies, each as questions to the solver.
//!
//! Two claims are a comparison in disguise: "only these principals" says that a policy allows nothing beyond one
//! that allows these, and "never without this condition" nothing beyond one that allows everybody under it.

use crate::{
    around::{Around, Organization},
    compose::Side,
    inquiry::{Holder, Inquiry, Party, Surroundings, Witness},
    request::{Target, Vocabulary, constant},
    solver::Solver,
    written::{account_of_root, all_but, only_these, spelled, without},
};
use keyward_policy::{
    KMS_ACTIONS, PolicyEngine, PolicyError, PolicyKind, is_asked_of_key,
    symbolic::{SymbolicDocument, can_carry},
    vectors::cross_account_operations,
};
use keyward_types::{Decision, Layer, Reason};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Proves claims about policies.
#[derive(Debug)]
pub struct Prover<'s> {
    solver: &'s Solver,
    engine: PolicyEngine,
    key: Option<String>,
    around: Around,
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

    fn party(&self, action: &str, allows: bool) -> Party<'t> {
        let side = Side::of(&self.document, Some(action), None);
        Party { text: self.text, side, grants: true, allows }
    }

    /// A policy that stands for a claim: nothing but it allows.
    fn bound(&self, action: &str) -> Party<'t> {
        Party { grants: false, ..self.party(action, false) }
    }

    /// What has no exact form.
    fn unsaid(&self) -> impl Iterator<Item = String> {
        self.document.unsaid.iter().map(|(_, words)| format!("not provable: {words}"))
    }
}

impl<'s> Prover<'s> {
    /// `key`: the ARN of the key that the policies are of; `None` for whatever key.
    pub fn new(solver: &'s Solver, key: Option<&str>) -> Self {
        let (engine, key) = (PolicyEngine::new(), key.map(str::to_owned));
        Self { solver, engine, key, around: Around::default() }
    }

    /// The same with an organization around callers and keys.
    ///
    /// # Errors
    /// A policy is malformed.
    pub fn within(mut self, organization: &Organization) -> Result<Self, PolicyError> {
        self.around.set_organization(organization)?;
        Ok(self)
    }

    /// The same where the grants on the key are these, as decision vectors have them, and no others.
    ///
    /// # Errors
    /// A grant is not understood, or it is not said which key the policies are of.
    pub fn granting(mut self, grants: &[Json]) -> Result<Self, String> {
        let key = self.key.as_deref().ok_or("grants are on a key, and none is named")?;
        self.around.set_grants(grants, key)?;
        Ok(self)
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
        self.compare(old, new, actions, surroundings, true)
    }

    /// `grants`: they count under `old` too.
    fn compare(
        &self,
        old: &str,
        new: &str,
        actions: Option<&[String]>,
        surroundings: Surroundings,
        grants: bool,
    ) -> Result<Verdict, PolicyError> {
        let (old, new) = (Read::key_policy(old)?, Read::key_policy(new)?);
        let spelled = self.spelled(&[old.text, new.text]);
        let mut unknown = Vec::new();
        for action in self.classes(&[&old.document, &new.document], actions) {
            let before = if grants { old.party(action, false) } else { old.bound(action) };
            let after = new.party(action, true);
            if before.side == after.side && (grants || self.around.granted(action).is_none()) {
                continue;
            }
            match self.ask(action, vec![before, after], surroundings, Vec::new(), &spelled) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    let found = shown(witness, new.text, Layer::KeyPolicy);
                    return Ok(Verdict::Refuted(Box::new(found)));
                }
                Err(why) => {
                    unknown.push(format!("{action}: {why}"));
                    unknown.extend(old.unsaid().chain(new.unsaid()).chain(self.unsaid()));
                }
            }
        }
        Ok(verdict(unknown))
    }

    /// How the documents in question, and those around them, write condition keys.
    fn spelled(&self, texts: &[&str]) -> BTreeMap<String, String> {
        let around = self.around.texts();
        let mut names = spelled(&texts.iter().copied().chain(around).collect::<Vec<_>>());
        for name in self.around.context_names() {
            let key = format!("kms:EncryptionContext:{name}");
            names.entry(key.to_lowercase()).or_insert(key);
        }
        names
    }

    /// What has no exact form in what stands around.
    fn unsaid(&self) -> impl Iterator<Item = String> {
        let unsaid = self.around.documents().flat_map(|document| &document.unsaid);
        unsaid.map(|(_, words)| format!("not provable: {words}"))
    }

    fn words(&self, read: &Read<'_>, why: String) -> Vec<String> {
        std::iter::once(why).chain(read.unsaid()).chain(self.unsaid()).collect()
    }

    /// Whether nobody but these can ever perform the actions on a key with this policy, whatever policies of
    /// principals say; grants aside that are not given.
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
        self.compare(&bound, policy, Some(actions), Surroundings::Willing, false)
    }

    /// Whether nobody but these can ever perform the action on a key with this policy, where nobody has identity
    /// policies but the holders, and there are no grants but those that are given. What holders' boundaries refuse may
    /// be left unknown.
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
        // A policy that names a root user names its whole account; here the user alone is meant.
        let (roots, others): (Vec<&String>, Vec<&String>) =
            except.iter().partition(|name| account_of_root(name).is_some());
        let roots = roots.into_iter().filter_map(|name| account_of_root(name));
        let roots: Vec<String> = roots
            .map(|account| format!("(not (and c_root (= c_account \"{account}\")))"))
            .collect();
        let bound = only_these(&others.into_iter().cloned().collect::<Vec<_>>());
        let (bound, read) = (Read::key_policy(&bound)?, Read::key_policy(policy)?);
        let mut texts = vec![policy];
        texts.extend(holders.iter().flat_map(|one| &one.identity).map(String::as_str));
        let spelled = self.spelled(&texts);
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
                around: &self.around,
                parties: vec![bound.bound(action), read.party(action, true)],
                holder: holder.map(|holder| (holder, sides)),
                also: roots.clone(),
                spelled: &spelled,
            };
            match inquiry.seek(self.solver, &self.engine) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    let found = shown(witness, policy, Layer::KeyPolicy);
                    return Ok(Verdict::Refuted(Box::new(found)));
                }
                Err(why) => return Ok(Verdict::Unknown(self.words(&read, why))),
            }
        }
        Ok(Verdict::Proved)
    }

    /// Whether the actions are never allowed to a request that does not meet `condition`, written as the
    /// `Condition` of a statement; grants aside that are not given.
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
        self.compare(&bound.to_string(), policy, Some(actions), Surroundings::Willing, false)
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
        self.compare(&bound, policy, None, Surroundings::Willing, false)
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
        let spelled = self.spelled(&[policy]);
        let mut unknown = Vec::new();
        for action in self.classes(&[&read.document], None) {
            let party = read.party(action, true);
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
                Err(why) => unknown.extend(self.words(&read, format!("{action}: {why}"))),
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
        let spelled = self.spelled(&[policy]);
        // The root user of the owner's account is always there; users and roles may not be.
        let root = "(and c_root (= c_account r_account))".to_owned();
        let ask = |allows, mut also: Vec<String>| {
            let party = read.party(ACTION, allows);
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
            Err(why) => return Ok(Repair::Unknown(self.words(&read, why))),
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
        let spelled = self.spelled(&[policy]);
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
        let covered: Vec<&str> = self
            .classes(&[&read.document], None)
            .into_iter()
            .filter(|one| statement.covers(one))
            .collect();
        let mut dead = true;
        let shortened = without(read.text, index);
        for action in covered {
            let mut alone = read.document.clone();
            alone.statements.retain(|one| one.index == index);
            alone.statements.iter_mut().for_each(|one| one.allow = true);
            dead = dead && self.is_dead(&alone, action).map_err(|why| self.words(read, why))?;
            let whole = Party {
                text: read.text,
                side: Side::of(&read.document, Some(action), None),
                grants: true,
                allows: statement.allow,
            };
            let less = Party {
                text: &shortened,
                side: Side::of(&read.document, Some(action), Some(index)),
                grants: true,
                allows: !statement.allow,
            };
            if whole.side == less.side {
                continue;
            }
            let asked = self.ask(action, vec![whole, less], Surroundings::Any, Vec::new(), spelled);
            if asked.map_err(|why| self.words(read, why))?.is_some() {
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

    /// One action for all that the documents and grants cannot tell apart.
    fn classes<'a>(
        &self,
        documents: &[&SymbolicDocument],
        actions: Option<&'a [String]>,
    ) -> Vec<&'a str> {
        let asked: Vec<&'a str> = match actions {
            Some(actions) => actions.iter().map(String::as_str).collect(),
            None => KMS_ACTIONS
                .iter()
                .copied()
                .filter(|action| is_asked_of_key(action) == Some(true))
                .collect(),
        };
        let documents: Vec<&SymbolicDocument> =
            documents.iter().copied().chain(self.around.documents()).collect();
        let statements = || documents.iter().copied().flat_map(|document| &document.statements);
        let mut keys = BTreeSet::new();
        for (_, formula) in statements().flat_map(|one| &one.when) {
            keys.extend(Vocabulary::of([formula]).keys.into_keys());
        }
        let mut seen = Vec::new();
        let mut chosen = Vec::new();
        for action in asked {
            let covered: Vec<bool> =
                statements().map(|statement| statement.covers(action)).collect();
            let carried: Vec<bool> = keys.iter().map(|key| can_carry(action, key)).collect();
            let grantable = crate::inquiry::operation(action).is_some();
            let granted = self.around.granted(action);
            // Resource control policies know it by name.
            let named = action == "kms:RetireGrant" && self.around.limits(action).is_some();
            let class = (covered, carried, is_across(action), grantable, granted, named);
            if !seen.contains(&class) {
                seen.push(class);
                chosen.push(action);
            }
        }
        chosen
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
            around: &self.around,
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
        let party = |text, document, allows| Party {
            text,
            side: Side::of(document, None, None),
            grants: false,
            allows,
        };
        let parties = vec![party(old, &before, false), party(new, &after, true)];
        let around = Around::default();
        let inquiry = Inquiry {
            action: None,
            target: Target::Anything,
            across: false,
            surroundings: Surroundings::Willing,
            around: &around,
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
