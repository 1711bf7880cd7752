//! `ListUserPolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListUserPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy_names: Vec<String>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListUserPolicies {
    const SPEC: Spec = iam_read(
        "ListUserPolicies",
        "GET",
        "/v1/users/{UserName}/policies",
        &[USER_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::User(Some(&input.user_name)))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (policy_names, page) =
            policy_names::<UserRecord>(call, "user-policies", &input.user_name, &input.page)?;
        Ok(Output { policy_names, page })
    }
}
