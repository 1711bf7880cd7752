//! Proposals as Terraform: one resource a document or grant, with the document in `jsonencode`.
//!
//! Source: <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role_policy>

use keyward_engine::usage::{Proposal, ProposalKind};
use serde_json::Value;

pub(super) fn hcl(proposal: &Proposal) -> String {
    let Proposal { kind, on, policy, grants, evidence, notes, .. } = proposal;
    let name = plain(on, '_');
    let mut text = String::new();
    notes.iter().for_each(|note| text.push_str(&format!("# {note}\n")));
    for one in evidence {
        text.push_str(&format!(
            "# {}: {} events, {} to {}\n",
            one.name, one.count, one.first, one.last
        ));
    }
    match (kind, policy) {
        (ProposalKind::Grants, _) => {
            for (number, grant) in grants.iter().flatten().enumerate() {
                text.push_str(&self::grant(&format!("{name}_{}", number + 1), grant));
            }
        }
        (_, None) => text.push_str(&format!("# nothing of the policies of {on} was used\n")),
        (ProposalKind::KeyPolicy, Some(policy)) => {
            let members = [("key_id", quoted(on)), ("policy", encoded(policy))];
            text.push_str(&resource("aws_kms_key_policy", &name, &members));
        }
        (ProposalKind::Identity, Some(policy)) => {
            let (kind, member) = match on.contains(":user/") {
                true => ("aws_iam_user_policy", "user"),
                false => ("aws_iam_role_policy", "role"),
            };
            let last = on.rsplit('/').next().unwrap_or(on);
            let members =
                [("name", quoted("proposed")), (member, quoted(last)), ("policy", encoded(policy))];
            text.push_str(&resource(kind, &name, &members));
        }
    }
    text
}

fn resource(kind: &str, name: &str, members: &[(&str, String)]) -> String {
    let lines: Vec<String> =
        members.iter().map(|(name, value)| format!("  {name} = {value}\n")).collect();
    format!("resource \"{kind}\" \"{name}\" {{\n{}}}\n\n", lines.concat())
}

fn grant(name: &str, grant: &Value) -> String {
    let of = |name: &str| grant.get(name);
    let mut members = Vec::new();
    let named = [("key_id", "KeyId"), ("grantee_principal", "GranteePrincipal")];
    for (member, from) in named {
        if let Some(value) = of(from).and_then(Value::as_str) {
            members.push((member, quoted(value)));
        }
    }
    if let Some(operations) = of("Operations") {
        members.push(("operations", expression(operations, 1)));
    }
    let mut text = resource("aws_kms_grant", name, &members);
    let constraints = [
        ("encryption_context_equals", "EncryptionContextEquals"),
        ("encryption_context_subset", "EncryptionContextSubset"),
    ];
    for (member, from) in constraints {
        if let Some(pairs) = of("Constraints").and_then(|all| all.get(from)) {
            let block =
                format!("  constraints {{\n    {member} = {}\n  }}\n}}\n\n", expression(pairs, 2));
            text.truncate(text.len() - "}\n\n".len());
            text.push_str(&block);
        }
    }
    text
}

fn encoded(policy: &Value) -> String {
    format!("jsonencode({})", expression(policy, 1))
}

/// A JSON value as an expression of HCL.
fn expression(value: &Value, depth: usize) -> String {
    let (inner, outer) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("{inner}{},\n", expression(item, depth + 1)))
                .collect();
            format!("[\n{}{outer}]", items.concat())
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| {
                    format!("{inner}{} = {}\n", quoted(name), expression(value, depth + 1))
                })
                .collect();
            format!("{{\n{}{outer}}}", members.concat())
        }
        other => other.to_string(),
    }
}

/// A text of HCL: what would begin a template is doubled.
/// <https://developer.hashicorp.com/terraform/language/expressions/strings#escape-sequences>
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.replace("${", "$${").replace("%{", "%%{")
}

/// Letters and digits of a name, with one mark for everything between.
pub(super) fn plain(text: &str, mark: char) -> String {
    let text = text.split(':').skip(5).last().unwrap_or(text);
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { mark }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn proposal(kind: ProposalKind, on: &str) -> Proposal {
        Proposal {
            kind,
            on: on.to_owned(),
            policy: None,
            grants: None,
            replaces: Vec::new(),
            evidence: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn documents_and_grants_are_resources_and_texts_mean_themselves() {
        let policy =
            json!({"Statement": [{"Condition": {"StringEquals": {"a:b": "${aws:username}"}}}]});
        let one = Proposal {
            policy: Some(policy),
            ..proposal(ProposalKind::Identity, "arn:aws:iam::000000000000:role/app")
        };
        let expected = "resource \"aws_iam_role_policy\" \"role_app\" {\n  name = \"proposed\"\n  role = \"app\"\n  policy = jsonencode({\n    \"Statement\" = [\n      {\n        \"Condition\" = {\n          \"StringEquals\" = {\n            \"a:b\" = \"$${aws:username}\"\n          }\n        }\n      },\n    ]\n  })\n}\n\n";
        assert_eq!(hcl(&one), expected);
        let grants = Proposal {
            grants: Some(vec![
                json!({"KeyId": "k", "GranteePrincipal": "g", "Operations": ["Decrypt"], "Constraints": {"EncryptionContextEquals": {"App": "a"}}}),
            ]),
            ..proposal(ProposalKind::Grants, "arn:aws:kms:us-east-1:000000000000:key/k")
        };
        let expected = "resource \"aws_kms_grant\" \"key_k_1\" {\n  key_id = \"k\"\n  grantee_principal = \"g\"\n  operations = [\n    \"Decrypt\",\n  ]\n  constraints {\n    encryption_context_equals = {\n      \"App\" = \"a\"\n    }\n  }\n}\n\n";
        assert_eq!(hcl(&grants), expected);
    }
}
