//! `ListRolePolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListRolePolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
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

impl Operation for ListRolePolicies {
    const SPEC: Spec = iam_read(
        "ListRolePolicies",
        "GET",
        "/v1/roles/{RoleName}/policies",
        &[ROLE_NAME, IAM_MARKER, MAX_ITEMS],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Role(&input.role_name))])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (policy_names, page) =
            policy_names::<RoleRecord>(call, "role-policies", &input.role_name, &input.page)?;
        Ok(Output { policy_names, page })
    }
}
