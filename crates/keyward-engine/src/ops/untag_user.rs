//! `UntagUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html>

use super::identity_prelude::*;

pub(crate) struct UntagUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagUser {
    const SPEC: Spec =
        iam("UntagUser", "DELETE", "/v1/users/{UserName}/tags", &[USER_NAME, TAG_KEYS]);
    type Input = Input;
    type Output = Empty;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        facts.add_many("aws:TagKeys", input.tag_keys.iter().map(String::as_str));
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Empty, KmsError> {
        let user = known::<UserRecord>(call, &input.user_name)?;
        remove_tags(call, &*user, &input.tag_keys)
    }
}
