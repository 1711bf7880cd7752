//! `GetAccessKeyInfo` <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html>
//!
//! Long-lived access keys only: the account of a temporary one is in its token, which the request has not.

use super::identity_prelude::*;

pub(crate) struct GetAccessKeyInfo;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    access_key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    account: String,
}

impl Operation for GetAccessKeyInfo {
    const SPEC: Spec = sts("GetAccessKeyInfo", "/v1/access-key-info", &[ACCESS_KEY_ID]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let key = call.store().access_key(&input.access_key_id).map_err(KmsError::internal)?;
        let key = key.ok_or_else(|| {
            KmsError::validation(format!("Invalid Access Key ID: {}", input.access_key_id))
        })?;
        Ok(Output { account: key.account.to_string() })
    }
}
