//! `UpdateAssumeRolePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html>

use super::identity_prelude::*;

pub(crate) struct UpdateAssumeRolePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    policy_document: String,
}

impl Operation for UpdateAssumeRolePolicy {
    const SPEC: Spec = iam(
        "UpdateAssumeRolePolicy",
        "PUT",
        "/v1/roles/{RoleName}/trust-policy",
        &[ROLE_NAME, POLICY_DOCUMENT],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let role = known::<RoleRecord>(call, &input.role_name)?;
        let trust = admit_trust(call, &input.policy_document)?;
        let trusting = RoleRecord {
            trust: trust.document,
            trust_principals: trust.principals,
            ..RoleRecord::clone(&role)
        };
        call.put(Record::Role(trusting));
        Ok(Empty)
    }
}
