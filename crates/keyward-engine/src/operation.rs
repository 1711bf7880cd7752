//! What an operation is: a row of data, and three functions.
//!
//! An operation never authorizes, checks state, writes or logs: the pipeline does, for all of them.
//! `run` starts from valid input and an authorized, fit key, and proposes changes through its [`Call`].

use crate::{call::Call, pipeline::Prepared, shape::Member};
use keyward_policy::Facts;
use keyward_types::{
    AliasName, Caller, EncryptionContext, ErrorCode, KeyRef, KeyState, KeyUsage, KmsError,
    MaterialOrigin, Region,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Which API an operation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Kms,
    Iam,
    Sts,
    AccessAnalyzer,
    /// What AWS has not: served through REST alone.
    Keyward,
}

impl Service {
    /// The prefix of its actions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kms => "kms",
            Self::Iam => "iam",
            Self::Sts => "sts",
            Self::AccessAnalyzer => "access-analyzer",
            Self::Keyward => "keyward",
        }
    }

    /// The service that a request's signing scope must name. Keyward's own operations are signed as those of
    /// KMS, so that one signer serves all of REST.
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Keyward => "kms",
            other => other.name(),
        }
    }
}

/// Control operations change keys; data operations use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    Control,
    Data,
}

/// The row: everything about an operation that is data.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub service: Service,
    /// `X-Amz-Target` suffix, IAM action, metric label and REST operationId.
    pub name: &'static str,
    pub plane: Plane,
    /// HTTP verb and path under which REST serves it; `{Member}` names an input member.
    pub route: (&'static str, &'static str),
    pub members: &'static [Member],
    /// States of its keys in which it works; empty when it names no key.
    pub states: &'static [KeyState],
    /// Usages of its keys for which it works; empty for any.
    pub usages: &'static [KeyUsage],
    /// Origins of its keys' material for which it works; empty for any.
    pub origins: &'static [MaterialOrigin],
    /// Whether `KeyId` may be an alias.
    pub aliases: bool,
    /// Whether AWS offers it to principals of other accounts.
    pub cross_account: bool,
    /// Whether a successful call counts as use of the key (GetKeyLastUsage).
    pub tracked: bool,
    /// CloudTrail's `readOnly`.
    pub read_only: bool,
    /// Input members that stand in the event's `requestParameters`; no others ever do.
    pub logged: &'static [&'static str],
    /// Modelled errors that it may answer beside the common ones.
    pub errors: &'static [ErrorCode],
}

impl Spec {
    pub fn has_member(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// Such as `kms:Decrypt`.
    pub fn action(&self) -> String {
        format!("{}:{}", self.service.name(), self.name)
    }
}

/// Something that a request is about, and that the caller must be allowed to act on.
#[derive(Clone, Debug)]
pub struct Target<'i> {
    pub subject: Subject<'i>,
    /// The action to authorize, when it is not the operation's own: `ReEncryptFrom`, or of another service
    /// `kms:DescribeKey`.
    pub action: Option<&'static str>,
    /// The encryption context that conditions and grant constraints see.
    pub context: Option<&'i EncryptionContext>,
    /// The Region that the action is about, when it is not the request's own: `aws:RequestedRegion`.
    pub region: Option<&'i Region>,
}

