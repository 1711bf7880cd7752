//! `CreatePolicyVersion` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html>

use super::identity_prelude::*;

pub(crate) struct CreatePolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_arn: String,
    policy_document: String,
    #[serde(default)]
    set_as_default: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_version: Version,
}

impl Operation for CreatePolicyVersion {
    const SPEC: Spec = iam(
        "CreatePolicyVersion",
        "POST",
        "/v1/policies/{PolicyArn}/versions",
        &[POLICY_ARN, POLICY_DOCUMENT, optional("SetAsDefault", Kind::Boolean)],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        policy_target(&input.policy_arn)
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let mut policy = ManagedPolicyRecord::clone(&*own_policy(call, &input.policy_arn)?);
        let document = admit_managed_document(call, &input.policy_document)?;
        if limits::POLICY_VERSIONS_MAX <= policy.versions.len() {
            return Err(KmsError::new(
                ErrorCode::IamLimitExceeded,
                format!(
                    "A managed policy can have up to {} versions. Before you create a new version, you must delete an existing version.",
                    limits::POLICY_VERSIONS_MAX
                ),
            ));
        }
        let version = PolicyVersion { number: policy.next_version, document, created: call.now() };
        policy.next_version = policy.next_version.saturating_add(1);
        policy.updated = version.created;
        if input.set_as_default {
            policy.default_version = version.number;
        }
        let policy_version = of_own(&policy, &version).without_document();
        policy.versions.push(version);
        call.put(Record::ManagedPolicy(policy));
        Ok(Output { policy_version })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        elements(output)
    }
}
