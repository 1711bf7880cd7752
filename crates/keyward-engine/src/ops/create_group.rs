//! `CreateGroup` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateGroup.html>

use super::identity_prelude::*;

pub(crate) struct CreateGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    group_name: String,
    path: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    group: Group,
}

impl Operation for CreateGroup {
    const SPEC: Spec = iam("CreateGroup", "POST", "/v1/groups", &[PATH, GROUP_NAME]);
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        let (path, name) = (input.path(), &input.group_name);
        Ok(vec![Target::of(Subject::NewPrincipal { kind: "group", path, name })])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        claim_name::<GroupRecord>(call, &input.group_name)?;
        let group = GroupRecord {
            account: call.caller().account.clone(),
            name: input.group_name.clone(),
            path: input.path().to_owned(),
            group_id: credential::principal_id("AGPA", call.generator()),
            created: call.now(),
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
        };
        let output = Output { group: Group::of(&group) };
        call.put(Record::Group(group));
        Ok(output)
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        elements(output)
    }
}

impl Input {
    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or("/")
    }
}
