//! `UpdateGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateGroup.html>

use super::identity_prelude::*;

pub(crate) struct UpdateGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    new_path: Option<String>,
    new_group_name: Option<String>,
}

impl Operation for UpdateGroup {
    const SPEC: Spec = iam(
        "UpdateGroup",
        "PATCH",
        "/v1/groups/{GroupName}",
        &[GROUP_NAME, optional("NewPath", PATH_KIND), optional("NewGroupName", name_kind(128))],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let (path, name) = (input.new_path.as_deref(), input.new_group_name.as_deref());
        let subject = Subject::Group(&input.group_name);
        Ok(renaming_targets::<GroupRecord>(subject, &input.group_name, path, name))
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let (path, name) = (input.new_path.as_deref(), input.new_group_name.as_deref());
        rename_group(call, &input.group_name, path, name)
    }
}
