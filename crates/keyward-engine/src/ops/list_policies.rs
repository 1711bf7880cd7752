//! `ListPolicies` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListPolicies.html>

use super::identity_prelude::*;

pub(crate) struct ListPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    scope: Option<String>,
    #[serde(default)]
    only_attached: bool,
    path_prefix: Option<String>,
    policy_usage_filter: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policies: Vec<Policy>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for ListPolicies {
    const SPEC: Spec = iam_read(
        "ListPolicies",
        "GET",
        "/v1/policies",
        &[
            optional("Scope", Kind::Enum(&["All", "AWS", "Local"])),
            optional("OnlyAttached", Kind::Boolean),
            POLICY_PATH_PREFIX,
            POLICY_USAGE,
            IAM_MARKER,
            MAX_ITEMS,
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let mut chosen = Vec::new();
        for policy in all_policies(call, input.scope.as_deref(), prefix)? {
            let usage = usage_of_policy(call, &policy.arn())?;
            if input.wants(usage) {
                chosen.push((policy.arn(), policy.listed(usage)));
            }
        }
        chosen.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (chosen, page) = input.page.cut(call, "policies", chosen, |(arn, _)| arn.clone())?;
        Ok(Output { policies: chosen.into_iter().map(|(_, policy)| policy).collect(), page })
    }
}

impl Input {
    fn wants(&self, usage: Usage) -> bool {
        let used = match self.policy_usage_filter.as_deref() {
            Some("PermissionsBoundary") => 0 < usage.boundary,
            Some(_) => 0 < usage.attached,
            None => !self.only_attached || 0 < usage.attached + usage.boundary,
        };
        used && (!self.only_attached || 0 < usage.attached + usage.boundary)
    }
}
