//! `UntagRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagRole.html>

use super::identity_prelude::*;

pub(crate) struct UntagRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagRole {
    const SPEC: Spec =
        iam("UntagRole", "DELETE", "/v1/roles/{RoleName}/tags", &[ROLE_NAME, TAG_KEYS]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add_many("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let role = known::<RoleRecord>(call, &input.role_name)?;
        remove_tags(call, &*role, &input.tag_keys)
    }
}
