//! Decision vectors: a caller, documents and facts in, and what the decision must be.
//!
//! The form is that of `tests/vectors/policy-vectors.json`; the members are below. A vector is decided by
//! [`PolicyEngine::decide`], as a request is. Members that are not known are refused, because a vector whose
//! half was ignored would prove nothing. `null` is the same as no member.
//!
//! What a vector does not say is absent: there is no source address, no user agent, no time. What follows
//! from the caller's and the resource's ARN is derived, as it is in a request.
//!
//! | member | is |
//! |---|---|
//! | `id`, `name` | how the vector is called |
//! | `expect` | `Allow`, `ImplicitDeny`, `ExplicitDeny`, or `Deny` for either of these |
//! | `reason` | a part of the words of a refusal |
//! | `caller` | the ARN of a user, root user, role session or federated user, or the name of a service |
//! | `roleArn` | the role of the session, where it has a path |
//! | `userArn` | the user behind a federated session; of the same name unless said |
//! | `userId`, `principalTags`, `mfa`, `sourceIp`, `userAgent` | more about the caller |
//! | `slr` | whether the caller's role is service-linked |
//! | `action` | such as `kms:Decrypt` |
//! | `resource` | the ARN of a key, an alias, a role or another thing, or `*` |
//! | `owner` | the account of the key; the ARN's own unless said |
//! | `resourceTags`, `aliases`, `keySpec`, `keyUsage`, `keyOrigin` | more about the key |
//! | `crossAccount` | whether AWS offers the operation to other accounts; known for the operations of KMS |
//! | `keyPolicy`, `ramPolicy`, `trustPolicy` | documents of the resource |
//! | `identity`, `boundary`, `session`, `vpce` | documents, one or in a list |
//! | `scps`, `rcps` | levels, each a list of documents |
//! | `grants`, `newGrant` | `grantId`, `key`, `grantee` or `granteeService`, `granteeId`, `retiring`, `operations`, `constraints`, `issuer` |
//! | `encryptionContext` | pairs |
//! | `context` | other condition keys, each with a value or a list of values |
//! | `time` | `aws:CurrentTime`, and with it `aws:EpochTime` |
//!
//! A document is an object, or a text that holds one. One of a list may be `{"source": …, "document": …}`, and
//! the source is then what explanations call it.

mod caller;
mod members;
mod read;

use crate::{carries, engine::PolicyEngine};
use keyward_types::{Decision, Effect};
pub use read::Vector;
pub(crate) use read::read_grant;
use serde_json::{Value, json};

/// The operations of KMS that AWS offers to principals of other accounts, as `Decrypt`.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html>
pub fn cross_account_operations() -> impl Iterator<Item = &'static str> {
    let offered = carries::ACTIONS.iter().filter(|row| row.across);
    offered.filter_map(|row| row.name.strip_prefix("kms:"))
}

/// What became of a vector.
#[derive(Clone, Debug)]
pub struct Judged {
    pub id: String,
    pub name: String,
    pub expect: Option<String>,
    /// `Err`: the vector is not understood, and why.
    pub decided: Result<Decision, String>,
    /// Whether it was decided, and as it says where it says so.
    pub pass: bool,
}

/// Reads a vector, decides it and compares the decision with what it expects.
pub fn judge(engine: &PolicyEngine, vector: &Value) -> Judged {
    // Read first, so that a vector that is not understood has a name.
    let text = |name: &str| match vector.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let read = Vector::read(vector);
    let expect = vector.get("expect").and_then(Value::as_str).map(str::to_owned);
    let (decided, pass) = match read {
        Err(why) => (Err(why), false),
        Ok(vector) => {
            let decision = vector.decide(engine);
            let pass = vector.expect.is_none_or(|expect| expect.is(decision.effect))
                && vector.reason.as_ref().is_none_or(|reason| says(&decision, reason));
            (Ok(decision), pass)
        }
    };
    Judged { id: text("id"), name: text("name"), expect, decided, pass }
}

/// What a vector expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Effect(Effect),
    Deny,
}

impl Expected {
    fn parse(text: &str) -> Option<Self> {
        let plain = text.replace(['_', '-', ' '], "").to_lowercase();
        Some(match plain.as_str() {
            "allow" | "allowed" => Self::Effect(Effect::Allow),
            "implicitdeny" => Self::Effect(Effect::ImplicitDeny),
            "explicitdeny" => Self::Effect(Effect::ExplicitDeny),
            "deny" | "denied" => Self::Deny,
            _ => return None,
        })
    }

    fn is(self, effect: Effect) -> bool {
        match self {
            Self::Effect(expected) => expected == effect,
            Self::Deny => effect != Effect::Allow,
        }
    }
}

