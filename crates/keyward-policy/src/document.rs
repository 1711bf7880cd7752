//! IAM documents: JSON parsed into types, strictly.
//!
//! It does not know who may save a document or how large it may be. What is unknown, doubled or misspelt is
//! refused with the place where it stands, because a statement that is stored and ignored protects nothing.
//!
//! INVARIANT: a single value and a list of one are the same thing.
//! INVARIANT: evaluation and validation parse by this one path.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use crate::{
    actions::ActionPattern,
    condition::{ConditionValue, Test, operators::Shape},
    error::PolicyError,
    json::Json,
    keys::RESOURCE_ALIASES,
    pattern::{Pattern, Syntax},
    principal::{self, Named},
};
use keyward_types::Caller;

/// What a document is for; it decides which elements a statement has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DocumentKind {
    /// Attached to a key, an endpoint or a set of resources: statements have principals.
    Resource,
    /// Attached to an identity or an account: statements have none.
    Identity,
    /// A role's trust policy: principals, and the role itself as the resource.
    Trust,
}

#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) statements: Vec<Statement>,
    /// Every name by which a statement names a principal, sorted.
    names: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) allow: bool,
    /// `None`: the statement has none and, where one is needed, no effect.
    pub(crate) principals: Option<Listed<Named>>,
    pub(crate) actions: Option<Listed<ActionPattern>>,
    pub(crate) resources: Option<Listed<ResourcePattern>>,
    pub(crate) tests: Vec<Test>,
}

/// A list, or its complement.
#[derive(Clone, Debug)]
pub(crate) struct Listed<T> {
    pub(crate) not: bool,
    pub(crate) items: Vec<T>,
    pub(crate) texts: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResourcePattern {
    /// `*` alone.
    All,
    Arn(Pattern),
}

impl Statement {
    /// About how many bytes the statement takes, parsed or compiled: an expression for each value, and a
    /// piece for each character.
    pub(crate) fn bytes(&self) -> u64 {
        const STATEMENT: usize = 4_096;
        const VALUE: usize = 1_024;
        const CHARACTER: usize = 32;
        let listed = [
            self.principals.as_ref().map(|listed| &listed.texts),
            self.actions.as_ref().map(|listed| &listed.texts),
            self.resources.as_ref().map(|listed| &listed.texts),
        ];
        let values = self.tests.iter().map(|test| &test.value_texts);
        let texts = listed.into_iter().flatten().chain(values);
        let bytes: usize = texts.flatten().map(|text| VALUE + CHARACTER * text.len()).sum();
        (STATEMENT + VALUE * self.tests.len() + bytes).try_into().unwrap_or(u64::MAX)
    }

    /// Whether the statement speaks of this action.
    pub(crate) fn covers_action(&self, action: &str) -> bool {
        self.actions
            .as_ref()
            .is_some_and(|listed| listed.items.iter().any(|item| item.fits(action)) != listed.not)
    }
}

impl Parsed {
    pub(crate) fn parse(text: &str, kind: DocumentKind) -> Result<Self, PolicyError> {
        let json = Json::parse(text)?;
        let root = json.object("")?;
        let (mut statements, mut variables) = (None, false);
        for (name, value) in root {
            match name.as_str() {
                "Version" => variables = version(value)?,
                "Id" if kind == DocumentKind::Identity => {
                    return Err(PolicyError::malformed("Id", "an identity policy has no Id"));
                }
                "Id" => drop(value.text("Id")?),
                "Statement" => statements = Some(value),
                other => {
                    return Err(PolicyError::malformed("", format!("unknown element {other}")));
                }
            }
        }
        let statements = statements
            .ok_or_else(|| PolicyError::malformed("", "the policy has no Statement"))?
            .list();
        if statements.is_empty() {
            return Err(PolicyError::malformed("Statement", "the policy has no statements"));
        }
        let read = |(index, json)| {
            Reader { kind, variables, at: format!("Statement[{index}]") }.statement(json)
        };
        let statements: Vec<Statement> =
            statements.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Self::of(statements))
    }

    /// The document of these statements.
    pub(crate) fn of(statements: Vec<Statement>) -> Self {
        let named = statements.iter().filter_map(|statement| statement.principals.as_ref());
        let mut names: Vec<String> = named
            .flat_map(|listed| listed.items.iter().filter_map(Named::name))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names.dedup();
        Self { statements, names }
    }

