//! Asking without doing: what a principal may, decided by the very code that decides requests.
//!
//! A hypothetical caller is made without credentials (`principal.rs`), the facts that the asker states take the
//! place of those that a request would bring, and [`Asking`] does the rest. `candidates.rs` lists who may be
//! able to use a key; `simulator.rs` is IAM's own simulator.
//!
//! It changes no state and touches no key material. What it reads may move meanwhile: an answer is of the moment.
//!
//! INVARIANT (P6): of another account's key nobody learns here what a request would not tell.

pub(crate) mod candidates;
pub(crate) mod principal;
pub(crate) mod simulator;

use crate::{
    Engine, OPERATIONS,
    authorize::{Asking, Ruling, is_owners, target_facts},
    layers::Layers,
    operation::{Service, Spec, Subject, Target},
    resolve::{Found, resolve},
    shape::{Kind, Member, optional, required, text},
};
use keyward_policy::{Facts, KMS_ACTIONS, Question, Values, is_condition_key};
use keyward_types::{
    AccountId, Caller, EncryptionContext, ErrorCode, GrantConstraints, GrantId, GrantOperation,
    GrantRecord, Grantee, KeyRef, KmsError,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

pub(crate) const ACTION_KIND: Kind = text(3, 128);
pub(crate) const CONTEXT: Member =
    optional("Context", Kind::List { of: &Kind::Structure(ENTRY), min: 0, max: 64 });
const ENTRY: &[Member] = &[
    required("Name", text(3, 512)),
    required("Values", Kind::List { of: &text(0, 4_096), min: 0, max: 64 }),
];

/// Condition keys whose values a request itself brings, in lower case.
const BROUGHT: &[&str] = &[
    "kms:bypasspolicylockoutsafetycheck",
    "kms:datakeypairspec",
    "kms:encryptionalgorithm",
    "kms:encryptioncontextkeys",
    "kms:grantconstraintsourcearn",
    "kms:grantconstrainttype",
    "kms:granteeprincipal",
    "kms:granteeserviceprincipal",
    "kms:grantoperations",
    "kms:keyagreementalgorithm",
    "kms:macalgorithm",
    "kms:messagetype",
    "kms:policyname",
    "kms:reencryptonsamekey",
    "kms:requestalias",
    "kms:retiringprincipal",
    "kms:retiringserviceprincipal",
    "kms:rotationperiodindays",
    "kms:schedulekeydeletionpendingwindowindays",
    "kms:signingalgorithm",
];

/// What a caller knows of its own way to the service.
const OWN_WAY: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceip",
    "aws:tagkeys",
    "aws:useragent",
];

/// A condition key and what the asker says of it; no values say that it is absent.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) values: Vec<String>,
}

impl Entry {
    /// Whether a request itself brings the value.
    fn is_brought(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        BROUGHT.contains(&name.as_str()) || name.starts_with("kms:encryptioncontext:")
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn stated(&self) -> Values {
        match self.values.as_slice() {
            [one] => Values::One(one.clone()),
            many => Values::Many(many.to_vec()),
        }
    }
}

/// The facts that an asker states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated<'i> {
    pub(crate) encryption_context: Option<&'i EncryptionContext>,
    pub(crate) context: &'i [Entry],
}

impl<'i> Stated<'i> {
    /// Checks what the asker states: a fact that no policy could look at would be ignored in silence.
    pub(crate) fn of(
        encryption_context: Option<&'i EncryptionContext>,
        context: &'i [Entry],
    ) -> Result<Self, KmsError> {
        for (place, entry) in context.iter().enumerate() {
            let name = entry.name.as_str();
            if !is_condition_key(name) {
                return Err(KmsError::validation(format!("{name} is no condition key")));
            }
            if name.to_ascii_lowercase().starts_with("kms:encryptioncontext") {
                return Err(KmsError::validation(format!(
                    "{name} follows from EncryptionContext: state the pairs there"
                )));
            }
            if context.iter().skip(place + 1).any(|other| other.is(name)) {
                return Err(KmsError::validation(format!("{name} is stated twice")));
            }
        }
        Ok(Self { encryption_context, context })
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.context.iter().find(|entry| entry.is(name))?.values.first().map(String::as_str)
    }

