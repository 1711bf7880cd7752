//! `ValidatePolicy` <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_ValidatePolicy.html>
//!
//! The findings are those of `keyward policy lint`, under its own codes. Findings are in English whatever the locale.

use super::analyzer_prelude::*;
use keyward_policy::{Finding, LintContext, LintKind, lint};

pub(crate) struct ValidatePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    policy_document: String,
    policy_type: String,
    validate_policy_resource_type: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    findings: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

const TRUST: &str = "AWS::IAM::AssumeRolePolicyDocument";
const MORE: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html";

impl Operation for ValidatePolicy {
    const SPEC: Spec = analyzer(
        "ValidatePolicy",
        "/policy/validation",
        &[
            optional(
                "locale",
                Kind::Enum(&["DE", "EN", "ES", "FR", "IT", "JA", "KO", "PT_BR", "ZH_CN", "ZH_TW"]),
            ),
            optional("maxResults", Kind::Integer { min: 1, max: 1_000 }),
            optional("nextToken", text(0, 64)),
            required("policyDocument", DOCUMENT),
            required(
                "policyType",
                Kind::Enum(&[
                    "IDENTITY_POLICY",
                    "RESOURCE_POLICY",
                    "SERVICE_CONTROL_POLICY",
                    "RESOURCE_CONTROL_POLICY",
                ]),
            ),
            optional("validatePolicyResourceType", text(1, 256)),
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        account()
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let invalid = |words: &str| KmsError::new(ErrorCode::Validation, words);
        let kind = match (
            input.policy_type.as_str(),
            input.validate_policy_resource_type.as_deref(),
        ) {
            ("IDENTITY_POLICY", _) => LintKind::IdentityPolicy,
            ("SERVICE_CONTROL_POLICY", _) => LintKind::ServiceControlPolicy,
            ("RESOURCE_CONTROL_POLICY", _) => LintKind::ResourceControlPolicy,
            (_, None) => LintKind::KeyPolicy,
            (_, Some(TRUST)) => LintKind::TrustPolicy,
            _ => {
                return Err(invalid(
                    "Resource policies of keys and of roles are validated here, and of no other type of resource.",
                ));
            }
        };
        let about = LintContext { account: Some(call.caller().account.clone()), key_arn: None };
        let findings = lint(&input.policy_document, kind, &about);
        let from: usize = match &input.next_token {
            Some(token) => token.parse().map_err(|_| invalid("The token is not one of ours."))?,
            None => 0,
        };
        let most = input.max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(100);
        let page = findings.iter().skip(from).take(most);
        let page: Vec<Value> = page.map(|finding| shown(finding, &input.policy_document)).collect();
        let next = from.saturating_add(page.len());
        let next_token = (next < findings.len()).then(|| next.to_string());
        Ok(Output { findings: page, next_token })
    }
}

fn shown(finding: &Finding, document: &str) -> Value {
    let position = json!({
        "line": finding.line,
        // Lines count from 1 there, and columns from 0.
        "column": finding.column.saturating_sub(1),
        "offset": offset(document, finding.line, finding.column),
    });
    json!({
        "findingDetails": format!("{}: {}", finding.message, finding.advice),
        "findingType": finding.severity.as_str(),
        "issueCode": finding.code,
        "learnMoreLink": MORE,
        "locations": [{
            "path": path(&finding.path),
            "span": {"start": position, "end": position},
        }],
    })
}

/// Characters before a place.
fn offset(document: &str, line: usize, column: usize) -> usize {
    let before = document.split_inclusive('\n').take(line.saturating_sub(1));
    before.map(|line| line.chars().count()).sum::<usize>() + column.saturating_sub(1)
}

/// `Statement[0].Action[1]` as elements. A condition's key holds dots of its own, and is the last element.
fn path(text: &str) -> Vec<Value> {
    let mut elements = Vec::new();
    let mut parts = text.splitn(4, '.').filter(|part| !part.is_empty());
    for part in &mut parts {
        let (name, places) = part.split_once('[').unwrap_or((part, ""));
        elements.push(json!({"value": name}));
        for place in places.split(['[', ']']).filter_map(|place| place.parse::<u64>().ok()) {
            elements.push(json!({"index": place}));
        }
    }
    elements
}
