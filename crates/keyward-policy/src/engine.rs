//! The question's way to its decision.
//!
//! It reads no clock, no store and no environment. Documents are compiled once for each action and kept by
//! their digest.

use crate::{
    document::{Audience, DocumentKind, Parsed, Statement},
    error::Unevaluable,
    explain, freeze,
    grant::{Applying, GrantPolicy},
    guardrail::{self, Guardrails},
    keys,
    layers::Chorus,
    principal::{self, Standing},
    question::{Question, Resource},
    remedy::{self, Finding},
    request::{Base, World},
    table::{Tally, Verdict},
    translate::Slice,
};
use keyward_types::{
    Decision, Effect, Layer, LayerEffect, LayerOutcome, MatchKind, Matched, Reason,
    caller::Document,
};
use quick_cache::{Equivalent, Weighter, sync::Cache};
use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

/// Compiled slices expected; one is about 10 KB, and one of the largest documents about 10 MB.
const SLICES: usize = 16_384;
/// Bytes of compiled slices kept.
const SLICES_BYTES_MAX: u64 = 128 << 20;
/// Parsed documents expected, for actions that are not compiled yet and for explanations.
const DOCUMENTS: usize = 4_096;
/// Bytes of parsed documents kept.
const DOCUMENTS_BYTES_MAX: u64 = 128 << 20;
/// Pairs of caller and resource kept as entities; one is about 2 KB.
const BASES_MAX: usize = 4_096;

/// Decides questions. Cheap to share: everything in it is a cache.
pub struct PolicyEngine {
    slices: Cache<SliceKey, Arc<Slice>, Bytes>,
    documents: Cache<DocumentKey, Arc<Parsed>, Bytes>,
    bases: Cache<BaseKey, Arc<Base>>,
    pub(crate) grant_policy: Result<GrantPolicy, Unevaluable>,
    /// Each decision takes the set once; `None` where there are no guardrails.
    guardrails: RwLock<Option<Arc<Guardrails>>>,
    /// Evaluate whole documents instead of slices.
    whole: bool,
}

impl Default for PolicyEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for PolicyEngine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PolicyEngine").field("slices", &self.slices.len()).finish_non_exhaustive()
    }
}

impl PolicyEngine {
    pub fn new() -> Self {
        Self {
            slices: Cache::with_weighter(SLICES, SLICES_BYTES_MAX, Bytes),
            documents: Cache::with_weighter(DOCUMENTS, DOCUMENTS_BYTES_MAX, Bytes),
            bases: Cache::new(BASES_MAX),
            grant_policy: GrantPolicy::compile(false),
            guardrails: RwLock::new(None),
            whole: false,
        }
    }

    /// An engine that lets Cedar choose statements by action, slower and by another way. Tests compare the two.
    #[doc(hidden)]
    pub fn unsliced() -> Self {
        Self { whole: true, grant_policy: GrantPolicy::compile(true), ..Self::new() }
    }