    /// Which of this document's names are the caller's.
    pub(crate) fn audience(&self, caller: &Caller) -> Audience {
        let mut audience = Audience::default();
        for (slot, name) in audience.0.iter_mut().zip(principal::standing(caller).names()) {
            let name = name.unwrap_or_default();
            let place = self.names.binary_search_by(|known| known.as_str().cmp(name)).ok();
            *slot = place.and_then(|place| u32::try_from(place).ok());
        }
        audience
    }

    /// The account of a caller that is this audience, where the document names it.
    pub(crate) fn account_of(&self, audience: Audience) -> Option<&str> {
        let [_, _, account] = audience.0;
        self.names.get(usize::try_from(account?).ok()?).map(String::as_str)
    }

    /// Whether the statement can speak of a caller that is this audience: false only where the test of its
    /// principals is certain to fail, and that test stands before all others.
    pub(crate) fn concerns(&self, statement: &Statement, audience: Audience) -> bool {
        let Some(listed) = statement.principals.as_ref().filter(|listed| !listed.not) else {
            return true;
        };
        let own = |name: &str| {
            audience.0.iter().flatten().any(|place| {
                usize::try_from(*place)
                    .ok()
                    .and_then(|place| self.names.get(place))
                    .is_some_and(|known| known == name)
            })
        };
        listed.items.iter().any(|item| item.name().is_none_or(own))
    }
}

/// The places, in a document's names, of those by which it names a caller. Callers of one audience are
/// spoken of by the same statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Audience([Option<u32>; 3]);

/// Whether policy variables work.
fn version(json: &Json) -> Result<bool, PolicyError> {
    match json.text("Version")? {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        other => Err(PolicyError::malformed("Version", format!("unknown version {other}"))),
    }
}

/// Reads the statement that stands at `at`.
pub(crate) struct Reader {
    pub(crate) kind: DocumentKind,
    pub(crate) variables: bool,
    pub(crate) at: String,
}

impl Reader {
    fn statement(&self, json: &Json) -> Result<Statement, PolicyError> {
        let mut effect = None;
        let mut statement = Statement {
            sid: None,
            allow: false,
            principals: None,
            actions: None,
            resources: None,
            tests: Vec::new(),
        };
        for (name, value) in json.object(&self.at)? {
            let at = format!("{}.{name}", self.at);
            match name.as_str() {
                "Sid" => {
                    statement.sid = Some(value.text(&at)?.to_owned()).filter(|sid| !sid.is_empty())
                }
                "Effect" => effect = Some(self.effect(value, &at)?),
                "Principal" | "NotPrincipal" => {
                    self.once(&mut statement.principals, self.principals(name, value, &at)?, &at)?
                }
                "Action" | "NotAction" => {
                    self.once(&mut statement.actions, self.actions(name, value, &at)?, &at)?
                }
                "Resource" | "NotResource" => {
                    self.once(&mut statement.resources, self.resources(name, value, &at)?, &at)?
                }
                "Condition" => statement.tests = self.condition(value, &at)?,
                other => {
                    return Err(PolicyError::malformed(
                        &self.at,
                        format!("unknown element {other}"),
                    ));
                }
            }
        }
        statement.allow = effect
            .ok_or_else(|| PolicyError::malformed(&self.at, "the statement has no Effect"))?;
        self.complete(&statement)?;
        Ok(statement)
    }

    fn effect(&self, json: &Json, at: &str) -> Result<bool, PolicyError> {
        match json.text(at)? {
            "Allow" => Ok(true),
            "Deny" => Ok(false),
            other => {
                Err(PolicyError::malformed(at, format!("Effect is Allow or Deny, not {other}")))
            }
        }
    }

    /// An element and its complement exclude each other.
    fn once<T>(&self, slot: &mut Option<T>, value: T, at: &str) -> Result<(), PolicyError> {
        if slot.replace(value).is_some() {
            return Err(PolicyError::malformed(
                at,
                "the element and its Not form exclude each other",
            ));
        }
        Ok(())
    }

