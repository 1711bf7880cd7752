//! What the operations of IAM Access Analyzer share. Their members and answers are in lower camel case.
//!
//! Checks are proofs over every request. Resource policies are key policies here, and of identity policies each is
//! looked at by itself, as AWS's checks look at them.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-custom-policy-checks.html>

pub(crate) use super::prelude::*;
use crate::proofs::Proof;
pub(crate) use crate::proofs::{Checked, PolicyClaim};
use keyward_policy::PolicyError;

/// Characters of a document. AWS's model has no limit; policies are never longer.
pub(crate) const DOCUMENT: Kind = Kind::Text { min: 0, max: 131_072, pattern: None };
/// As a document that AWS holds to be sensitive.
pub(crate) const SENSITIVE: Kind = Kind::Secret { min: 0, max: 131_072, pattern: None };
pub(crate) const CHECKED: Kind = Kind::Enum(&["IDENTITY_POLICY", "RESOURCE_POLICY"]);

/// A row of the service: on no key, and nothing is changed.
pub(crate) const fn analyzer(
    name: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::AccessAnalyzer,
        states: &[],
        read_only: true,
        logged: &["policyType", "resourceType", "validatePolicyResourceType"],
        errors: &[ErrorCode::InvalidParameter, ErrorCode::UnprocessableEntity],
        ..control(name, "POST", path, members)
    }
}

pub(crate) fn account<'i>() -> Result<Vec<Target<'i>>, KmsError> {
    Ok(vec![Target::of(Subject::Account)])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckOutput {
    result: &'static str,
    message: &'static str,
    reasons: Vec<Reason>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reason {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_id: Option<String>,
}

pub(crate) fn kind(policy_type: &str) -> Checked {
    if policy_type == "IDENTITY_POLICY" { Checked::IdentityPolicy } else { Checked::KeyPolicy }
}

/// Puts a claim to whoever proves. `words`: what is said when it holds, and when it does not.
pub(crate) fn check(
    call: &Call<'_>,
    policy: &str,
    kind: Checked,
    claim: PolicyClaim<'_>,
    words: [&'static str; 2],
) -> Result<CheckOutput, KmsError> {
    let unable = |why: String| Err(KmsError::new(ErrorCode::UnprocessableEntity, why));
    let Some(proofs) = call.engine().proofs.get() else {
        return unable(
            "This service has no solver, without which nothing can be proved. Install cvc5, or name a solver in the configuration.".to_owned(),
        );
    };
    if kind == Checked::KeyPolicy {
        for one in [Some(policy), earlier(claim)].into_iter().flatten() {
            of_kms_alone(one)?;
        }
    }
    let [holds, fails] = words;
    match proofs.prove(policy, kind, claim).map_err(|error| malformed(&error))? {
        Proof::Holds => Ok(CheckOutput { result: "PASS", message: holds, reasons: Vec::new() }),
        Proof::Fails { because, statement } => {
            let (index, id) = statement.map_or((None, None), |(index, id)| (Some(index), id));
            let reason = Reason { description: because, statement_index: index, statement_id: id };
            Ok(CheckOutput { result: "FAIL", message: fails, reasons: vec![reason] })
        }
        Proof::Unknown(why) => unable(why),
    }
}

const fn earlier<'c>(claim: PolicyClaim<'c>) -> Option<&'c str> {
    match claim {
        PolicyClaim::NothingBeyond(earlier) => Some(earlier),
        _ => None,
    }
}

fn malformed(error: &PolicyError) -> KmsError {
    KmsError::new(ErrorCode::InvalidParameter, error.to_string())
}

/// What a policy of another service's resource allows is not seen here, and must not pass for nothing.
fn of_kms_alone(policy: &str) -> Result<(), KmsError> {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return Ok(()) };
    let statements = match policy.get("Statement") {
        Some(Value::Array(several)) => several.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for action in statements.iter().filter_map(|statement| statement.get("Action")) {
        let texts = match action {
            Value::Array(several) => several.as_slice(),
            one => std::slice::from_ref(one),
        };
        let foreign = |text: &&str| {
            *text != "*" && !text.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("kms:"))
        };
        if let Some(text) = texts.iter().filter_map(Value::as_str).find(foreign) {
            return Err(KmsError::new(
                ErrorCode::InvalidParameter,
                format!(
                    "Resource policies are checked for keys of KMS alone, and this one names {text}."
                ),
            ));
        }
    }
    Ok(())
}
