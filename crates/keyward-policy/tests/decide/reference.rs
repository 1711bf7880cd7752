//! A slow evaluator that can be checked by reading it: no Cedar, no compilation, no sharing of code.
//!
//! It knows what the random tests generate and no more: version 2012 documents, IPv4, whole and decimal
//! numbers, RFC 3339 times and seconds.

use keyward_types::{Caller, CallerKind, Effect, GrantRecord, Grantee};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One request, with every fact in plain sight.
pub(crate) struct Request<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) action: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) cross_account_allowed: bool,
    pub(crate) context: &'a BTreeMap<String, String>,
    pub(crate) resource_tags: &'a BTreeMap<String, String>,
    /// Other keys by lower-cased name.
    pub(crate) facts: &'a BTreeMap<String, Vec<String>>,
    pub(crate) key_policy: &'a Value,
    pub(crate) identity: &'a [Value],
    pub(crate) boundary: Option<&'a Value>,
    pub(crate) session: &'a [Value],
    pub(crate) scps: &'a [Vec<Value>],
    pub(crate) endpoint: Option<&'a Value>,
    pub(crate) grants: &'a [GrantRecord],
}

#[derive(Default)]
struct Said {
    allow: bool,
    deny: bool,
    kinds: BTreeSet<&'static str>,
}

