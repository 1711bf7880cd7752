//! `TagRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html>

use super::identity_prelude::*;

pub(crate) struct TagRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    tags: Vec<IamTag>,
}

impl Operation for TagRole {
    const SPEC: Spec = iam(
        "TagRole",
        "POST",
        "/v1/roles/{RoleName}/tags",
        &[ROLE_NAME, required("Tags", IAM_TAGS_KIND)],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_iam_tags(&input.tags)?;
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let role = known::<RoleRecord>(call, &input.role_name)?;
        put_tags(call, &*role, &input.tags)
    }
}
