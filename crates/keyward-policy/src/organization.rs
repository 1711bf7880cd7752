//! Whether the policies around an account may be saved: those of an organization, and those of endpoints.
//!
//! Sizes are the caller's business.
//! Sources: <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html>,
//! <https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html>

use crate::{
    document::{DocumentKind, Statement},
    engine::PolicyEngine,
    error::PolicyError,
    principal::Named,
    validate::check,
};

/// Services whose resources AWS lets a resource control policy speak of. Here it counts for keys.
const RCP_SERVICES: &[&str] = &[
    "aoss",
    "cognito-identity",
    "cognito-idp",
    "dynamodb",
    "ecr",
    "kms",
    "logs",
    "s3",
    "secretsmanager",
    "sqs",
    "sts",
];

impl PolicyEngine {
    /// Checks a service control policy: written as an identity policy is.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and where.
    pub fn validate_service_control_policy(&self, text: &str) -> Result<(), PolicyError> {
        self.validate_identity_policy(text)
    }

    /// Checks a resource control policy: it denies everybody, for named services.
    ///
    /// # Errors
    /// As [`Self::validate_service_control_policy`].
    pub fn validate_resource_control_policy(&self, text: &str) -> Result<(), PolicyError> {
        let parsed = check(text, DocumentKind::Resource)?;
        parsed.statements.iter().enumerate().try_for_each(|(index, statement)| {
            denies_everybody(statement)
                .and_then(|()| complete(statement))
                .and_then(|()| of_services(statement))
                .map_err(|why| PolicyError::malformed(format!("Statement[{index}]"), why))
        })
    }

    /// Checks the policy of an endpoint.
    ///
    /// # Errors
    /// As [`Self::validate_service_control_policy`].
    pub fn validate_endpoint_policy(&self, text: &str) -> Result<(), PolicyError> {
        let parsed = check(text, DocumentKind::Resource)?;
        parsed.statements.iter().enumerate().try_for_each(|(index, statement)| {
            complete(statement)
                .map_err(|why| PolicyError::malformed(format!("Statement[{index}]"), why))
        })
    }
}

fn denies_everybody(statement: &Statement) -> Result<(), String> {
    if statement.allow {
        return Err("a resource control policy only denies: Effect must be Deny".to_owned());
    }
    let everybody = statement
        .principals
        .as_ref()
        .is_some_and(|listed| !listed.not && listed.items.iter().all(|one| *one == Named::Anyone));
    if everybody {
        Ok(())
    } else {
        Err("Principal must be \"*\" in a resource control policy; exempt principals in Condition, with aws:PrincipalArn or aws:PrincipalOrgID".to_owned())
    }
}

/// What a key policy may leave out, to no effect, is an error here.
fn complete(statement: &Statement) -> Result<(), String> {
    if statement.actions.is_none() {
        return Err("Policy statement must contain actions.".to_owned());
    }
    if statement.resources.is_none() {
        return Err("Policy statement must contain resources.".to_owned());
    }
    Ok(())
}

fn of_services(statement: &Statement) -> Result<(), String> {
    let Some(actions) = &statement.actions else { return Ok(()) };
    if actions.not {
        return Err(
            "NotAction is not supported in a resource control policy; list actions".to_owned()
        );
    }
    let foreign = |text: &&String| {
        let vendor = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !RCP_SERVICES.contains(&vendor.as_str())
    };
    match actions.texts.iter().find(foreign) {
        None => Ok(()),
        Some(text) => Err(format!(
            "a resource control policy cannot name the action {text}; it takes actions of {}, such as kms:*",
            RCP_SERVICES.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#)
    }

    #[test]
    fn a_resource_control_policy_denies_everybody_for_named_services() {
        let engine = PolicyEngine::new();
        let good = r#"{"Effect":"Deny","Principal":"*","Action":["kms:*","sts:AssumeRole"],"Resource":"*","Condition":{"StringNotEqualsIfExists":{"aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false"}}}"#;
        assert_eq!(engine.validate_resource_control_policy(&document(good)), Ok(()));
        for (from, to, says) in [
            ("Deny", "Allow", "only denies"),
            (r#""Principal":"*""#, r#""Principal":{"AWS":"111122223333"}"#, "exempt principals"),
            (r#""Principal":"*""#, r#""NotPrincipal":{"AWS":"111122223333"}"#, "exempt principals"),
            (r#""Principal":"*","#, "", "no Principal"),
            (r#""Action""#, r#""NotAction""#, "list actions"),
            ("sts:AssumeRole", "ec2:RunInstances", "ec2:RunInstances"),
            (r#"["kms:*","sts:AssumeRole"]"#, r#""*""#, "such as kms:*"),
            (r#""Action":["kms:*","sts:AssumeRole"],"#, "", "actions"),
            (r#""Resource":"*","#, "", "resources"),
            ("kms:*", "kms:Decrypted", "kms:Decrypted"),
        ] {
            let bad = document(&good.replacen(from, to, 1));
            let said = engine.validate_resource_control_policy(&bad).unwrap_err().to_string();
            assert!(said.contains(says) && said.starts_with("Statement[0]"), "{bad} said {said}");
        }
    }

    #[test]
    fn an_endpoint_policy_is_whole() {
        let engine = PolicyEngine::new();
        let good = r#"{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;
        assert_eq!(engine.validate_endpoint_policy(&document(good)), Ok(()));
        for part in [r#""Principal":"*","#, r#""Action":"kms:*","#, r#","Resource":"*""#] {
            let bad = document(&good.replace(part, ""));
            assert!(engine.validate_endpoint_policy(&bad).is_err(), "{bad}");
        }
        let bad = document(&good.replace(r#""Principal":"*","#, ""));
        assert!(engine.validate_service_control_policy(&bad).is_ok());
        assert!(engine.validate_service_control_policy(&document(good)).is_err());
    }
}