impl Request<'_> {
    pub(crate) fn decide(&self) -> Effect {
        let service = matches!(self.caller.kind, CallerKind::Service { .. });
        let key = self.document(self.key_policy, true);
        let identity = self.documents(self.identity);
        let boundary = self.boundary.map(|document| self.document(document, false));
        let federated = matches!(self.caller.kind, CallerKind::Federated { .. });
        let session = (federated || !self.session.is_empty()).then(|| self.documents(self.session));
        let endpoint = self.endpoint.map(|document| self.document(document, true));
        let levels: Vec<Said> = self.scps.iter().map(|level| self.documents(level)).collect();
        let on_caller = |said: &Said| said.deny && !service;
        if key.deny
            || on_caller(&identity)
            || boundary.as_ref().is_some_and(on_caller)
            || session.as_ref().is_some_and(on_caller)
            || endpoint.as_ref().is_some_and(|said| said.deny)
            || levels.iter().any(on_caller)
        {
            return Effect::ExplicitDeny;
        }
        let yes = |allowed: bool| if allowed { Effect::Allow } else { Effect::ImplicitDeny };
        if !service && levels.iter().any(|level| !level.allow)
            || endpoint.is_some_and(|said| !said.allow)
        {
            return Effect::ImplicitDeny;
        }
        let mut kinds = key.kinds;
        let mut own_grant = false;
        for grant in self.grants {
            if let Some(kind) = self.grant(grant) {
                kinds.insert(kind);
                own_grant |= grant.issuing_account == self.caller.account;
            }
        }
        if service {
            return yes(kinds.contains("session"));
        }
        let root = self.caller.kind == CallerKind::Root;
        let identity = identity.allow || root;
        let narrowed =
            boundary.is_none_or(|said| said.allow) && session.is_none_or(|said| said.allow);
        if self.caller.account.as_str() == self.owner {
            let by_entity = kinds.contains("entity") && narrowed;
            let by_account = kinds.contains("account") && identity && narrowed;
            return yes(kinds.contains("session") || by_entity || by_account);
        }
        yes(self.cross_account_allowed && !kinds.is_empty() && (identity || own_grant) && narrowed)
    }

    fn documents(&self, documents: &[Value]) -> Said {
        let mut said = Said::default();
        for document in documents {
            let one = self.document(document, false);
            said.allow |= one.allow;
            said.deny |= one.deny;
        }
        said
    }

    fn document(&self, document: &Value, principals: bool) -> Said {
        let mut said = Said::default();
        for statement in list(&document["Statement"]) {
            let allow = statement["Effect"] == "Allow";
            let kinds =
                if principals { self.principal(statement) } else { BTreeSet::from(["session"]) };
            if kinds.is_empty()
                || !self.action(statement)
                || !self.resource(statement)
                || !self.condition(statement, allow)
            {
                continue;
            }
            if allow {
                said.allow = true;
                said.kinds.extend(kinds);
            } else {
                said.deny = true;
            }
        }
        said
    }

    fn principal(&self, statement: &Value) -> BTreeSet<&'static str> {
        let mut kinds = BTreeSet::new();
        let negated = statement.get("NotPrincipal").is_some();
        let principal = if negated { &statement["NotPrincipal"] } else { &statement["Principal"] };
        if principal == "*" {
            kinds.insert("session");
        }
        for (kind, values) in principal.as_object().into_iter().flatten() {
            for value in list(values) {
                kinds.extend(self.named(kind, value.as_str().unwrap_or_default()));
            }
        }
        if negated {
            let hit = kinds.is_empty() || self.boundary.is_some();
            return if hit { BTreeSet::from(["session"]) } else { BTreeSet::new() };
        }
        kinds
    }

    fn named(&self, kind: &str, value: &str) -> Option<&'static str> {
        let caller = self.caller;
        let account = caller.account.as_str();
        match &caller.kind {
            _ if value == "*" => Some("session"),
            CallerKind::Service { name } => {
                (kind == "Service" && value == name).then_some("session")
            }
            _ if kind != "AWS" => None,
            _ if value == account || value == format!("arn:aws:iam::{account}:root") => {
                Some("account")
            }
            CallerKind::Root => None,
            _ if value == caller.arn => Some("session"),
            CallerKind::RoleSession { role_arn, .. } => (value == role_arn).then_some("entity"),
            CallerKind::Federated { user_arn, .. } => {
                (user_arn.as_deref() == Some(value)).then_some("entity")
            }
            CallerKind::User { .. } => None,
        }
    }

    fn action(&self, statement: &Value) -> bool {
        let (name, negated) = if statement.get("NotAction").is_some() {
            ("NotAction", true)
        } else {
            ("Action", false)
        };
        let have = self.action.to_lowercase();
        let hit = list(&statement[name]).iter().any(|want| {
            let want = want.as_str().unwrap_or_default().to_lowercase();
            glob(&tokens(&want), &have)
        });
        statement.get(name).is_some() && hit != negated
    }

    fn resource(&self, statement: &Value) -> bool {
        let (name, negated) = if statement.get("NotResource").is_some() {
            ("NotResource", true)
        } else {
            ("Resource", false)
        };
        let hit = list(&statement[name])
            .iter()
            .any(|want| self.arn(want.as_str().unwrap_or_default(), self.resource, true));
        statement.get(name).is_some() && hit != negated
    }

    /// Part by part. `*` alone is anything, as a resource.
    fn arn(&self, pattern: &str, have: &str, star_alone: bool) -> bool {
        if pattern == "*" && star_alone {
            return true;
        }
        let Some(pattern) = self.replace(pattern) else { return false };
        let mut parts: Vec<Vec<Token>> = vec![Vec::new()];
        for token in pattern {
            if token == Token::Char(':') && parts.len() < 6 {
                parts.push(Vec::new());
            } else {
                parts.last_mut().expect("a part").push(token);
            }
        }
        let have: Vec<&str> = have.splitn(6, ':').collect();
        parts.len() == 6
            && have.len() == 6
            && parts.iter().zip(have).all(|(part, have)| glob(part, have))
    }

    fn condition(&self, statement: &Value, allow: bool) -> bool {
        for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                let values: Vec<String> = list(values)
                    .iter()
                    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
                    .collect();
                let doubtful = self.doubtful(key)
                    || values
                        .iter()
                        .any(|value| variables(value).iter().any(|key| self.doubtful(key)));
                let holds = if doubtful { !allow } else { self.test(operator, key, &values) };
                if !holds {
                    return false;
                }
            }
        }
        true
    }

    fn test(&self, operator: &str, key: &str, wanted: &[String]) -> bool {
        let have = self.values(key);
        let absent = have.is_empty();
        let (quantifier, operator) = operator.split_once(':').unwrap_or(("", operator));
        let (base, if_exists) =
            operator.strip_suffix("IfExists").map_or((operator, false), |base| (base, true));
        if base == "Null" {
            return (wanted[0] == "true") == absent;
        }
        if absent {
            let negated = base.contains("Not");
            return if_exists || quantifier == "ForAllValues" || quantifier.is_empty() && negated;
        }
        let positive =
            base.replace("NotEquals", "Equals").replace("NotLike", "Like").replace("NotIp", "Ip");
        let negated = positive != base;
        let passes =
            |value: &String| wanted.iter().any(|want| self.fits(&positive, want, value)) != negated;
        match (quantifier, negated) {
            ("ForAllValues", _) | ("", true) => have.iter().all(passes),
            _ => have.iter().any(passes),
        }
    }

    fn fits(&self, operator: &str, want: &str, have: &str) -> bool {
        let literal = || -> Option<String> {
            let tokens = self.replace(want)?;
            Some(
                tokens
                    .iter()
                    .map(|token| match token {
                        Token::Char(c) => *c,
                        Token::Star => '*',
                        Token::One => '?',
                    })
                    .collect(),
            )
        };
        let order = |left: f64, right: f64| match operator
            .trim_start_matches("Numeric")
            .trim_start_matches("Date")
        {
            "Equals" => left == right,
            "LessThan" => left < right,
            "LessThanEquals" => left <= right,
            "GreaterThan" => left > right,
            "GreaterThanEquals" => left >= right,
            other => panic!("{other}"),
        };
        match operator {
            "StringEquals" => literal().as_deref() == Some(have),
            "StringEqualsIgnoreCase" | "Bool" => {
                literal().is_some_and(|want| want.to_lowercase() == have.to_lowercase())
            }
            "StringLike" => self.replace(want).is_some_and(|tokens| glob(&tokens, have)),
            "ArnEquals" | "ArnLike" => self.arn(want, have, false),
            "IpAddress" => in_network(want, have),
            _ if operator.starts_with("Numeric") => match (have.parse(), want.parse()) {
                (Ok(have), Ok(want)) => order(have, want),
                _ => false,
            },
            _ if operator.starts_with("Date") => order(seconds(have), seconds(want)),
            other => panic!("{other}"),
        }
    }

    fn values(&self, key: &str) -> Vec<String> {
        let folded = key.to_lowercase();
        let tagged = |prefix: &str, tags: &BTreeMap<String, String>| -> Option<Vec<String>> {
            let name = folded.strip_prefix(prefix)?;
            Some(
                tags.iter()
                    .filter(|(tag, _)| tag.to_lowercase() == name)
                    .map(|(_, value)| value.clone())
                    .collect(),
            )
        };
        tagged("kms:encryptioncontext:", self.context)
            .or_else(|| tagged("aws:principaltag/", &self.caller.tags))
            .or_else(|| tagged("aws:resourcetag/", self.resource_tags))
            .unwrap_or_else(|| self.facts.get(&folded).cloned().unwrap_or_default())
    }

    fn doubtful(&self, key: &str) -> bool {
        let tagged = ["kms:encryptioncontext:", "aws:principaltag/", "aws:resourcetag/"];
        tagged.iter().any(|prefix| key.to_lowercase().starts_with(prefix))
            && self.values(key).len() > 1
    }

    /// Wildcards, and variables replaced; `None` when one has no value.
    fn replace(&self, text: &str) -> Option<Vec<Token>> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            out.extend(tokens(&rest[..start]));
            let (inside, after) = rest[start + 2..].split_once('}')?;
            rest = after;
            if ["*", "?", "$"].contains(&inside) {
                out.push(Token::Char(inside.chars().next()?));
                continue;
            }
            let (key, default) = inside
                .split_once(", '")
                .map_or((inside, None), |(key, d)| (key, Some(d.trim_end_matches('\''))));
            let value = self.values(key).first().cloned().or_else(|| default.map(str::to_owned))?;
            out.extend(value.chars().map(Token::Char));
        }
        out.extend(tokens(rest));
        Some(out)
    }

    fn grant(&self, grant: &GrantRecord) -> Option<&'static str> {
        let operation = self.action.strip_prefix("kms:")?;
        let kind = match &grant.grantee {
            Grantee::Principal(arn) => self.named("AWS", arn)?,
            Grantee::Service(name) => self.named("Service", name)?,
        };
        let fold = |pairs: &BTreeMap<String, String>| -> BTreeSet<(String, String)> {
            pairs.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
        };
        let names: BTreeSet<String> = self.context.keys().map(|name| name.to_lowercase()).collect();
        let clear = names.len() == self.context.len();
        let carries = ["Encrypt", "Decrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"]
            .contains(&operation);
        let have = fold(self.context);
        let constraints = &grant.constraints;
        let equals = constraints
            .encryption_context_equals
            .as_ref()
            .is_none_or(|want| clear && fold(want) == have);
        let subset = constraints
            .encryption_context_subset
            .as_ref()
            .is_none_or(|want| clear && fold(want).is_subset(&have));
        let source = constraints
            .source_arn
            .as_ref()
            .is_none_or(|arn| self.values("aws:SourceArn") == [arn.clone()]);
        let covers = grant.key.to_string() == self.resource
            && grant.operations.iter().any(|one| one.as_str() == operation)
            && (!carries || equals && subset)
            && source;
        covers.then_some(kind)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    Char(char),
    Star,
    One,
}