    /// What a request with these facts would have from its way here.
    pub(crate) fn fill_origin(
        &self,
        engine: &Engine,
        asker: &Caller,
        caller: &mut Caller,
    ) -> Result<(), KmsError> {
        let origin = &mut caller.origin;
        if let Some(address) = self.one("aws:SourceIp") {
            address.clone_into(&mut origin.source_ip);
        }
        if let Some(agent) = self.one("aws:UserAgent") {
            agent.clone_into(&mut origin.user_agent);
        }
        if let Some(id) = self.one("aws:SourceVpce") {
            let endpoint = engine.store().endpoint(id).map_err(KmsError::internal)?;
            // Another account's endpoint is only a name here.
            if endpoint.is_some_and(|endpoint| endpoint.account == asker.account) {
                origin.trusted_facts.insert("aws:sourcevpce".to_owned(), id.to_owned());
            }
        }
        Ok(())
    }

    fn fill_facts<'f>(&self, facts: &mut Facts<'f>) {
        for entry in self
            .context
            .iter()
            .filter(|entry| !entry.is("aws:SourceIp") || self.one("aws:SourceVpce").is_none())
        {
            facts.replace(&entry.name, entry.stated());
        }
        // One time in two forms.
        let time = self.one("aws:CurrentTime").filter(|_| self.one("aws:EpochTime").is_none());
        if let Some(time) = time.and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok()) {
            facts.replace("aws:EpochTime", Values::One(time.timestamp().to_string()));
        }
    }

    /// Of another account's key only what a request itself brings may be asked: its account's policies are
    /// not to be tried out with facts that nobody can bring. It is the same whether or not the key exists.
    pub(crate) fn check_elsewhere(
        &self,
        asker: &Caller,
        key: Option<&KeyRef>,
    ) -> Result<(), KmsError> {
        let elsewhere = key.and_then(owner).is_some_and(|owner| *owner != asker.account);
        if elsewhere && !self.context.iter().all(Entry::is_brought) {
            return Err(KmsError::validation(
                "Of another account's key only kms: condition keys that a request brings may be stated",
            ));
        }
        Ok(())
    }

    /// Of itself a caller may ask only with facts that its requests bring, and of its way here: with others it
    /// would learn what policies say of somebody else.
    pub(crate) fn check_own(&self) -> Result<(), KmsError> {
        let own = |entry: &&Entry| {
            let name = entry.name.to_ascii_lowercase();
            entry.is_brought()
                || OWN_WAY.contains(&name.as_str())
                || name.starts_with("aws:requesttag/")
        };
        match self.context.iter().find(|entry| !own(entry)) {
            Some(entry) => Err(KmsError::validation(format!(
                "{} is not the caller's to state; Simulate asks with other facts",
                entry.name
            ))),
            None => Ok(()),
        }
    }

    /// The grant that a CreateGrant request with these facts would ask for.
    fn child(&self, caller: &Caller, key: &keyward_types::KeyName) -> Option<GrantRecord> {
        let operations = self.context.iter().find(|entry| entry.is("kms:GrantOperations"))?;
        let pairs = self.encryption_context.map(|context| context.0.clone());
        let (equals, subset) = match self.one("kms:GrantConstraintType") {
            Some("EncryptionContextEquals") => (pairs, None),
            Some("EncryptionContextSubset") => (None, pairs),
            _ => (None, None),
        };
        Some(GrantRecord {
            grant_id: GrantId::new(""),
            key: key.clone(),
            name: None,
            created: keyward_types::Timestamp::default(),
            grantee: Grantee::Principal(caller.arn.clone()),
            grantee_id: None,
            retiring: None,
            issuing_account: caller.account.clone(),
            operations: operations
                .values
                .iter()
                .filter_map(|name| GrantOperation::parse(name))
                .collect(),
            constraints: GrantConstraints {
                encryption_context_equals: equals,
                encryption_context_subset: subset,
                source_arn: self.one("kms:GrantConstraintSourceArn").map(str::to_owned),
            },
        })
    }
}

