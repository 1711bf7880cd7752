//! `UpdateRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html>

use super::identity_prelude::*;

pub(crate) struct UpdateRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    description: Option<String>,
    max_session_duration: Option<u32>,
}

impl Operation for UpdateRole {
    const SPEC: Spec = iam(
        "UpdateRole",
        "PATCH",
        "/v1/roles/{RoleName}",
        &[
            ROLE_NAME,
            optional("Description", ROLE_DESCRIPTION_KIND),
            optional("MaxSessionDuration", Kind::Integer { min: 3_600, max: 43_200 }),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let mut role = RoleRecord::clone(&*known(call, &input.role_name)?);
        // As in IAM, a duration that is left out is the default again.
        role.max_session_seconds = input.max_session_duration.unwrap_or(3_600);
        if let Some(description) = &input.description {
            role.description.clone_from(description);
        }
        call.put(Record::Role(role));
        Ok(Output {})
    }
}

/// IAM answers with an element that holds nothing.
#[derive(Serialize)]
pub(crate) struct Output {}
