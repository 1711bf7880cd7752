//! IAM's policy simulator, for users of AWS's own commands.
//!
//! As at AWS it tries policies: a resource's own policy counts only where the request brings it, and grants do not
//! count. For what would really be decided, ask `Simulate`.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html>

use super::Entry;
use crate::{
    Engine,
    authorize::request_facts,
    call::Call,
    layers::Layers,
    ops::identity_prelude::{IamPage, PageInput, iam_page, invalid_input},
    ops::prelude::*,
    shape::patterned,
};
use keyward_policy::{Place, Question, Resource, Values, statement_places};
use keyward_types::{
    AccountId, Arn, Caller, CallerKind, Decision, Effect, IdentityDocument, KeyName, Layer,
    LayerEffect, MaterialOrigin, caller::Document,
};
use std::collections::BTreeMap;

/// Members that both operations have.
pub(crate) const POLICY_INPUT_KIND: Kind = Kind::List { of: &POLICY_KIND, min: 0, max: usize::MAX };
pub(crate) const BOUNDARY_INPUT: Member =
    optional("PermissionsBoundaryPolicyInputList", POLICY_INPUT_KIND);
pub(crate) const ACTION_NAMES: Member =
    required("ActionNames", Kind::List { of: &text(3, 128), min: 0, max: usize::MAX });
pub(crate) const RESOURCE_ARNS: Member =
    optional("ResourceArns", Kind::List { of: &text(1, 2_048), min: 0, max: usize::MAX });
pub(crate) const RESOURCE_POLICY: Member = optional("ResourcePolicy", POLICY_KIND);
pub(crate) const RESOURCE_OWNER: Member = optional("ResourceOwner", text(1, 2_048));
pub(crate) const CALLER_ARN: Member = optional("CallerArn", text(1, 2_048));
pub(crate) const CONTEXT_ENTRIES: Member = optional(
    "ContextEntries",
    Kind::List {
        of: &Kind::Structure(&[
            optional("ContextKeyName", text(5, 256)),
            optional(
                "ContextKeyValues",
                Kind::List { of: &text(0, usize::MAX), min: 0, max: usize::MAX },
            ),
            optional(
                "ContextKeyType",
                Kind::Enum(&[
                    "string",
                    "stringList",
                    "numeric",
                    "numericList",
                    "boolean",
                    "booleanList",
                    "ip",
                    "ipList",
                    "binary",
                    "binaryList",
                    "date",
                    "dateList",
                ]),
            ),
        ]),
        min: 0,
        max: usize::MAX,
    },
);
pub(crate) const RESOURCE_HANDLING: Member = optional(
    "ResourceHandlingOption",
    patterned(1, 64, "[\\u0020-\\u007E]*", |text| text.chars().all(|c| (' '..='~').contains(&c))),
);

/// Questions of one request at most.
const QUESTIONS_MAX: usize = 10_000;

