//! `GetFederationToken` <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html>
//!
//! The session may do what its session policies and its user's policies both allow; without session policies
//! only what a key policy or a grant gives to the session itself.

use super::{
    identity_prelude::*,
    session_prelude::{Narrowing, POLICY_ARNS, SESSION_POLICY},
};
use crate::session::federated_arn;

pub(crate) struct GetFederationToken;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    name: String,
    #[serde(flatten)]
    narrowing: Narrowing,
    duration_seconds: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    credentials: Credentials,
    federated_user: FederatedUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FederatedUser {
    federated_user_id: String,
    arn: String,
}

/// Seconds of a session whose request names none.
const DEFAULT_SECONDS: i64 = 43_200;
/// Seconds of a session that the root user makes, whatever its request says.
const ROOT_SECONDS_MAX: i64 = 3_600;

impl Operation for GetFederationToken {
    const SPEC: Spec = sts(
        "GetFederationToken",
        "/v1/federation-token",
        &[
            required("Name", patterned(2, 32, "[\\w+=,.@-]*", |text| only(text, "_+=,.@-"))),
            SESSION_POLICY,
            POLICY_ARNS,
            optional("DurationSeconds", Kind::Integer { min: 900, max: 129_600 }),
            optional("Tags", IAM_TAGS_KIND),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.narrowing.check()?;
        let target = Target::of(Subject::OwnFederated(&input.name));
        let tagging = Target { action: Some("TagSession"), ..target.clone() };
        let tags = (!input.narrowing.tags.is_empty()).then_some(tagging);
        Ok(core::iter::once(target).chain(tags).collect())
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.narrowing.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (caller, now) = (call.caller(), call.now());
        let by = match &caller.kind {
            _ if caller.issued.is_some() => None,
            CallerKind::Root => Some(None),
            CallerKind::User { name } => Some(Some((name.clone(), caller.user_id.clone()))),
            CallerKind::RoleSession { .. }
            | CallerKind::Federated { .. }
            | CallerKind::Service { .. } => None,
        };
        let by = by.ok_or_else(|| {
            KmsError::new(
                ErrorCode::AccessDenied,
                "Cannot call GetFederationToken with session credentials",
            )
        })?;
        let packed_policy_size = input.narrowing.packed_percent()?;
        let wanted = input.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let seconds = if caller.is_root() { wanted.min(ROOT_SECONDS_MAX) } else { wanted };
        let account = &caller.account;
        let holder = Holder::Federated { by, name: input.name.clone() };
        let mut session = Session {
            tags: iam_tag_map(&input.narrowing.tags),
            ..Session::new(account.clone(), holder, now, seconds)
        };
        input.narrowing.narrow(call, &mut session)?;
        Ok(Output {
            credentials: Credentials::issue(call, session)?,
            federated_user: FederatedUser {
                federated_user_id: format!("{account}:{}", input.name),
                arn: federated_arn(account, &input.name),
            },
            packed_policy_size,
        })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({
            "credentials": output.credentials.element(),
            "federatedUser": elements(&output.federated_user),
        }))
    }
}
