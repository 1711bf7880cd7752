//! `CheckNoPublicAccess` <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_CheckNoPublicAccess.html>
//!
//! Public is what strangers may: principals of accounts that the policy does not name, whose requests carry none of
//! the keys by which a policy knows who or where somebody is. Of the kinds of resources, there are keys alone here.

use super::analyzer_prelude::*;

pub(crate) struct CheckNoPublicAccess;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    policy_document: String,
    resource_type: String,
}

impl Operation for CheckNoPublicAccess {
    const SPEC: Spec = analyzer(
        "CheckNoPublicAccess",
        "/policy/check-no-public-access",
        &[required("policyDocument", SENSITIVE), required("resourceType", text(1, 256))],
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
        let words =
            ["The policy grants nothing to the public.", "The policy grants access to the public."];
        if input.resource_type != "AWS::KMS::Key" {
            return Err(KmsError::new(
                ErrorCode::InvalidParameter,
                "Policies of AWS::KMS::Key are checked here, and of no other type of resource.",
            ));
        }
        check(call, &input.policy_document, Checked::KeyPolicy, PolicyClaim::NotPublic, words)
    }
}
