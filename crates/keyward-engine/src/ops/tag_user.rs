//! `TagUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html>

use super::identity_prelude::*;

pub(crate) struct TagUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    tags: Vec<IamTag>,
}

impl Operation for TagUser {
    const SPEC: Spec = iam(
        "TagUser",
        "POST",
        "/v1/users/{UserName}/tags",
        &[USER_NAME, required("Tags", IAM_TAGS_KIND)],
    );
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_iam_tags(&input.tags)?;
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let user = known::<UserRecord>(call, &input.user_name)?;
        put_tags(call, &*user, &input.tags)
    }
}
