//! `DeleteAlias` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteAlias.html>

use super::{create_alias::check_alias_name, prelude::*};
use keyward_types::AliasName;

pub(crate) struct DeleteAlias;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    alias_name: AliasName,
}

impl Operation for DeleteAlias {
    const SPEC: Spec = Spec {
        logged: &["AliasName"],
        errors: &[
            ErrorCode::DependencyTimeout,
            ErrorCode::NotFound,
            ErrorCode::Internal,
            ErrorCode::InvalidState,
        ],
        ..control("DeleteAlias", "DELETE", "/v1/aliases", &[ALIAS_NAME])
    };
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_alias_name(&input.alias_name)?;
        Ok(vec![
            Target::of(Subject::Alias(&input.alias_name)),
            Target::of(Subject::AliasTarget(&input.alias_name)),
        ])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let caller = call.caller();
        let (account, region) = (caller.account.clone(), caller.origin.region.clone());
        call.delete(Name::Alias(account, region, input.alias_name.clone()));
        Ok(Empty)
    }

    fn response_elements(call: &Call<'_>, _output: &Empty) -> Option<Value> {
        key_arn_element(call)
    }
}
