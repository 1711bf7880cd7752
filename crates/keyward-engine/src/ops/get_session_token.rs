//! `GetSessionToken` <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>
//!
//! It needs no permission, as in AWS; what the session may do is what its user may do, and IAM stays shut.

use super::identity_prelude::*;

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

pub(crate) const SERIAL_NUMBER: Member =
    optional("SerialNumber", patterned(9, 256, "[\\w+=/:,.@-]*", |text| only(text, "_+=/:,.@-")));
pub(crate) const TOKEN_CODE: Member = optional(
    "TokenCode",
    patterned(6, 6, "[\\d]*", |text| text.bytes().all(|b| b.is_ascii_digit())),
);

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

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        refuse_mfa(input.serial_number.as_ref(), input.token_code.as_ref())?;
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
        let credentials = Credentials::issue(
            call,
            Session {
                access_key_id: String::new(),
                secret: String::new(),
                account: caller.account.clone(),
                holder,
                issued: now,
                expires: now.plus_seconds(seconds),
                tags: BTreeMap::new(),
                source_identity: None,
                policies: Vec::new(),
            },
        )?;
        Ok(Output { credentials })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"credentials": output.credentials.element()}))
    }
}

/// There are no MFA devices here, and a code that nobody checks must not count.
pub(crate) fn refuse_mfa(
    serial_number: Option<&String>,
    token_code: Option<&String>,
) -> Result<(), KmsError> {
    let refuse = |name: &str| {
        Err(KmsError::validation(format!(
            "{name} is not supported by this service: it has no MFA devices"
        )))
    };
    match (serial_number, token_code) {
        (Some(_), _) => refuse("SerialNumber"),
        (_, Some(_)) => refuse("TokenCode"),
        (None, None) => Ok(()),
    }
}