/// The account that a key's ARN or an alias's names.
fn owner(key: &KeyRef) -> Option<&AccountId> {
    match key {
        KeyRef::Arn(name) => Some(&name.account),
        KeyRef::AliasArn { account, .. } => Some(account),
        KeyRef::Id(_) | KeyRef::Alias(_) | KeyRef::Malformed(_) => None,
    }
}

/// Operations on no key; the rest of KMS's actions are on one.
pub(crate) const ON_NO_KEY: &[&str] = &[
    "kms:ConnectCustomKeyStore",
    "kms:CreateCustomKeyStore",
    "kms:CreateKey",
    "kms:DeleteCustomKeyStore",
    "kms:DescribeCustomKeyStores",
    "kms:DisconnectCustomKeyStore",
    "kms:GenerateRandom",
    "kms:ListAliases",
    "kms:ListKeys",
    "kms:ListRetirableGrants",
    "kms:UpdateCustomKeyStore",
];

/// An action that can be asked about, in its own spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) name: String,
    pub(crate) on_key: bool,
    /// Whether AWS offers it to principals of other accounts.
    cross_account: bool,
}

impl Action {
    /// `kms:Decrypt`, in any case; `Decrypt` is one of KMS.
    pub(crate) fn parse(text: &str) -> Result<Self, KmsError> {
        let full = if text.contains(':') { text.to_owned() } else { format!("kms:{text}") };
        let known = KMS_ACTIONS.iter().find(|action| action.eq_ignore_ascii_case(&full));
        match known {
            Some(&"kms:RetireGrant") => Err(KmsError::validation(
                "kms:RetireGrant is decided by each grant: ListRetirableGrants tells which",
            )),
            Some(name) => Ok(Self::of_kms(name)),
            None if full.to_ascii_lowercase().starts_with("kms:") => {
                Err(KmsError::validation(format!("{text} is no action of KMS")))
            }
            None => Ok(Self { name: full, on_key: false, cross_account: false }),
        }
    }

    fn of_kms(name: &str) -> Self {
        let bare = name.strip_prefix("kms:").unwrap_or(name);
        // The two halves of one operation.
        let row = if bare.starts_with("ReEncrypt") { "ReEncrypt" } else { bare };
        let row = OPERATIONS
            .iter()
            .map(|operation| operation.spec())
            .find(|spec| spec.service == Service::Kms && spec.name == row);
        Self {
            name: name.to_owned(),
            on_key: !ON_NO_KEY.contains(&name),
            cross_account: row.is_some_and(|spec| spec.cross_account),
        }
    }

    /// Every action on keys that a principal's policies or grants decide.
    pub(crate) fn on_keys() -> Vec<Self> {
        KMS_ACTIONS
            .iter()
            .filter(|name| !matches!(**name, "kms:RetireGrant" | "kms:ExplainDecision"))
            .map(|name| Self::of_kms(name))
            .filter(|action| action.on_key)
            .collect()
    }
}

/// What a question is about: a key, another resource by ARN, or nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About<'i> {
    pub(crate) key: Option<&'i KeyRef>,
    pub(crate) resource: Option<&'i str>,
}

impl About<'_> {
    /// Looks it up as a request of `caller` would.
    pub(crate) fn find(
        &self,
        engine: &Engine,
        caller: &Caller,
        spec: &Spec,
        action: &Action,
    ) -> Result<Found, KmsError> {
        let subject = match (self.key, self.resource) {
            (Some(key), _) if action.on_key => Subject::Key(key),
            // By its ARN alone the key's own policy would be left out.
            (None, _) if action.on_key => {
                return Err(KmsError::validation(format!(
                    "{} is on a key; name it with KeyId",
                    action.name
                )));
            }
            (_, Some(arn)) => Subject::Other(arn.to_owned()),
            _ => Subject::Account,
        };
        resolve(engine, caller, spec, &Target::of(subject), &mut Vec::new())
    }
}

