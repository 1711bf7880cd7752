//! `CheckNoNewAccess` <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckNoNewAccess.html>

use super::analyzer_prelude::*;

pub(crate) struct CheckNoNewAccess;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    new_policy_document: String,
    existing_policy_document: String,
    policy_type: String,
}

impl Operation for CheckNoNewAccess {
    const SPEC: Spec = analyzer(
        "CheckNoNewAccess",
        "/policy/check-no-new-access",
        &[
            required("newPolicyDocument", SENSITIVE),
            required("existingPolicyDocument", SENSITIVE),
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
            "The new policy allows nothing that the existing policy does not.",
            "The new policy allows what the existing policy does not.",
        ];
        let claim = PolicyClaim::NothingBeyond(&input.existing_policy_document);
        check(call, &input.new_policy_document, kind(&input.policy_type), claim, words)
    }
}
