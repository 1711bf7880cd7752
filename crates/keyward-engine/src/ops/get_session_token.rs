//! `GetSessionToken` <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
//!
//! It needs no permission, as in AWS; what the session may do is what its user may do, and IAM stays shut
//! unless MFA was shown.

use super::{
    identity_prelude::*,
    session_prelude::{SERIAL_NUMBER, TOKEN_CODE},
};
use crate::mfa;

pub(crate) struct GetSessionToken;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    duration_seconds: Option<i64>,
    serial_number: Option<String>,
    token_code: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    credentials: Credentials,
}

/// Seconds of a session whose request names none.
const DEFAULT_SECONDS: i64 = 43_200;
/// Seconds of a root user's session, whatever its request says.
const ROOT_SECONDS_MAX: i64 = 3_600;

impl Operation for GetSessionToken {
    const SPEC: Spec = sts(
        "GetSessionToken",
        "/v1/session-token",
        &[
            optional("DurationSeconds", Kind::Integer { min: 900, max: 129_600 }),
            SERIAL_NUMBER,
            TOKEN_CODE,
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Unchecked)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (caller, now) = (call.caller(), call.now());
        let holder = match &caller.kind {
            _ if caller.issued.is_some() => None,
            CallerKind::Root => Some(Holder::Root),
            CallerKind::User { name } => {
                Some(Holder::User { name: name.clone(), user_id: caller.user_id.clone() })
            }
            CallerKind::RoleSession { .. }
            | CallerKind::Federated { .. }
            | CallerKind::Service { .. } => None,
        };
        let holder = holder.ok_or_else(|| {
            KmsError::new(
                ErrorCode::AccessDenied,
                "Cannot call GetSessionToken with session credentials",
            )
        })?;
        let wanted = input.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let seconds = if caller.is_root() { wanted.min(ROOT_SECONDS_MAX) } else { wanted };
        let mfa = mfa::shown(call, input.serial_number.as_ref(), input.token_code.as_ref())?;
        let session = Session::new(caller.account.clone(), holder, now, seconds);
        let credentials = Credentials::issue(call, Session { mfa, ..session })?;
        Ok(Output { credentials })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"credentials": output.credentials.element()}))
    }
}