/// One question with everything that a request would bring.
pub(crate) struct Ask<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) caller: &'a Caller,
    pub(crate) layers: &'a Layers,
    pub(crate) stated: Stated<'a>,
    /// Grants supposed in the place of the key's own.
    pub(crate) grants: Option<&'a [Arc<GrantRecord>]>,
}

impl Ask<'_> {
    /// The decision that a request would get.
    pub(crate) fn rule(&self, action: &Action, found: &Found) -> Result<Ruling, KmsError> {
        let ruled = self.with(action, found, |asking, facts| {
            asking.rule(&action.name, found, facts, &mut Vec::new())
        });
        ruled?.ok_or_else(|| KmsError::internal("a question was about nothing"))
    }

    /// Puts the question of a request to `ask`.
    pub(crate) fn put<T>(
        &self,
        action: &Action,
        found: &Found,
        ask: impl FnOnce(&Question<'_>) -> T,
    ) -> Result<Option<T>, KmsError> {
        self.with(action, found, |asking, facts| {
            asking.ask(&action.name, found, facts, &mut Vec::new(), ask)
        })
    }

    fn with<T>(
        &self,
        action: &Action,
        found: &Found,
        ask: impl FnOnce(&Asking<'_>, &Facts<'_>) -> T,
    ) -> T {
        let Self { engine, caller, layers, stated, grants } = self;
        let context = stated.encryption_context;
        let mut facts = target_facts(layers, caller, found, context, engine.now());
        stated.fill_facts(&mut facts);
        let child = match found {
            Found::Key(key) if action.name == "kms:CreateGrant" => {
                stated.child(caller, &key.record.name)
            }
            _ => None,
        };
        let asking = Asking {
            engine,
            caller,
            cross_account: action.cross_account,
            layers,
            child: child.as_ref(),
            vouched: &[],
            supposed: *grants,
            observable: false,
        };
        ask(&asking, &facts)
    }
}

/// A decision as it is answered.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) allowed: bool,
    /// `Allow`, `ExplicitDeny` or `ImplicitDeny`.
    effect: Value,
    reason: Value,
    /// The reason in words.
    because: String,
    /// Condition keys that statements about the action read, and that were not stated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_context: Vec<String>,
    /// Layer by layer; for who may explain decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Value>,
}

/// The permission to see a decision layer by layer.
const EXPLAIN: &str = "keyward:ExplainDecision";

/// Whether the asker may see decisions layer by layer.
pub(crate) fn may_explain(engine: &Engine, asker: &Caller) -> Result<bool, KmsError> {
    engine.decide(asker, EXPLAIN).map(|decision| decision.allowed())
}

impl Answer {
    pub(crate) fn of(
        ask: &Ask<'_>,
        action: &Action,
        found: &Found,
        explain: bool,
    ) -> Result<Self, KmsError> {
        let Ruling { mut decision, .. } = ask.rule(action, found)?;
        let own = found.owner(ask.caller).is_none_or(|owner| *owner == ask.caller.account);
        if !own {
            // What the owner's policies say is the owner's.
            decision.layers.retain(|outcome| !is_owners(outcome.layer));
        }
        let missing = match own && explain {
            true => {
                ask.put(action, found, |question| ask.engine.world.policies.missing_keys(question))?
            }
            false => None,
        };
        let value = |value: serde_json::Result<Value>| value.map_err(KmsError::internal);
        Ok(Self {
            action: decision.action.clone(),
            resource: decision.resource.clone(),
            allowed: decision.allowed(),
            effect: value(serde_json::to_value(decision.effect))?,
            reason: value(serde_json::to_value(decision.reason))?,
            because: decision.because(),
            missing_context: missing.unwrap_or_default().into_iter().collect(),
            decision: explain.then(|| value(serde_json::to_value(&decision))).transpose()?,
        })
    }
}

/// A refusal for what is not of the asker's account, whether or not it exists.
pub(crate) fn not_yours(what: &str) -> KmsError {
    KmsError::new(
        ErrorCode::AccessDenied,
        format!("{what} is not of your account: what its own policies say is not yours to ask"),
    )
}
