//! `CreateUser` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>

use super::identity_prelude::*;

pub(crate) struct CreateUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    user_name: String,
    path: Option<String>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<IamTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    user: User,
}

impl Operation for CreateUser {
    const SPEC: Spec = iam(
        "CreateUser",
        "POST",
        "/v1/users",
        &[
            PATH,
            required("UserName", name_kind(64)),
            PERMISSIONS_BOUNDARY,
            optional("Tags", IAM_TAGS_KIND),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        input.permissions_boundary.as_deref().map_or(Ok(()), check_policy_arn)?;
        check_iam_tags(&input.tags)?;
        let subject =
            Subject::NewPrincipal { kind: "user", path: input.path(), name: &input.user_name };
        let mut targets = vec![Target::of(subject.clone())];
        if !input.tags.is_empty() {
            targets.push(Target { action: Some("TagUser"), ..Target::of(subject) });
        }
        Ok(targets)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
        boundary_fact(input.permissions_boundary.as_deref(), facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        claim_name::<UserRecord>(call, &input.user_name)?;
        input.permissions_boundary.as_deref().map_or(Ok(()), |arn| admit_boundary(call, arn))?;
        let user = UserRecord {
            account: call.caller().account.clone(),
            name: input.user_name.clone(),
            path: input.path().to_owned(),
            user_id: credential::principal_id("AIDA", call.generator()),
            created: call.now(),
            tags: iam_tag_map(&input.tags),
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
            groups: BTreeSet::new(),
            boundary: input.permissions_boundary.clone(),
        };
        let output = Output { user: User::of(&user) };
        call.put(Record::User(user));
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
