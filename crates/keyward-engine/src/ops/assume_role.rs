//! `AssumeRole` <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
//!
//! The role's trust policy speaks for the role's account, identity policies for the caller's; which of
//! them must allow is decided by the rows of the decision table for a key and its policy. A role that does
//! not exist is refused by the same sentence as one that does not trust the caller.
//!
//! Transitive tags of the calling session go along and cannot be changed. MFA that the request shows counts
//! for the trust policy's conditions and for the session.

use super::{
    identity_prelude::*,
    session_prelude::{
        ARN_KIND, Narrowing, POLICY_ARNS, SERIAL_NUMBER, SESSION_POLICY, TOKEN_CODE,
    },
};
use crate::{
    authorize::{layers_of, note_refusal_elsewhere, request_facts, was_made_again},
    mfa,
};
use keyward_policy::{Question, Resource};
use keyward_types::Arn;
use std::collections::BTreeSet;

pub(crate) struct AssumeRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_arn: String,
    role_session_name: String,
    #[serde(flatten)]
    narrowing: Narrowing,
    duration_seconds: Option<i64>,
    #[serde(default)]
    transitive_tag_keys: Vec<String>,
    external_id: Option<String>,
    serial_number: Option<String>,
    token_code: Option<String>,
    source_identity: Option<String>,
    #[serde(default)]
    provided_contexts: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    credentials: Credentials,
    assumed_role_user: AssumedRoleUser,
    /// Percent of the room for session policies and tags; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser {
    assumed_role_id: String,
    arn: String,
}

/// Seconds of a session whose request names none, and of one that another role made.
const CHAINED_SECONDS_MAX: i64 = 3_600;
const SESSION_NAME_KIND: Kind = patterned(2, 64, "[\\w+=,.@-]*", |text| only(text, "_+=,.@-"));

