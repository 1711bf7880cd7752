//! `AssumeRole` <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
//!
//! The role's trust policy speaks for the role's account, identity policies for the caller's; which of
//! them must allow is decided by the rows of the decision table for a key and its policy. A role that does not exist is refused by the same
//! sentence as one that does not trust the caller.

use super::{
    get_session_token::{SERIAL_NUMBER, TOKEN_CODE, refuse_mfa},
    identity_prelude::*,
};
use crate::authorize::{note_refusal_elsewhere, request_facts};
use keyward_policy::{Question, Resource};
use keyward_types::{Arn, IdentityDocument};

pub(crate) struct AssumeRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_arn: String,
    role_session_name: String,
    #[serde(default)]
    policy_arns: Vec<Value>,
    policy: Option<String>,
    duration_seconds: Option<i64>,
    #[serde(default)]
    tags: Vec<IamTag>,
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
/// Characters of a session policy.
const POLICY_CHARS_MAX: usize = 2_048;
/// Bytes of session policy and tags together, of which `PackedPolicySize` is the percentage.
const PACKED_BYTES_MAX: usize = 4_096;

const ARN_KIND: Kind = patterned(
    20,
    2_048,
    "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF\\uE000-\\uFFFD\\u10000-\\u10FFFF]+",
    |text| text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{85}') || !c.is_control()),
);
const SESSION_NAME_KIND: Kind = patterned(2, 64, "[\\w+=,.@-]*", |text| only(text, "_+=,.@-"));

impl Operation for AssumeRole {
    const SPEC: Spec = sts(
        "AssumeRole",
        "/v1/assume-role",
        &[
            required("RoleArn", ARN_KIND),
            required("RoleSessionName", SESSION_NAME_KIND),
            optional(
                "PolicyArns",
                Kind::List {
                    of: &Kind::Structure(&[optional("arn", ARN_KIND)]),
                    min: 0,
                    max: usize::MAX,
                },
            ),
            optional(
                "Policy",
                patterned(1, usize::MAX, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
                    text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
                }),
            ),
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
        let role = authorized_role(call, input)?;
        call.concern(role.arn());
        let seconds = input.seconds(caller, &role)?;
        let policies = input.session_policies(call)?;
        let packed = input.packed_percent()?;
        let source_identity =
            input.source_identity.clone().or_else(|| caller.source_identity.clone());
        let credentials = Credentials::issue(
            call,
            Session {
                access_key_id: String::new(),
                secret: String::new(),
                account: role.account.clone(),
                holder: Holder::Role {
                    name: role.name.clone(),
                    role_id: role.role_id.clone(),
                    session_name: input.role_session_name.clone(),
                },
                issued: now,
                expires: now.plus_seconds(seconds),
                tags: iam_tag_map(&input.tags),
                source_identity: source_identity.clone(),
                policies,
            },
        )?;
        Ok(Output {
            credentials,
            assumed_role_user: AssumedRoleUser {
                assumed_role_id: format!("{}:{}", role.role_id, input.role_session_name),
                arn: identity::session_arn(&role, &input.role_session_name),
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
        if !self.policy_arns.is_empty() {
            return unsupported("PolicyArns");
        }
        if !self.transitive_tag_keys.is_empty() {
            return unsupported("TransitiveTagKeys");
        }
        if !self.provided_contexts.is_empty() {
            return unsupported("ProvidedContexts");
        }
        refuse_mfa(self.serial_number.as_ref(), self.token_code.as_ref())?;
        check_iam_tags(&self.tags)?;
        if self.policy.as_ref().is_some_and(|policy| POLICY_CHARS_MAX < policy.chars().count()) {
            return Err(KmsError::validation(format!(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: \
                 Member must have length less than or equal to {POLICY_CHARS_MAX}"
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
        match identity::principal_name(&self.role_arn)? {
            Name::Role(account, name) => Some((account, name)),
            _ => None,
        }
    }

    /// What must be allowed: tags and a source identity have permissions of their own.
    fn actions(&self, caller: &Caller) -> Vec<&'static str> {
        let mut actions = vec!["sts:AssumeRole"];
        if !self.tags.is_empty() {
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
        iam_tag_facts(&self.tags, &mut facts);
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

    fn session_policies(&self, call: &Call<'_>) -> Result<Vec<IdentityDocument>, KmsError> {
        let Some(policy) = &self.policy else { return Ok(Vec::new()) };
        check_identity_policy(call, policy)?;
        Ok(vec![IdentityDocument {
            source: "session policy".to_owned(),
            document: Document::new(policy.as_str()),
        }])
    }

    /// Percent of the room, rounded up.
    fn packed_percent(&self) -> Result<Option<usize>, KmsError> {
        let tags: usize = self.tags.iter().map(|tag| tag.key.len() + tag.value.len()).sum();
        let bytes = self.policy.as_ref().map_or(0, String::len) + tags;
        let percent = (bytes * 100).div_ceil(PACKED_BYTES_MAX);
        if 100 < percent {
            let message = format!(
                "Packed policy and session tags consume {percent}% of allotted space, please use smaller policy or tags."
            );
            return Err(KmsError::new(ErrorCode::IamPackedPolicyTooLarge, message));
        }
        Ok((0 < bytes).then_some(percent))
    }
}

/// The role, once everything that the request does was allowed.
fn authorized_role(call: &mut Call<'_>, input: &Input) -> Result<Arc<RoleRecord>, KmsError> {
    let caller = call.caller();
    if caller.is_root() {
        return Err(KmsError::new(
            ErrorCode::AccessDenied,
            "Roles may not be assumed by root accounts.",
        ));
    }
    let refused = |action: &str| wording::may_not_assume(caller, action, &input.role_arn);
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
    if let (Some(now), Some(wanted)) = (&caller.source_identity, &input.source_identity)
        && now != wanted
    {
        // A source identity that was set once goes along the chain unchanged.
        return Err(refused("sts:SetSourceIdentity"));
    }
    let identity = call.engine().identity(caller)?;
    identity.name.clone().into_iter().for_each(|name| call.rest_on(name));
    let (own_facts, arn) = (facts.clone(), role.arn());
    identity::tag_facts(&role.tags, &mut facts);
    for action in input.actions(caller) {
        let decision = call.policies().decide(&Question {
            cross_account_allowed: true,
            key_policy_ignores_arns: was_made_again(caller, &role),
            identity: &identity.documents,
            boundary: identity.boundary.as_ref(),
            ..Question::new(
                caller,
                action,
                Resource::Role { arn: &arn, trust: &role.trust },
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

/// Whether the trust policy names an earlier principal of the caller's ARN, which was deleted since.
fn was_made_again(caller: &Caller, role: &RoleRecord) -> bool {
    role.trust_principals.get(&caller.principal_arn).is_some_and(|id| id != caller.unique_id())
}
