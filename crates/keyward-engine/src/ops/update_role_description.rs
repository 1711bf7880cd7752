//! `UpdateRoleDescription` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRoleDescription.html>

use super::identity_prelude::*;

pub(crate) struct UpdateRoleDescription;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    description: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    role: Role,
}

impl Operation for UpdateRoleDescription {
    const SPEC: Spec = iam(
        "UpdateRoleDescription",
        "PUT",
        "/v1/roles/{RoleName}/description",
        &[ROLE_NAME, required("Description", ROLE_DESCRIPTION_KIND)],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let mut role = RoleRecord::clone(&*known(call, &input.role_name)?);
        role.description.clone_from(&input.description);
        let output = Output { role: Role::of(&role) };
        call.put(Record::Role(role));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        elements(output)
    }
}