    /// Puts a set of guardrails in the place of the one before; decisions under way keep theirs.
    pub fn replace_guardrails(&self, guardrails: Arc<Guardrails>) {
        let loaded = Some(guardrails).filter(|guardrails| !guardrails.is_empty());
        *self.guardrails.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    /// The guardrails that forbid what is asked; `None` where there are no guardrails.
    pub(crate) fn guarded(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<Vec<Matched>>, Unevaluable> {
        let set = self.guardrails.read().unwrap_or_else(PoisonError::into_inner).clone();
        set.map(|set| set.forbidding(question)).transpose()
    }

    /// The guardrails that may forbid an action, whatever facts a request brings.
    pub(crate) fn guardrails_about(&self, action: &str) -> Vec<Matched> {
        let set = self.guardrails.read().unwrap_or_else(PoisonError::into_inner).clone();
        set.map(|set| set.speaking(action)).unwrap_or_default()
    }

    /// Decides. What cannot be evaluated is refused, with [`Reason::EvaluationFailed`] and row 0.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        self.weigh(question).unwrap_or_else(|_| failed(question))
    }

    /// Decides as [`Self::decide`] does, and leaves out why not: for a refusal that is not told.
    pub fn decide_tersely(&self, question: &Question<'_>) -> Decision {
        self.hear(question).map_or_else(|_| failed(question), |hearing| outcome(question, &hearing))
    }

    fn weigh(&self, question: &Question<'_>) -> Result<Decision, Unevaluable> {
        let hearing = self.hear(question)?;
        self.conclude(question, &hearing, &|tried| Ok(self.hear(tried)?.finding(tried)))
    }

    /// What [`Self::decide`] would say, without the reasons.
    pub(crate) fn allows(&self, question: &Question<'_>) -> bool {
        self.hear(question).is_ok_and(|heard| heard.verdict(question).0 == Effect::Allow)
    }

    fn hear<'q>(&self, question: &Question<'q>) -> Result<Hearing<'q>, Unevaluable> {
        let (chorus, world) = self.listen(question)?;
        let policy = self.grant_policy.as_ref().map_err(Clone::clone)?;
        let grants = if question.resource.is_key() {
            policy.applying(question, &world)?
        } else {
            Vec::new()
        };
        let guarded = self.guarded(question)?;
        let tally = guardrail::weigh(tally(question, &chorus, &grants), guarded.as_deref());
        let tally = freeze::weigh(tally, question.frozen);
        Ok(Hearing { chorus, world, grants, guarded, tally })
    }

    /// The decision on what was heard; a refusal with its reasons and, unless it is itself only tried, with
    /// what would change it.
    pub(crate) fn conclude(
        &self,
        question: &Question<'_>,
        hearing: &Hearing<'_>,
        trial: remedy::Trial<'_>,
    ) -> Result<Decision, Unevaluable> {
        let mut decision = outcome(question, hearing);
        if !decision.allowed() {
            let Hearing { chorus, world, grants, .. } = hearing;
            explain::explain(self, question, chorus, world, grants, &mut decision)?;
            let finding = hearing.finding(question);
            decision.remedies = remedy::find(question, &decision, finding, trial);
        }
        Ok(decision)
    }

    /// Evaluates every layer of policies.
    pub(crate) fn listen<'q>(
        &self,
        question: &Question<'q>,
    ) -> Result<(Chorus<'q>, World), Unevaluable> {
        let ambiguous = keys::ambiguous_names(question);
        let mut chorus = Chorus::gather(self, question, !ambiguous.is_empty())?;
        let world = World::build(self.base(question)?, question, &chorus.needed(), &ambiguous)?;
        chorus.evaluate(&world)?;
        Ok((chorus, world))
    }

    /// The caller and the resource as entities, made once.
    pub(crate) fn base(&self, question: &Question<'_>) -> Result<Arc<Base>, Unevaluable> {
        let Standing { ty, id, behind, account } = principal::standing(question.caller);
        let wanted = BaseRef {
            ty,
            id,
            behind: behind.map(|(_, arn)| arn),
            account,
            resource: question.resource.arn(),
        };
        if let Some(base) = self.bases.get(&wanted) {
            return Ok(base);
        }
        let base = Arc::new(Base::build(question)?);
        let key = BaseKey {
            ty,
            id: id.into(),
            behind: wanted.behind.map(Box::from),
            account: account.map(Box::from),
            resource: wanted.resource.into(),
        };
        self.bases.insert(key, Arc::clone(&base));
        Ok(base)
    }

    /// What a document says to the caller about the action, compiled. What is only on trial is not kept.
    pub(crate) fn slice(
        &self,
        document: &Document,
        kind: DocumentKind,
        question: &Question<'_>,
        guard: bool,
        trial: bool,
    ) -> Result<Arc<Slice>, Unevaluable> {
        let action = question.action;
        if trial {
            let parsed = Parsed::parse(document.text(), kind)?;
            return Ok(Arc::new(Slice::compile(&parsed, kind, None, action, guard, self.whole)?));
        }
        let audience = match kind {
            DocumentKind::Identity => Audience::default(),
            DocumentKind::Resource | DocumentKind::Trust => {
                self.parsed(document, kind)?.audience(question.caller)
            }
        };
        let wanted = SliceRef { digest: document.digest(), kind, audience, guard, action };
        if let Some(slice) = self.slices.get(&wanted) {
            return Ok(slice);
        }
        let parsed = self.parsed(document, kind)?;
        let slice = Slice::compile(&parsed, kind, Some(audience), action, guard, self.whole)?;
        let slice = Arc::new(slice);
        let digest = *document.digest();
        let key = SliceKey { digest, kind, audience, guard, action: action.into() };
        self.slices.insert(key, Arc::clone(&slice));
        Ok(slice)
    }

    pub(crate) fn parsed(
        &self,
        document: &Document,
        kind: DocumentKind,
    ) -> Result<Arc<Parsed>, Unevaluable> {
        let key = (*document.digest(), kind);
        if let Some(parsed) = self.documents.get(&key) {
            return Ok(parsed);
        }
        let parsed = Arc::new(Parsed::parse(document.text(), kind)?);
        self.documents.insert(key, Arc::clone(&parsed));
        Ok(parsed)
    }
}