    fn complete(&self, statement: &Statement) -> Result<(), PolicyError> {
        let missing = |what: &str| {
            Err(PolicyError::malformed(&self.at, format!("Policy statement must contain {what}.")))
        };
        if statement.allow && statement.principals.as_ref().is_some_and(|listed| listed.not) {
            return Err(PolicyError::malformed(
                &self.at,
                "Allow with NotPrincipal would name everybody else, and is not accepted",
            ));
        }
        match self.kind {
            // A key policy's statement without Action or Resource is kept and has no effect.
            DocumentKind::Resource => Ok(()),
            DocumentKind::Identity | DocumentKind::Trust if statement.actions.is_none() => {
                missing("actions")
            }
            DocumentKind::Identity if statement.resources.is_none() => missing("resources"),
            DocumentKind::Identity | DocumentKind::Trust => Ok(()),
        }
    }

    fn principals(&self, name: &str, json: &Json, at: &str) -> Result<Listed<Named>, PolicyError> {
        if self.kind == DocumentKind::Identity {
            return Err(PolicyError::malformed(&self.at, format!("Has prohibited field {name}.")));
        }
        let mut listed =
            Listed { not: name == "NotPrincipal", items: Vec::new(), texts: Vec::new() };
        let mut add = |kind: &str, text: &str| {
            let invalid =
                || PolicyError::InvalidPrincipal { at: at.to_owned(), principal: text.to_owned() };
            let named = principal::parse(kind, text, self.kind == DocumentKind::Trust)
                .ok_or_else(invalid)?;
            listed.items.push(named);
            listed.texts.push(text.to_owned());
            Ok::<(), PolicyError>(())
        };
        if json.as_text().is_some() {
            add("*", json.text(at)?)?;
        } else {
            for (kind, values) in json.object(at)? {
                for value in values.list() {
                    add(kind, value.text(&format!("{at}.{kind}"))?)?;
                }
            }
        }
        let exempts_all = listed.not && listed.items.contains(&Named::Anyone);
        if listed.items.is_empty() || exempts_all {
            return Err(PolicyError::InvalidPrincipal {
                at: at.to_owned(),
                principal: listed.texts.join(", "),
            });
        }
        Ok(listed)
    }

    fn actions(
        &self,
        name: &str,
        json: &Json,
        at: &str,
    ) -> Result<Listed<ActionPattern>, PolicyError> {
        let texts = json.texts(at)?;
        let items = texts
            .iter()
            .map(|text| ActionPattern::parse(text).map_err(|why| PolicyError::malformed(at, why)));
        Ok(Listed { not: name == "NotAction", items: items.collect::<Result<_, _>>()?, texts })
    }

    fn resources(
        &self,
        name: &str,
        json: &Json,
        at: &str,
    ) -> Result<Listed<ResourcePattern>, PolicyError> {
        if self.kind == DocumentKind::Trust {
            return Err(PolicyError::malformed(&self.at, format!("Has prohibited field {name}.")));
        }
        let texts = json.texts(at)?;
        let items = texts.iter().map(|text| self.resource(text, at)).collect::<Result<_, _>>()?;
        Ok(Listed { not: name == "NotResource", items, texts })
    }

