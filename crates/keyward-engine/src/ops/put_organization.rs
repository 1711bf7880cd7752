//! `PutOrganization`, Keyward's own: states the one organization whole, with its tree, its policies and where
//! they are attached. What was there before and is not stated is gone.
//!
//! AWS makes the same in many steps: <https://docs.aws.amazon.com/organizations/latest/APIReference/>.

use super::organization_prelude::*;

pub(crate) struct PutOrganization;

impl Operation for PutOrganization {
    const SPEC: Spec = Spec {
        logged: &[
            "Id",
            "ManagementAccount",
            "RootId",
            "Units",
            "Accounts",
            "Policies",
            "Attachments",
            "WithoutFullAWSAccess",
        ],
        ..own("PutOrganization", "PUT", "/v1/organization", ORGANIZATION)
    };
    type Input = Stated;
    type Output = Described;

    fn targets(_input: &Stated) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Stated) -> Result<Described, KmsError> {
        of_own_account(call)?;
        call.rest_on(Name::Organization);
        let record = input.admit(call)?;
        let output = Described::of(&record);
        call.put(Record::Organization(record));
        Ok(output)
    }
}