type DocumentKey = ([u8; 32], DocumentKind);

/// The memory that a kept form takes: caches are bounded by it, since documents may be small or large.
#[derive(Clone)]
struct Bytes;

impl Weighter<SliceKey, Arc<Slice>> for Bytes {
    fn weight(&self, _: &SliceKey, slice: &Arc<Slice>) -> u64 {
        slice.bytes
    }
}

impl Weighter<DocumentKey, Arc<Parsed>> for Bytes {
    fn weight(&self, _: &DocumentKey, parsed: &Arc<Parsed>) -> u64 {
        parsed.statements.iter().map(Statement::bytes).sum::<u64>() + 1
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SliceKey {
    digest: [u8; 32],
    kind: DocumentKind,
    audience: Audience,
    guard: bool,
    action: Box<str>,
}

/// The same, borrowed. INVARIANT: hashes as [`SliceKey`] does.
#[derive(Hash)]
struct SliceRef<'a> {
    digest: &'a [u8; 32],
    kind: DocumentKind,
    audience: Audience,
    guard: bool,
    action: &'a str,
}

impl Equivalent<SliceKey> for SliceRef<'_> {
    fn equivalent(&self, key: &SliceKey) -> bool {
        *self.digest == key.digest
            && self.kind == key.kind
            && self.audience == key.audience
            && self.guard == key.guard
            && *self.action == *key.action
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct BaseKey {
    ty: &'static str,
    id: Box<str>,
    behind: Option<Box<str>>,
    account: Option<Box<str>>,
    resource: Box<str>,
}

/// The same, borrowed. INVARIANT: hashes as [`BaseKey`] does.
#[derive(Hash)]
struct BaseRef<'a> {
    ty: &'static str,
    id: &'a str,
    behind: Option<&'a str>,
    account: Option<&'a str>,
    resource: &'a str,
}

impl Equivalent<BaseKey> for BaseRef<'_> {
    fn equivalent(&self, key: &BaseKey) -> bool {
        self.ty == key.ty
            && *self.id == *key.id
            && self.behind == key.behind.as_deref()
            && self.account == key.account.as_deref()
            && *self.resource == *key.resource
    }
}

/// Everything that was said about a question.
pub(crate) struct Hearing<'q> {
    pub(crate) chorus: Chorus<'q>,
    pub(crate) world: World,
    pub(crate) grants: Vec<Applying<'q>>,
    /// The guardrails that forbid; `None` where there are no guardrails.
    pub(crate) guarded: Option<Vec<Matched>>,
    pub(crate) tally: Tally,
}

impl Hearing<'_> {
    fn verdict(&self, question: &Question<'_>) -> Verdict {
        match self.tally.verdict() {
            (Effect::ExplicitDeny, reason, row) => (Effect::ExplicitDeny, reason, row),
            _ if is_reserved_alias(question) => (Effect::ImplicitDeny, Reason::ReservedAlias, 18),
            verdict => verdict,
        }
    }

    pub(crate) fn finding(&self, question: &Question<'_>) -> Finding {
        Finding {
            verdict: self.verdict(question),
            forbids: self.chorus.forbids(),
            silent_level: self.chorus.silent_level(question.scps.len()),
        }
    }
}