    pub(crate) fn resource(&self, text: &str, at: &str) -> Result<ResourcePattern, PolicyError> {
        if text == "*" {
            return Ok(ResourcePattern::All);
        }
        let not_arn = || match self.kind {
            DocumentKind::Resource => {
                PolicyError::InvalidArn { at: at.to_owned(), arn: text.to_owned() }
            }
            _ => PolicyError::malformed(
                at,
                format!("Resource {text} must be in ARN format or \"*\"."),
            ),
        };
        let syntax = Syntax { variables: self.variables, wildcards: true };
        let pattern =
            Pattern::parse(text, syntax).map_err(|why| PolicyError::malformed(at, why))?;
        let parts = pattern.arn_parts().filter(|_| text.starts_with("arn:")).ok_or_else(not_arn)?;
        if parts.iter().take(5).any(|part| part.variables().next().is_some()) {
            return Err(PolicyError::malformed(
                at,
                format!("{text} has a variable before its fifth colon"),
            ));
        }
        let vendor_ok = |vendor: &String| {
            !vendor.is_empty() && vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let vendor = parts.get(2).and_then(Pattern::literal);
        if !vendor.as_ref().is_some_and(vendor_ok) {
            return Err(PolicyError::malformed(
                at,
                format!(
                    "{text}: Resource vendor must be fully qualified and cannot contain regexes."
                ),
            ));
        }
        Ok(ResourcePattern::Arn(pattern))
    }

    fn condition(&self, json: &Json, at: &str) -> Result<Vec<Test>, PolicyError> {
        let mut tests = Vec::new();
        for (operator, keys) in json.object(at)? {
            let at = format!("{at}.{operator}");
            for (key, values) in keys.object(&at)? {
                let at = format!("{at}.{key}");
                let values: Vec<ConditionValue> = values
                    .list()
                    .into_iter()
                    .map(|value| value.scalar(&at))
                    .collect::<Result<_, _>>()?;
                let mut test = Test::parse(operator, key, &values, self.variables)
                    .map_err(|why| PolicyError::malformed(&at, why))?;
                if self.kind != DocumentKind::Identity && test.key.name == RESOURCE_ALIASES {
                    test.key = test.key.unseen();
                }
                debug_assert!(test.operator.shape != Shape::Null || test.quantifier.is_none());
                tests.push(test);
            }
        }
        Ok(tests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: DocumentKind, text: &str) -> String {
        Parsed::parse(text, kind).unwrap_err().to_string()
    }

    #[test]
    fn what_is_unknown_or_doubled_is_refused_and_named() {
        let statement = |rest: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"kms:*","Resource":"*"{rest}}}]}}"#
            )
        };
        for (text, names) in [
            ("[]".to_owned(), "object"),
            ("{".to_owned(), "JSON"),
            (r#"{"Version":"2012-10-17"}"#.to_owned(), "Statement"),
            (r#"{"Version":"2020-01-01","Statement":[]}"#.to_owned(), "2020-01-01"),
            (r#"{"Statement":[]}"#.to_owned(), "no statements"),
            (statement(r#","Effect":"Deny""#), "Statement[0]"),
            (statement(r#","effect":"Deny""#), "effect"),
            (statement(r#","NotAction":"kms:Sign""#), "NotAction"),
            (statement(r#","Condition":{"StringEqual":{"aws:username":"a"}}"#), "StringEqual"),
            (statement(r#","Condition":{"StringEquals":{"aws:usernam":"a"}}"#), "aws:usernam"),
            (
                statement(r#","Condition":{"StringEquals":{"aws:username":{"a":1}}}"#),
                "Condition.StringEquals.aws:username",
            ),
            (statement(r#","Condition":{"NumericLessThan":{"aws:EpochTime":"soon"}}"#), "soon"),
            (statement(r#","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0"}}"#), "10.0.0"),
            (statement(r#","Condition":{"Bool":{"aws:SecureTransport":"yes"}}"#), "yes"),
            (
                statement(r#","Condition":{"StringEquals":{"aws:username":"${aws:username"}}"#),
                "variable",
            ),
            (statement(r#","Condition":{"StringEquals":{"aws:username":1.50}}"#), "quotes"),
            (statement(r#","Principal":"*""#), "Principal"),
        ] {
            let said = refusal(DocumentKind::Identity, &text);
            assert!(said.contains(names), "{text} said {said}");
        }
    }

    #[test]
    fn principals_that_cannot_be_are_refused_with_the_text_of_kms() {
        for principal in [
            r#"{"AWS":"arn:aws:iam::111122223333:user/*"}"#,
            r#"{"AWS":"arn:aws:iam::111122223333:group/admins"}"#,
            r#"{"AWS":"alice"}"#,
            r#"{"AWS":[]}"#,
            r#"{"CanonicalUser":"abc"}"#,
            r#"{"Service":"*"}"#,
            r#""alice""#,
        ] {
            let text = format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"kms:*","Resource":"*"}}]}}"#
            );
            let said = refusal(DocumentKind::Resource, &text);
            let place = format!("{} Statement[0].Principal: ", crate::error::INVALID_PRINCIPALS);
            assert!(said.starts_with(&place), "{principal}: {said}");
        }
    }

    #[test]
    fn resources_are_arns_with_a_vendor() {
        for (kind, resource, names) in [
            (DocumentKind::Identity, "key/abc", "ARN format"),
            (DocumentKind::Resource, "key/abc", "not an ARN"),
            (DocumentKind::Identity, "arn:aws:k*:us-east-1:111122223333:key/a", "vendor"),
            (
                DocumentKind::Identity,
                "arn:aws:kms:${aws:RequestedRegion}:111122223333:key/a",
                "fifth colon",
            ),
        ] {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"kms:*","Resource":"{resource}"}}}}"#
            );
            assert!(refusal(kind, &text).contains(names), "{resource}: {}", refusal(kind, &text));
        }
    }
}