/// Whether the decision's words hold a vector's. Only refusals are compared, because AWS gives no reason
/// for what it allows.
fn says(decision: &Decision, reason: &str) -> bool {
    let wanted = match reason {
        "operation not available cross-account" => "not available to principals of other accounts",
        "reserved alias" => "reserved",
        other => other,
    };
    // The place of a statement may follow in parentheses, and an article may be left out.
    let wanted = wanted.split(" (").next().unwrap_or(wanted);
    let plain = |text: &str| text.replace(" in a ", " in ").replace(" in an ", " in ");
    decision.allowed() || plain(&decision.because()).contains(&plain(wanted))
}

impl Judged {
    /// One line of `keyward policy vectors -o json`.
    pub fn to_json(&self) -> Value {
        match &self.decided {
            Ok(decision) => json!({
                "id": self.id,
                "name": self.name,
                "expect": self.expect,
                "decision": decision.effect,
                "effect": decision.effect,
                "reason": decision.because(),
                "rule": decision.rule,
                "pass": self.pass,
                "layers": decision.layers,
            }),
            Err(why) => json!({
                "id": self.id,
                "name": self.name,
                "expect": self.expect,
                "decision": null,
                "reason": why,
                "error": why,
                "pass": false,
            }),
        }
    }

    /// One line for people.
    pub fn to_text(&self) -> String {
        let mark = if self.pass { "ok  " } else { "FAIL" };
        let said = match &self.decided {
            Ok(decision) => format!("{:?} {}", decision.effect, decision.because()),
            Err(why) => why.clone(),
        };
        format!("{mark} {} {}: {said}", self.id, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(rest: Value) -> Value {
        let key = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let mut vector = json!({
            "id": "x",
            "caller": "arn:aws:iam::111122223333:user/alice",
            "action": "kms:Decrypt",
            "resource": key,
        });
        for (name, value) in rest.as_object().unwrap() {
            vector[name] = value.clone();
        }
        vector
    }

    fn allow(rest: Value) -> Value {
        let mut statement = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
        for (name, value) in rest.as_object().unwrap() {
            statement[name] = value.clone();
        }
        json!({"Version": "2012-10-17", "Statement": statement})
    }

    fn rule(rest: Value) -> u8 {
        let judged = judge(&PolicyEngine::new(), &vector(rest));
        judged.decided.unwrap_or_else(|why| panic!("{why}")).rule
    }

    fn problem(vector: &Value) -> String {
        let judged = judge(&PolicyEngine::new(), vector);
        assert!(!judged.pass);
        judged.decided.unwrap_err()
    }

    #[test]
    fn what_is_not_understood_is_a_problem_that_names_it() {
        for (rest, names) in [
            (json!({"surprise": 1}), "surprise"),
            (json!({"grants": [{"grantee": "x", "operations": ["Fly"]}]}), "Fly"),
            (json!({"grants": [{"grantee": "x", "operations": [], "to": 1}]}), "to"),
            (json!({"identity": 1}), "identity"),
            (json!({"encryptionContext": {"a": []}}), "encryptionContext"),
            (json!({"context": {"a": {}}}), "context"),
            (json!({"expect": "Maybe"}), "Maybe"),
            (json!({"keySpec": "ROT13"}), "ROT13"),
            (json!({"caller": "arn:aws:iam::1:user/a"}), "arn:aws:iam::1:user/a"),
            (json!({"action": null}), "action"),
            (json!({"boundary": [{}, {}]}), "boundary is one"),
            (json!({"time": "soon"}), "soon"),
        ] {
            let said = problem(&vector(rest.clone()));
            assert!(said.contains(names), "{rest} said {said}");
        }
        assert!(problem(&json!("text")).contains("object"));
        assert!(problem(&json!({"id": "y", "action": "kms:Sign"})).contains("caller"));
    }

    #[test]
    fn documents_may_stand_alone_in_a_list_or_as_text() {
        let named = allow(json!({"Principal": {"AWS": "111122223333"}}));
        let (text, identity) = (named.to_string(), allow(json!({})));
        for policy in [named, json!(text)] {
            for identity in [identity.clone(), json!([identity]), json!(identity.to_string())] {
                assert_eq!(rule(json!({"keyPolicy": policy, "identity": identity})), 10);
            }
        }
        let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}});
        for levels in [json!([[deny]]), json!([deny])] {
            assert_eq!(rule(json!({"scps": levels})), 1);
        }
        assert_eq!(rule(json!({"scps": [[]]})), 3);
        assert_eq!(rule(json!({"session": null, "boundary": [], "vpce": {"Statement": []}})), 0);
    }

    #[test]
    fn every_member_reaches_the_decision() {
        let when = |condition: Value| {
            let policy = allow(json!({"Principal": "*", "Condition": condition}));
            move |mut rest: Value| {
                rest["keyPolicy"] = policy.clone();
                rule(rest)
            }
        };
        for (condition, rest) in [
            (
                json!({"StringEquals": {"aws:ResourceTag/team": "red"}}),
                json!({"resourceTags": {"Team": "red"}}),
            ),
            (
                json!({"StringEquals": {"aws:PrincipalTag/team": "red"}}),
                json!({"principalTags": {"team": "red"}}),
            ),
            (json!({"StringEquals": {"kms:KeySpec": "RSA_2048"}}), json!({"keySpec": "RSA_2048"})),
            (
                json!({"StringEquals": {"kms:KeyUsage": "SIGN_VERIFY"}}),
                json!({"keyUsage": "SIGN_VERIFY"}),
            ),
            (
                json!({"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}}),
                json!({"keyOrigin": "EXTERNAL"}),
            ),
            (json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), json!({"sourceIp": "10.1.1.1"})),
            (json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}), json!({"mfa": true})),
            (
                json!({"DateLessThan": {"aws:CurrentTime": "2026-08-02"}}),
                json!({"time": "2026-08-01T00:00:00Z"}),
            ),
            (
                json!({"NumericLessThan": {"aws:EpochTime": 1785542401}}),
                json!({"time": "2026-08-01T00:00:00Z"}),
            ),
            (
                json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "b"}}),
                json!({"context": {"aws:TagKeys": ["a", "b"]}}),
            ),
            (
                json!({"NumericEquals": {"aws:MultiFactorAuthAge": "7"}}),
                json!({"context": {"aws:MultiFactorAuthAge": 7}}),
            ),
            (
                json!({"StringEquals": {"kms:EncryptionContext:a": "1"}}),
                json!({"encryptionContext": {"A": 1}}),
            ),
            (json!({"StringEquals": {"aws:userid": "AIDAX"}}), json!({"userId": "AIDAX"})),
            (json!({"StringLike": {"aws:UserAgent": "cli*"}}), json!({"userAgent": "cli/2"})),
        ] {
            let decide = when(condition.clone());
            assert_eq!((decide(json!({})), decide(rest.clone())), (11, 8), "{condition} {rest}");
        }
        let aliased = allow(
            json!({"Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/a"}}}),
        );
        let delegating = allow(json!({"Principal": {"AWS": "111122223333"}}));
        assert_eq!(
            rule(json!({"keyPolicy": delegating, "identity": aliased, "aliases": ["alias/a"]})),
            10
        );
        let ram = allow(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/alice"}}));
        assert_eq!(rule(json!({"ramPolicy": ram})), 8);
    }

    #[test]
    fn callers_are_made_from_their_names() {
        let with_path = "arn:aws:iam::111122223333:role/team/app";
        let session = "arn:aws:sts::111122223333:assumed-role/app/s1";
        let by_path = allow(json!({"Principal": {"AWS": with_path}}));
        assert_eq!(rule(json!({"caller": session, "keyPolicy": by_path})), 11);
        assert_eq!(rule(json!({"caller": session, "roleArn": with_path, "keyPolicy": by_path})), 9);
        let service = allow(json!({"Principal": {"Service": "s3.amazonaws.com"}}));
        assert_eq!(rule(json!({"caller": "s3.amazonaws.com", "keyPolicy": service})), 6);
        let fed = "arn:aws:sts::111122223333:federated-user/bob";
        let bob = allow(json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}}));
        let session = allow(json!({}));
        assert_eq!(rule(json!({"caller": fed, "session": session, "keyPolicy": bob})), 9);
        let of_alice = json!({"caller": fed, "session": session, "keyPolicy": bob, "userArn": "arn:aws:iam::111122223333:user/alice"});
        assert_eq!(rule(of_alice), 11);
    }

    #[test]
    fn an_expectation_is_met_by_its_effect_and_its_words() {
        let pass = |rest: Value| judge(&PolicyEngine::new(), &vector(rest)).pass;
        assert!(pass(json!({})));
        assert!(pass(
            json!({"expect": "ImplicitDeny", "reason": "no resource-based policy allows"})
        ));
        assert!(pass(json!({"expect": "implicit_deny"})) && pass(json!({"expect": "Deny"})));
        assert!(!pass(json!({"expect": "Allow"})) && !pass(json!({"expect": "ExplicitDeny"})));
        assert!(!pass(
            json!({"expect": "ImplicitDeny", "reason": "no identity-based policy allows"})
        ));
        let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}});
        let reason = "explicit deny in identity-based policy (#0)";
        assert!(pass(json!({"identity": deny, "expect": "ExplicitDeny", "reason": reason})));
    }
}
