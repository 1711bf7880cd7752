//! `GetCallerIdentity` <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use super::identity_prelude::*;

pub(crate) struct GetCallerIdentity;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    user_id: String,
    account: String,
    arn: String,
}

impl Operation for GetCallerIdentity {
    const SPEC: Spec = sts("GetCallerIdentity", "/v1/caller-identity", &[]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Unchecked)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let Caller { user_id, account, arn, .. } = &**call.caller();
        Ok(Output { user_id: user_id.clone(), account: account.to_string(), arn: arn.clone() })
    }
}
