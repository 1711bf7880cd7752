//! `RevokeGrant` <https://docs.aws.amazon.com/kms/latest/APIReference/API_RevokeGrant.html>

use super::prelude::*;
use keyward_types::GrantId;

pub(crate) struct RevokeGrant;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    key_id: KeyRef,
    grant_id: String,
}

impl Operation for RevokeGrant {
    const SPEC: Spec = Spec {
        cross_account: true,
        logged: &["KeyId", "GrantId"],
        errors: &[
            ErrorCode::NotFound,
            ErrorCode::DependencyTimeout,
            ErrorCode::InvalidArn,
            ErrorCode::InvalidGrantId,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
            ErrorCode::DryRunOperation,
        ],
        ..control(
            "RevokeGrant",
            "DELETE",
            "/v1/keys/{KeyId}/grants/{GrantId}",
            &[KEY_ID, required("GrantId", GRANT_ID_KIND), DRY_RUN],
        )
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::key(&input.key_id)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (key, grant_id) = (call.key()?, GrantId::new(&input.grant_id));
        let name = Name::Grant(key.name.clone(), grant_id.clone());
        call.rest_on(name.clone());
        if call.store().grant(&key.name, &grant_id).map_err(KmsError::internal)?.is_none() {
            return Err(wording::no_such_grant(&grant_id));
        }
        call.delete(name);
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
