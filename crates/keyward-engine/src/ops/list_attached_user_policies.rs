//! `ListAttachedUserPolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListAttachedUserPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    #[serde(flatten)]
    page: AttachedInput,
}

impl Operation for ListAttachedUserPolicies {
    const SPEC: Spec = iam_read(
        "ListAttachedUserPolicies",
        "GET",
        "/v1/users/{UserName}/attached-policies",
        &[USER_NAME, POLICY_PATH_PREFIX, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = AttachedOutput;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<AttachedOutput, KmsError> {
        attached_policies::<UserRecord>(call, &input.user_name, &input.page)
    }
}