fn tokens(text: &str) -> Vec<Token> {
    let token = |c| match c {
        '*' => Token::Star,
        '?' => Token::One,
        other => Token::Char(other),
    };
    text.chars().map(token).collect()
}

fn variables(text: &str) -> Vec<String> {
    let inside = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    inside.map(|(inside, _)| inside.split(',').next().unwrap_or_default().to_owned()).collect()
}

fn glob(pattern: &[Token], text: &str) -> bool {
    let mut chars = text.chars();
    match pattern.split_first() {
        None => text.is_empty(),
        Some((Token::Star, rest)) => {
            glob(rest, text) || chars.next().is_some() && glob(pattern, chars.as_str())
        }
        Some((Token::One, rest)) => chars.next().is_some() && glob(rest, chars.as_str()),
        Some((Token::Char(want), rest)) => {
            chars.next() == Some(*want) && glob(rest, chars.as_str())
        }
    }
}

fn in_network(network: &str, address: &str) -> bool {
    let number = |text: &str| {
        text.split('.').fold(0_u64, |sum, part| sum * 256 + part.parse::<u64>().expect("IPv4"))
    };
    let (base, bits) = network.split_once('/').unwrap_or((network, "32"));
    let shift = 32 - bits.parse::<u32>().expect("a prefix");
    number(base) >> shift == number(address) >> shift
}

fn seconds(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| {
        chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp() as f64
    })
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}
