//! `CreatePolicy` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>

use super::identity_prelude::*;

pub(crate) struct CreatePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    policy_name: String,
    path: Option<String>,
    policy_document: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    tags: Vec<IamTag>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    policy: Policy,
}

impl Operation for CreatePolicy {
    const SPEC: Spec = iam(
        "CreatePolicy",
        "POST",
        "/v1/policies",
        &[
            POLICY_NAME,
            optional("Path", POLICY_PATH_KIND),
            POLICY_DOCUMENT,
            optional("Description", text(0, 1_000)),
            optional("Tags", IAM_TAGS_KIND),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        check_iam_tags(&input.tags)?;
        let (path, name) = (input.path(), &input.policy_name);
        let subject = Subject::NewPrincipal { kind: "policy", path, name };
        let mut targets = vec![Target::of(subject.clone())];
        if !input.tags.is_empty() {
            targets.push(Target { action: Some("TagPolicy"), ..Target::of(subject) });
        }
        Ok(targets)
    }

    fn facts<'i>(input: &'i Input, _index: usize, facts: &mut Facts<'i>) {
        iam_tag_facts(&input.tags, facts);
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        claim_name::<ManagedPolicyRecord>(call, &input.policy_name)?;
        let now = call.now();
        let version = PolicyVersion {
            number: 1,
            document: admit_managed_document(call, &input.policy_document)?,
            created: now,
        };
        let policy = ManagedPolicyRecord {
            account: call.caller().account.clone(),
            name: input.policy_name.clone(),
            path: input.path().to_owned(),
            policy_id: credential::principal_id("ANPA", call.generator()),
            description: input.description.clone(),
            created: now,
            updated: now,
            tags: iam_tag_map(&input.tags),
            versions: vec![version],
            default_version: 1,
            next_version: 2,
        };
        call.put(Record::ManagedPolicy(policy.clone()));
        let unused = Usage { attached: 0, boundary: 0 };
        Ok(Output { policy: Managed::Own(Arc::new(policy)).answer(unused) })
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