/// What a target names.
#[derive(Clone, Debug)]
pub enum Subject<'i> {
    Key(&'i KeyRef),
    /// The same multi-Region key in another Region.
    Related {
        key: &'i KeyRef,
        region: &'i Region,
    },
    /// The key that made a symmetric ciphertext; `claimed` is the request's own `KeyId`, compared with it.
    Ciphertext {
        blob: &'i [u8],
        claimed: Option<&'i KeyRef>,
    },
    /// The alias itself, allowed by identity policies.
    Alias(&'i AliasName),
    /// The key that an alias points to now.
    AliasTarget(&'i AliasName),
    /// A user of the caller's account; `None` means the caller itself.
    User(Option<&'i str>),
    /// A role of the caller's account.
    Role(&'i str),
    /// A group of the caller's account.
    Group(&'i str),
    /// A managed policy by its ARN. One of another account counts as absent.
    ManagedPolicy(&'i str),
    /// What a user (`user`) or group (`group`) of the caller's account is about to be called.
    Renamed {
        kind: &'static str,
        name: &'i str,
        new_path: Option<&'i str>,
        new_name: Option<&'i str>,
    },
    /// A `user`, `role`, `group` or `policy` of the caller's account that is about to be made.
    NewPrincipal {
        kind: &'static str,
        path: &'i str,
        name: &'i str,
    },
    /// A federated user of the caller's account.
    OwnFederated(&'i str),
    /// What is to be frozen or thawed, allowed by identity policies.
    Freezable(crate::freeze::Named<'i>),
    /// What is to be put in observe, or enforced again, allowed by identity policies.
    Observable(crate::observe::Observable<'i>),
    /// A resource that is no key, allowed by identity policies.
    Other(String),
    /// `*`, allowed by identity policies.
    Account,
    /// Needs no permission (`GetCallerIdentity`), or the operation asks the policy engine itself and
    /// leaves the answer for the event (`RetireGrant`, `AssumeRole`).
    Unchecked,
}

impl<'i> Target<'i> {
    pub const fn of(subject: Subject<'i>) -> Self {
        Self { subject, action: None, context: None, region: None }
    }

    pub const fn key(reference: &'i KeyRef) -> Self {
        Self::of(Subject::Key(reference))
    }

    pub const fn key_in_context(reference: &'i KeyRef, context: &'i EncryptionContext) -> Self {
        Self {
            subject: Subject::Key(reference),
            action: None,
            context: Some(context),
            region: None,
        }
    }
}

/// One operation of the API.
pub trait Operation: Sized + Send + Sync + 'static {
    const SPEC: Spec;
    type Input: DeserializeOwned + Send + 'static;
    type Output: Serialize;

    /// What the request is about, in the order in which `Call::key_at` numbers the keys.
    /// An error refuses the request before any key is looked up: what the table of members cannot say.
    fn targets(input: &Self::Input) -> Result<Vec<Target<'_>>, KmsError>;

    /// The condition keys of this request beyond those every request has (`authorization.md` names them
    /// per action; names are folded). `index` is the target's place.
    fn facts<'i>(_input: &'i Self::Input, _index: usize, _facts: &mut Facts<'i>) {}

    /// Condition keys that follow from the keys found, in the order of the targets; the same for each target.
    fn found_facts(
        _engine: &crate::Engine,
        _keys: &[&keyward_types::KeyRecord],
        _facts: &mut Facts<'_>,
    ) -> Result<(), KmsError> {
        Ok(())
    }

    /// The grant that the request asks for on this key: a caller who may ask only by a grant of its own
    /// may hand on no more than that. The grant's id and time are not set.
    fn child_grant(
        _input: &Self::Input,
        _caller: &Caller,
        _key: &keyward_types::KeyName,
    ) -> Option<keyward_types::GrantRecord> {
        None
    }

    fn run(call: &mut Call<'_>, input: &Self::Input) -> Result<Self::Output, KmsError>;

    /// The event's `responseElements`; `None` for reads and cryptography.
    fn response_elements(_call: &Call<'_>, _output: &Self::Output) -> Option<Value> {
        None
    }

    /// Whether this call asks another machine, and so may wait, whatever its keys. Cryptography with a key of
    /// an external key store does so anyway.
    fn remote(_input: &Self::Input) -> bool {
        false
    }

    /// Whether this call belongs on the CPU pool: RSA, key generation.
    fn heavy(_input: &Self::Input, key: Option<&keyward_types::KeyRecord>) -> bool {
        let heavy = |key: &keyward_types::KeyRecord| key.spec.is_rsa() || key.spec.is_ml_dsa();
        Self::SPEC.plane == Plane::Data && key.is_some_and(heavy)
    }
}

/// Answers 200 with an empty body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty;

impl Serialize for Empty {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// An operation of the table, whatever its types.
pub trait AnyOperation: Send + Sync {
    fn spec(&self) -> &'static Spec;

    /// Everything up to and including the state check, for the first time or once more.
    fn prepare(
        &self,
        engine: &std::sync::Arc<crate::Engine>,
        caller: &std::sync::Arc<Caller>,
        body: &[u8],
        attempt: u32,
    ) -> Prepared;
}

/// Makes a table entry of an operation's type.
pub struct Row<O>(pub core::marker::PhantomData<fn() -> O>);

impl<O: Operation> AnyOperation for Row<O> {
    fn spec(&self) -> &'static Spec {
        const { &O::SPEC }
    }

    fn prepare(
        &self,
        engine: &std::sync::Arc<crate::Engine>,
        caller: &std::sync::Arc<Caller>,
        body: &[u8],
        attempt: u32,
    ) -> Prepared {
        Prepared::new::<O>(engine, caller, body, attempt)
    }
}