pub(crate) fn tally(
    question: &Question<'_>,
    chorus: &Chorus<'_>,
    grants: &[Applying<'_>],
) -> Tally {
    let mut kinds: BTreeSet<MatchKind> = chorus.kinds();
    kinds.extend(grants.iter().map(|grant| grant.kind));
    Tally {
        denied: chorus.denied(),
        // AWS keeps RCPFullAWSAccess attached, so resource control policies only deny.
        rcp_ok: true,
        scp_ok: chorus.silent_level(question.scps.len()).is_none(),
        endpoint_ok: chorus.ok(Layer::VpcEndpointPolicy),
        service: question.is_service(),
        key_operation: question.resource.has_policy(),
        same_account: question.same_account() || question.owner_allows,
        cross_account_allowed: question.cross_account_allowed,
        names_caller: kinds.contains(&MatchKind::Session),
        names_entity: kinds.contains(&MatchKind::Entity),
        names_account: kinds.contains(&MatchKind::Account),
        identity_allows: chorus.allows(Layer::IdentityPolicy),
        root: question.caller.is_root(),
        boundary_ok: chorus.ok(Layer::PermissionsBoundary),
        session_ok: chorus.ok(Layer::SessionPolicy),
        own_grant: grants
            .iter()
            .any(|applying| applying.grant.issuing_account == question.caller.account),
    }
}

/// Names under `alias/aws/` are not for customers, whatever policies say.
fn is_reserved_alias(question: &Question<'_>) -> bool {
    let Resource::Alias { arn } = question.resource else { return false };
    arn.splitn(6, ':').nth(5).is_some_and(|name| name.starts_with("alias/aws/"))
        && matches!(question.action, "kms:CreateAlias" | "kms:UpdateAlias" | "kms:DeleteAlias")
}

const LAYERS: &[Layer] = &[
    Layer::ResourceControlPolicy,
    Layer::ServiceControlPolicy,
    Layer::VpcEndpointPolicy,
    Layer::KeyPolicy,
    Layer::Grant,
    Layer::IdentityPolicy,
    Layer::PermissionsBoundary,
    Layer::SessionPolicy,
];

/// The decision with what matched. Layers that do not exist for this request are left out.
fn outcome(question: &Question<'_>, hearing: &Hearing<'_>) -> Decision {
    let Hearing { chorus, grants, tally, .. } = hearing;
    let (effect, reason, rule) = hearing.verdict(question);
    let mut layers = Vec::new();
    for layer in LAYERS {
        let (said, matched) = match layer {
            Layer::Grant => grant_outcome(question, grants),
            layer => (
                chorus.effect(*layer),
                chorus.of(*layer).flat_map(crate::layers::Voice::matched).collect(),
            ),
        };
        let said = match said {
            LayerEffect::ImplicitDeny if tally.spares(*layer) => LayerEffect::NoImpact,
            // One level's allow is not enough.
            LayerEffect::Allow if *layer == Layer::ServiceControlPolicy && !tally.scp_ok => {
                LayerEffect::ImplicitDeny
            }
            said => said,
        };
        if said != LayerEffect::Absent {
            layers.push(LayerOutcome { layer: *layer, effect: said, matched, near: Vec::new() });
        }
    }
    layers.extend(hearing.guarded.as_deref().map(guardrail::layer));
    layers.extend(freeze::layer(question.frozen));
    Decision {
        effect,
        reason,
        rule,
        action: question.action.to_owned(),
        resource: question.resource.arn().to_owned(),
        layers,
        remedies: Vec::new(),
        observed: Vec::new(),
    }
}

fn grant_outcome(question: &Question<'_>, grants: &[Applying<'_>]) -> (LayerEffect, Vec<Matched>) {
    if question.grants.is_empty() && grants.is_empty() {
        return (LayerEffect::Absent, Vec::new());
    }
    let matched = grants.iter().map(|applying| Matched {
        source: "grant".to_owned(),
        sid: Some(applying.grant.grant_id.as_str().to_owned()),
        index: 0,
        allow: true,
        kind: Some(applying.kind),
    });
    (
        if grants.is_empty() { LayerEffect::ImplicitDeny } else { LayerEffect::Allow },
        matched.collect(),
    )
}

/// The answer to what cannot be evaluated.
pub(crate) fn failed(question: &Question<'_>) -> Decision {
    Decision {
        effect: Effect::ImplicitDeny,
        reason: Reason::EvaluationFailed,
        rule: 0,
        action: question.action.to_owned(),
        resource: question.resource.arn().to_owned(),
        layers: Vec::new(),
        remedies: Vec::new(),
        observed: Vec::new(),
    }
}
