//! `DescribeOrganization`, Keyward's own: the organization as PutOrganization takes it.

use super::organization_prelude::*;

pub(crate) struct DescribeOrganization;

#[derive(Deserialize)]
pub(crate) struct Input {}

impl Operation for DescribeOrganization {
    const SPEC: Spec =
        Spec { read_only: true, ..own("DescribeOrganization", "GET", "/v1/organization", &[]) };
    type Input = Input;
    type Output = Described;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Described, KmsError> {
        of_own_account(call)?;
        let found = call.store().organization().map_err(KmsError::internal)?;
        found.map(|found| Described::of(&found)).ok_or_else(no_organization)
    }
}

pub(crate) fn no_organization() -> KmsError {
    KmsError::new(
        ErrorCode::NotFound,
        "There is no organization; state one with PutOrganization (PUT /v1/organization)",
    )
}
