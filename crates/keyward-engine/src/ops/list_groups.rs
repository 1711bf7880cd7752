//! `ListGroups` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroups.html>

use super::identity_prelude::*;

pub(crate) struct ListGroups;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    groups: Vec<Group>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListGroups {
    const SPEC: Spec =
        iam_read("ListGroups", "GET", "/v1/groups", &[PATH_PREFIX, IAM_MARKER, MAX_ITEMS]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let (groups, page) =
            entities::<GroupRecord>(call, "groups", &input.page, input.path_prefix.as_deref())?;
        Ok(Output { groups: groups.iter().map(|group| Group::of(group)).collect(), page })
    }
}
