//! `DeleteOrganization`, Keyward's own: from then on nothing but its own policies limits an account.

use super::{describe_organization::no_organization, organization_prelude::*};

pub(crate) struct DeleteOrganization;

#[derive(Deserialize)]
pub(crate) struct Input {}

impl Operation for DeleteOrganization {
    const SPEC: Spec = own("DeleteOrganization", "DELETE", "/v1/organization", &[]);
    type Input = Input;
    type Output = Empty;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Empty, KmsError> {
        of_own_account(call)?;
        call.rest_on(Name::Organization);
        if call.store().organization().map_err(KmsError::internal)?.is_none() {
            return Err(no_organization());
        }
        call.delete(Name::Organization);
        Ok(Empty)
    }
}