/// What both operations are given.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Given {
    #[serde(default)]
    pub(crate) policy_input_list: Vec<String>,
    #[serde(default)]
    permissions_boundary_policy_input_list: Vec<String>,
    action_names: Vec<String>,
    resource_arns: Option<Vec<String>>,
    resource_policy: Option<String>,
    resource_owner: Option<String>,
    pub(crate) caller_arn: Option<String>,
    #[serde(default)]
    context_entries: Vec<ContextEntry>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEntry {
    context_key_name: String,
    #[serde(default)]
    context_key_values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    evaluation_results: Vec<Evaluated>,
    #[serde(flatten)]
    page: IamPage,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Evaluated {
    eval_action_name: String,
    eval_resource_name: String,
    #[serde(flatten)]
    found: Found,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizations_decision_detail: Option<Organizations>,
    resource_specific_results: Vec<Specific>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Specific {
    eval_resource_name: String,
    eval_resource_decision: &'static str,
    matched_statements: Vec<Statement>,
    missing_context_values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary_decision_detail: Option<Boundary>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    eval_decision: &'static str,
    matched_statements: Vec<Statement>,
    missing_context_values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions_boundary_decision_detail: Option<Boundary>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    allowed_by_permissions_boundary: bool,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Organizations {
    allowed_by_organizations: bool,
}

#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    source_policy_id: String,
    source_policy_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_position: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Position {
    line: usize,
    column: usize,
}

impl From<Place> for Position {
    fn from(Place { line, column }: Place) -> Self {
        Self { line, column }
    }
}

/// A simulation that is about to run.
pub(crate) struct Simulation<'s> {
    pub(crate) caller: Caller,
    /// Whether the caller stands for nobody in particular.
    pub(crate) nobody: bool,
    pub(crate) layers: Layers,
    pub(crate) given: &'s Given,
}

/// Documents that the request brings, named by its member.
pub(crate) fn brought(
    call: &Call<'_>,
    member: &str,
    texts: &[String],
) -> Result<Vec<IdentityDocument>, KmsError> {
    let document = |(number, text): (usize, &String)| {
        let source = format!("{member}.{}", number + 1);
        call.policies()
            .validate_identity_policy(text)
            .map_err(|error| invalid_input(format!("{source}: {error}")))?;
        Ok(IdentityDocument { source, document: Document::new(text.as_str()) })
    };
    texts.iter().enumerate().map(document).collect()
}

impl Given {
    /// The boundary that the request brings.
    pub(crate) fn boundary(&self, call: &Call<'_>) -> Result<Option<IdentityDocument>, KmsError> {
        let member = "PermissionsBoundaryPolicyInputList";
        let mut brought = brought(call, member, &self.permissions_boundary_policy_input_list)?;
        match brought.len() {
            0 | 1 => Ok(brought.pop()),
            _ => Err(invalid_input("A principal has one permissions boundary")),
        }
    }
}

impl Simulation<'_> {
    pub(crate) fn run(&self, call: &mut Call<'_>, list: &str) -> Result<Output, KmsError> {
        let everything = vec!["*".to_owned()];
        let given = self.given;
        let resources =
            given.resource_arns.as_ref().filter(|arns| !arns.is_empty()).unwrap_or(&everything);
        let count = given.action_names.len().saturating_mul(resources.len());
        if QUESTIONS_MAX < count {
            return Err(invalid_input(format!(
                "More than {QUESTIONS_MAX} questions in one request"
            )));
        }
        let start = match given.page.after(call, list)? {
            Some(text) => text.parse::<usize>().map_or(0, |last| last.saturating_add(1)),
            None => 0,
        };
        let policy = self.resource_policy(call, resources)?;
        let pairs = given
            .action_names
            .iter()
            .flat_map(|action| resources.iter().map(move |resource| (action, resource)));
        let limit = given.page.limit();
        let some: Vec<_> = pairs.enumerate().skip(start).take(limit.saturating_add(1)).collect();
        let (some, page) = iam_page(call, list, some, limit, |(number, _)| number.to_string())?;
        let asked = some.into_iter().map(|(_, (action, resource))| {
            self.evaluate(call.engine(), action, resource, policy.as_ref())
        });
        Ok(Output { evaluation_results: asked.collect::<Result<_, _>>()?, page })
    }

    /// The resource's policy, where the request brings one. Only that of keys is understood.
    fn resource_policy(
        &self,
        call: &Call<'_>,
        resources: &[String],
    ) -> Result<Option<Document>, KmsError> {
        let Some(text) = &self.given.resource_policy else { return Ok(None) };
        if self.nobody {
            return Err(invalid_input("CallerArn must be given with a ResourcePolicy"));
        }
        if let Some(other) = resources.iter().find(|arn| key_of(arn).is_none()) {
            return Err(invalid_input(format!(
                "A ResourcePolicy is understood for KMS keys alone, and {other} is none"
            )));
        }
        call.policies()
            .validate_key_policy(text)
            .map_err(|error| invalid_input(format!("ResourcePolicy: {error}")))?;
        Ok(Some(Document::new(text.as_str())))
    }

    fn evaluate(
        &self,
        engine: &Engine,
        action: &str,
        arn: &str,
        policy: Option<&Document>,
    ) -> Result<Evaluated, KmsError> {
        if !action.contains(':') {
            return Err(invalid_input(format!("Invalid Action {action}")));
        }
        if arn != "*" && Arn::parse(arn).is_none() {
            return Err(invalid_input(format!("Invalid resource {arn}")));
        }
        // Guardrails name actions in one spelling.
        let listed =
            keyward_policy::guardrail_actions().find(|one| one.eq_ignore_ascii_case(action));
        let action = listed.unwrap_or(action);
        let facts = self.facts(engine);
        let key = policy.and(key_of(arn));
        let record = match &key {
            Some(name) if name.account == self.caller.account => {
                engine.store().key(name).map_err(KmsError::internal)?
            }
            _ => None,
        };
        let owner = key.as_ref().map(|name| self.owner(name)).transpose()?;
        let (no_tags, no_aliases) = (BTreeMap::new(), Vec::new());
        let resource = match (&owner, &record) {
            _ if arn == "*" => Resource::Any,
            (Some(owner), Some(record)) => Resource::Key {
                arn,
                owner,
                tags: &record.tags,
                aliases: &no_aliases,
                spec: record.spec,
                usage: record.usage,
                origin: record.origin,
                multi_region: record.name.key_id.is_multi_region(),
            },
            (Some(owner), None) => Resource::Key {
                arn,
                owner,
                tags: &no_tags,
                aliases: &no_aliases,
                spec: KeySpec::SymmetricDefault,
                usage: KeyUsage::EncryptDecrypt,
                origin: MaterialOrigin::AwsKms,
                multi_region: false,
            },
            (None, _) => Resource::Other { arn },
        };
        let question = Question {
            cross_account_allowed: true,
            key_policy: policy,
            ..self.layers.question(&self.caller, action, resource, &[], &facts)
        };
        let policies = &engine.world.policies;
        let decision = policies.decide(&question);
        let missing = policies.missing_keys(&question).into_iter().collect();
        Ok(self.told(&question, &decision, missing))
    }

    fn facts(&self, engine: &Engine) -> Facts<'static> {
        let mut facts = request_facts(engine.now());
        self.layers.facts(&self.caller, &mut facts);
        let absent = || Values::Many(Vec::new());
        facts.replace("aws:SecureTransport", absent());
        if self.nobody {
            for name in ["aws:username", "aws:userid", "aws:PrincipalArn", "aws:PrincipalType"] {
                facts.replace(name, absent());
            }
        }
        for entry in &self.given.context_entries {
            let entry = Entry {
                name: entry.context_key_name.clone(),
                values: entry.context_key_values.clone(),
            };
            facts.replace(&entry.name, entry.stated());
        }
        facts
    }

    /// Whose the key is: what the request says, or what its ARN says.
    fn owner(&self, key: &KeyName) -> Result<AccountId, KmsError> {
        let Some(text) = &self.given.resource_owner else { return Ok(key.account.clone()) };
        let account = Arn::parse(text).map_or(text.as_str(), |arn| arn.account);
        AccountId::parse(account)
            .ok_or_else(|| invalid_input(format!("ResourceOwner {text} names no account")))
    }

    fn told(
        &self,
        question: &Question<'_>,
        decision: &Decision,
        missing: Vec<String>,
    ) -> Evaluated {
        let allows = |layer| {
            let outcome = decision.layers.iter().find(|outcome| outcome.layer == layer);
            outcome.is_some_and(|outcome| outcome.effect == LayerEffect::Allow)
        };
        let boundary = question.boundary.map(|_| Boundary {
            allowed_by_permissions_boundary: allows(Layer::PermissionsBoundary),
        });
        let organizations = (!question.scps.is_empty()).then(|| Organizations {
            allowed_by_organizations: allows(Layer::ServiceControlPolicy)
                && decision.reason
                    != keyward_types::Reason::NotAllowed(Layer::ServiceControlPolicy),
        });
        let verdict = match decision.effect {
            Effect::Allow => "allowed",
            Effect::ExplicitDeny => "explicitDeny",
            Effect::ImplicitDeny => "implicitDeny",
        };
        let found = Found {
            eval_decision: verdict,
            matched_statements: self.matched(question, decision),
            missing_context_values: missing,
            permissions_boundary_decision_detail: boundary,
        };
        Evaluated {
            eval_action_name: question.action.to_owned(),
            eval_resource_name: question.resource.arn().to_owned(),
            resource_specific_results: vec![Specific {
                eval_resource_name: question.resource.arn().to_owned(),
                eval_resource_decision: verdict,
                matched_statements: found.matched_statements.clone(),
                missing_context_values: found.missing_context_values.clone(),
                permissions_boundary_decision_detail: boundary,
            }],
            found,
            organizations_decision_detail: organizations,
        }
    }

    /// The statements that decided: those that deny, or else those that allow. The organization's are told as a
    /// whole, as AWS does.
    fn matched(&self, question: &Question<'_>, decision: &Decision) -> Vec<Statement> {
        let allow = decision.effect != Effect::ExplicitDeny;
        let mut statements: Vec<Statement> = Vec::new();
        let told = |layer| {
            !matches!(layer, Layer::ServiceControlPolicy | Layer::Guardrail | Layer::Freeze)
        };
        let of_layers = decision.layers.iter().filter(|outcome| told(outcome.layer));
        let each = of_layers.flat_map(|outcome| {
            outcome.matched.iter().map(move |matched| (outcome.layer, matched))
        });
        for (layer, matched) in each {
            if matched.allow != allow {
                continue;
            }
            let documents = question.identity.iter().chain(question.boundary);
            let identity = documents.into_iter().find(|document| document.source == matched.source);
            let of_key = question.key_policy.filter(|_| layer == Layer::KeyPolicy);
            let document = identity.map(|document| &document.document).or(of_key);
            let places = document.map(|document| statement_places(document.text()));
            let place = places.and_then(|places| places.get(matched.index).copied());
            let (id, kind) = self.source(&matched.source);
            let statement = Statement {
                source_policy_id: id,
                source_policy_type: kind,
                start_position: place.map(|(start, _)| start.into()),
                end_position: place.map(|(_, end)| end.into()),
            };
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        statements
    }

    /// A document's name and kind as IAM tells them.
    fn source(&self, source: &str) -> (String, &'static str) {
        let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
        if source == "key policy" {
            ("ResourcePolicy".to_owned(), "resource")
        } else if source.starts_with("arn:aws:iam::aws:") {
            (last(source), "aws-managed")
        } else if source.starts_with("arn:") {
            (last(source), "user-managed")
        } else if let Some((_, name)) =
            source.strip_prefix("group ").and_then(|rest| rest.split_once(", inline policy "))
        {
            (name.to_owned(), "group")
        } else if let Some(name) = source.strip_prefix("inline policy ") {
            let role = matches!(self.caller.kind, CallerKind::RoleSession { .. });
            (name.to_owned(), if role { "role" } else { "user" })
        } else {
            (source.to_owned(), "none")
        }
    }
}

/// The key that an ARN names.
fn key_of(arn: &str) -> Option<KeyName> {
    match KeyRef::parse(arn) {
        KeyRef::Arn(name) => Some(name),
        _ => None,
    }
}

/// The caller of a simulation by the ARN that the request gives; it must be a user of the account.
pub(crate) fn caller(call: &Call<'_>, arn: Option<&str>) -> Result<(Caller, bool), KmsError> {
    let (engine, asker) = (call.engine(), call.caller());
    let Some(arn) = arn else {
        let nobody = format!("arn:aws:iam::{}:user/nobody", asker.account);
        let caller = super::principal::stranger(asker, &nobody, None);
        return Ok((caller.ok_or_else(|| KmsError::internal("nobody has no ARN"))?, true));
    };
    let stated = super::Stated { encryption_context: None, context: &[] };
    let caller = engine.suppose(asker, arn, stated).map_err(no_such_entity)?;
    match caller.kind {
        CallerKind::User { .. } => Ok((caller, false)),
        _ => Err(invalid_input("CallerArn must be the ARN of a user")),
    }
}

/// What is absent, in IAM's own words.
pub(crate) fn no_such_entity(error: KmsError) -> KmsError {
    match error.code {
        ErrorCode::NotFound => {
            KmsError::new(ErrorCode::IamNoSuchEntity, error.message.unwrap_or_default())
        }
        ErrorCode::Validation => invalid_input(error.message.unwrap_or_default()),
        _ => error,
    }
}
