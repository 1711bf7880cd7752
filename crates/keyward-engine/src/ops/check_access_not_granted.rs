//! `CheckAccessNotGranted` <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckAccessNotGranted.html>

use super::analyzer_prelude::*;

pub(crate) struct CheckAccessNotGranted;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    policy_document: String,
    access: Vec<Access>,
    policy_type: String,
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
}

const ACTION: Kind = text(0, 256);
const RESOURCE: Kind = text(0, 2_048);
const ACCESS: Kind = Kind::Structure(&[
    optional("actions", Kind::List { of: &ACTION, min: 0, max: 100 }),
    optional("resources", Kind::List { of: &RESOURCE, min: 0, max: 100 }),
]);

impl Operation for CheckAccessNotGranted {
    const SPEC: Spec = analyzer(
        "CheckAccessNotGranted",
        "/policy/check-access-not-granted",
        &[
            required("policyDocument", SENSITIVE),
            required("access", Kind::List { of: &ACCESS, min: 0, max: 1 }),
            required("policyType", CHECKED),
        ],
    );
    type Input = Input;
    type Output = CheckOutput;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        account()
    }

    fn remote(_input: &Input) -> bool {
        true
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<CheckOutput, KmsError> {
        let words = [
            "The policy grants none of the specified access.",
            "The policy grants some of the specified access.",
        ];
        let Some(access) = input
            .access
            .first()
            .filter(|access| !access.actions.is_empty() || !access.resources.is_empty())
        else {
            return Err(KmsError::new(
                ErrorCode::InvalidParameter,
                "Specify actions, resources, or both in access.",
            ));
        };
        let claim =
            PolicyClaim::NotGranted { actions: &access.actions, resources: &access.resources };
        check(call, &input.policy_document, kind(&input.policy_type), claim, words)
    }
}