impl Operation for AssumeRole {
    const SPEC: Spec = sts(
        "AssumeRole",
        "/v1/assume-role",
        &[
            required("RoleArn", ARN_KIND),
            required("RoleSessionName", SESSION_NAME_KIND),
            POLICY_ARNS,
            SESSION_POLICY,
            optional("DurationSeconds", Kind::Integer { min: 900, max: 43_200 }),
            optional("Tags", IAM_TAGS_KIND),
            optional("TransitiveTagKeys", Kind::List { of: &TAG_KEY_KIND, min: 0, max: 50 }),
            optional(
                "ExternalId",
                patterned(2, 1_224, "[\\w+=,.@:\\/-]*", |text| only(text, "_+=,.@:/-")),
            ),
            SERIAL_NUMBER,
            TOKEN_CODE,
            optional("SourceIdentity", SESSION_NAME_KIND),
            optional(
                "ProvidedContexts",
                Kind::List {
                    of: &Kind::Structure(&[
                        optional("ProviderArn", ARN_KIND),
                        optional("ContextAssertion", text(4, 2_048)),
                    ]),
                    min: 1,
                    max: 5,
                },
            ),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.check()?;
        Ok(vec![Target::of(Subject::Unchecked)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (caller, now) = (call.caller(), call.now());
        let asking = input.asking(call)?;
        let role = authorized_role(call, &asking, input)?;
        call.concern(role.arn());
        let seconds = input.seconds(caller, &role)?;
        let packed = input.narrowing.packed_percent()?;
        let source_identity =
            input.source_identity.clone().or_else(|| caller.source_identity.clone());
        let holder = Holder::Role {
            name: role.name.clone(),
            role_id: role.role_id.clone(),
            session_name: input.role_session_name.clone(),
        };
        let (tags, transitive_tags) = input.session_tags(caller);
        let mut session = Session {
            tags,
            transitive_tags,
            source_identity: source_identity.clone(),
            mfa: asking.mfa == Some(true) && input.token_code.is_some(),
            ..Session::new(role.account.clone(), holder, now, seconds)
        };
        input.narrowing.narrow(call, &mut session)?;
        let credentials = Credentials::issue(call, session)?;
        Ok(Output {
            credentials,
            assumed_role_user: AssumedRoleUser {
                assumed_role_id: format!("{}:{}", role.role_id, input.role_session_name),
                arn: directory::session_arn(&role, &input.role_session_name),
            },
            packed_policy_size: packed,
            source_identity,
        })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        let mut said = json!({
            "credentials": output.credentials.element(),
            "assumedRoleUser": {"assumedRoleId": output.assumed_role_user.assumed_role_id, "arn": output.assumed_role_user.arn},
        });
        if let (Some(said), Some(source)) = (said.as_object_mut(), &output.source_identity) {
            said.insert("sourceIdentity".to_owned(), source.as_str().into());
        }
        Some(said)
    }
}

impl Input {
    fn check(&self) -> Result<(), KmsError> {
        let unsupported = |name: &str| {
            Err(KmsError::validation(format!("{name} is not supported by this service")))
        };
        if !self.provided_contexts.is_empty() {
            return unsupported("ProvidedContexts");
        }
        self.narrowing.check()?;
        let tagged = |key: &String| self.narrowing.tags.iter().any(|tag| tag.key == *key);
        if let Some(key) = self.transitive_tag_keys.iter().find(|key| !tagged(key)) {
            return Err(invalid_input(format!(
                "The transitive tag key {key} is none of the tags that are passed"
            )));
        }
        match self.role_name() {
            Some(_) => Ok(()),
            None => Err(KmsError::validation(format!("{} is invalid", self.role_arn))),
        }
    }

    /// The account and name of the role that the ARN names.
    fn role_name(&self) -> Option<(AccountId, String)> {
        Arn::parse(&self.role_arn).filter(|arn| arn.partition == "aws")?;
        match directory::principal_name(&self.role_arn)? {
            Name::Role(account, name) => Some((account, name)),
            _ => None,
        }
    }

    /// What must be allowed: tags and a source identity have permissions of their own.
    fn actions(&self, caller: &Caller) -> Vec<&'static str> {
        let mut actions = vec!["sts:AssumeRole"];
        if !self.narrowing.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if self.source_identity.is_some() || caller.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        actions
    }

    /// What the request itself says; the role's own tags are its account's to know.
    fn facts<'f>(&self, caller: &Caller, now: Timestamp) -> Facts<'f> {
        let mut facts = request_facts(now);
        facts.add("sts:RoleSessionName", self.role_session_name.as_str());
        if let Some(external_id) = &self.external_id {
            facts.add("sts:ExternalId", external_id.as_str());
        }
        if let Some(source) = self.source_identity.as_ref().or(caller.source_identity.as_ref()) {
            facts.add("sts:SourceIdentity", source.as_str());
        }
        if let Some(seconds) = self.duration_seconds {
            facts.add("sts:DurationSeconds", seconds.to_string());
        }
        if !self.transitive_tag_keys.is_empty() {
            facts.add_many("sts:TransitiveTagKeys", self.transitive_tag_keys.iter().cloned());
        }
        iam_tag_facts(&self.narrowing.tags, &mut facts);
        facts
    }

    /// How long the session lives.
    fn seconds(&self, caller: &Caller, role: &RoleRecord) -> Result<i64, KmsError> {
        let refuse = |why: &str| {
            Err(KmsError::validation(format!("The requested DurationSeconds exceeds {why}.")))
        };
        let wanted = self.duration_seconds.unwrap_or(CHAINED_SECONDS_MAX);
        if matches!(caller.kind, CallerKind::RoleSession { .. }) && CHAINED_SECONDS_MAX < wanted {
            return refuse("the 1 hour session limit for roles assumed by role chaining");
        }
        if i64::from(role.max_session_seconds) < wanted {
            return refuse("the MaxSessionDuration set for this role");
        }
        Ok(wanted)
    }

    /// The caller as the trust policy sees it: with MFA where the request shows it.
    fn asking(&self, call: &mut Call<'_>) -> Result<Arc<Caller>, KmsError> {
        let caller = call.caller();
        let shown = mfa::shown(call, self.serial_number.as_ref(), self.token_code.as_ref())?;
        if !shown {
            return Ok(Arc::clone(caller));
        }
        let issued = Some(call.now());
        Ok(Arc::new(Caller { mfa: Some(true), issued, ..Caller::clone(caller) }))
    }

    /// The session's tags and which of them are transitive: the caller's transitive ones, then the request's.
    fn session_tags(&self, caller: &Caller) -> (BTreeMap<String, String>, BTreeSet<String>) {
        let mut tags: BTreeMap<String, String> = caller
            .tags
            .iter()
            .filter(|(key, _)| caller.transitive_tags.contains(*key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        tags.extend(iam_tag_map(&self.narrowing.tags));
        let transitive = caller.transitive_tags.iter().chain(&self.transitive_tag_keys);
        (tags, transitive.cloned().collect())
    }

    /// A tag that came along with the calling session may not be passed again.
    fn check_inherited(&self, caller: &Caller) -> Result<(), KmsError> {
        let inherited = |tag: &&IamTag| {
            let folded = tag.key.to_lowercase();
            caller.transitive_tags.iter().any(|key| key.to_lowercase() == folded)
        };
        match self.narrowing.tags.iter().find(inherited) {
            Some(tag) => Err(invalid_input(format!(
                "The tag {} was passed by an earlier session of the chain and cannot be changed",
                tag.key
            ))),
            None => Ok(()),
        }
    }
}

/// The role, once everything that the request does was allowed.
fn authorized_role(
    call: &mut Call<'_>,
    caller: &Caller,
    input: &Input,
) -> Result<Arc<RoleRecord>, KmsError> {
    input.check_inherited(caller)?;
    if caller.is_root() {
        return Err(KmsError::new(
            ErrorCode::AccessDenied,
            "Roles may not be assumed by root accounts.",
        ));
    }
    let refused = |action: &str| wording::may_not_assume(caller, action, &input.role_arn);
    if let (Some(now), Some(wanted)) = (&caller.source_identity, &input.source_identity)
        && now != wanted
    {
        // A source identity that was set once goes along the chain unchanged.
        return Err(refused("sts:SetSourceIdentity"));
    }
    // Who was lent credentials by a user makes no more of them.
    if matches!(caller.kind, CallerKind::Federated { .. }) {
        return Err(refused("sts:AssumeRole"));
    }
    let (account, name) = input.role_name().ok_or_else(|| refused("sts:AssumeRole"))?;
    call.rest_on(Name::Role(account.clone(), name.clone()));
    let is_elsewhere = account != caller.account;
    let mut facts = input.facts(caller, call.now());
    let role = call.store().role(&account, &name).map_err(KmsError::internal)?;
    let Some(role) = role.filter(|role| role.arn() == input.role_arn) else {
        if is_elsewhere {
            note_refusal_elsewhere(call, &input.role_arn, "sts:AssumeRole", &facts)?;
        }
        return Err(refused("sts:AssumeRole"));
    };
    let layers = layers_of(call)?;
    let (own_facts, arn) = (facts.clone(), role.arn());
    let rcps = layers.rcps(&role.account);
    layers.facts(caller, &mut facts);
    layers.owner_facts(&role.account, &mut facts);
    directory::tag_facts(&role.tags, &mut facts);
    for action in input.actions(caller) {
        let decision = call.policies().decide(&Question {
            cross_account_allowed: true,
            key_policy_ignores_arns: was_made_again(call.engine(), caller, &role.trust_principals)?,
            ..layers.question(
                caller,
                action,
                Resource::Role { arn: &arn, trust: &role.trust },
                &rcps,
                &facts,
            )
        });
        let allowed = decision.allowed();
        if !allowed && is_elsewhere {
            note_refusal_elsewhere(call, &arn, action, &own_facts)?;
        } else {
            call.decided(decision);
        }
        if !allowed {
            return Err(refused(action));
        }
    }
    Ok(role)
}
