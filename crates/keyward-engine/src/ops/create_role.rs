//! `CreateRole` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use super::identity_prelude::*;

pub(crate) struct CreateRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    role_name: String,
    assume_role_policy_document: String,
    path: Option<String>,
    #[serde(default)]
    description: String,
    max_session_duration: Option<u32>,
    permissions_boundary: Option<String>,
    #[serde(default)]
    tags: Vec<IamTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    role: Role,
}

impl Operation for CreateRole {
    const SPEC: Spec = iam(
        "CreateRole",
        "POST",
        "/v1/roles",
        &[
            PATH,
            ROLE_NAME,
            required("AssumeRolePolicyDocument", POLICY_KIND),
            optional("Description", ROLE_DESCRIPTION_KIND),
            optional("MaxSessionDuration", Kind::Integer { min: 3_600, max: 43_200 }),
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
            Subject::NewPrincipal { kind: "role", path: input.path(), name: &input.role_name };
        let mut targets = vec![Target::of(subject.clone())];
        if !input.tags.is_empty() {
            targets.push(Target { action: Some("TagRole"), ..Target::of(subject) });
        }
        Ok(targets)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
        boundary_fact(input.permissions_boundary.as_deref(), facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        claim_name::<RoleRecord>(call, &input.role_name)?;
        input.permissions_boundary.as_deref().map_or(Ok(()), |arn| admit_boundary(call, arn))?;
        let trust = admit_trust(call, &input.assume_role_policy_document)?;
        let role = RoleRecord {
            account: call.caller().account.clone(),
            name: input.role_name.clone(),
            path: input.path().to_owned(),
            role_id: credential::principal_id("AROA", call.generator()),
            created: call.now(),
            description: input.description.clone(),
            max_session_seconds: input.max_session_duration.unwrap_or(3_600),
            trust: trust.document,
            trust_principals: trust.principals,
            tags: iam_tag_map(&input.tags),
            policies: BTreeMap::new(),
            attached: BTreeSet::new(),
            boundary: input.permissions_boundary.clone(),
        };
        let output = Output { role: Role::of(&role) };
        call.put(Record::Role(role));
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
