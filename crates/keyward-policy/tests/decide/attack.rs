//! Documents made to hurt: refused with a place, or decided with an end in sight.

use crate::{
    monsters::{self, BYTES_MAX},
    world::{KEY, OWNER, account, caller, key},
};
use keyward_policy::{Facts, PolicyEngine, PolicyError, Question};
use keyward_types::{Decision, EncryptionContext, Reason, caller::Document};
use std::{collections::BTreeMap, sync::mpsc, thread, time::Duration};

/// Runs `work` with the stack of a request's thread; no end within the time is a hang, not a slow machine.
fn ends<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    let worker = thread::Builder::new().stack_size(2 << 20).spawn(move || {
        drop(done.send(work()));
    });
    let worker = worker.expect("a thread");
    match wait.recv_timeout(Duration::from_secs(120)) {
        Ok(done) => {
            worker.join().expect("it ended well");
            done
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

/// A caller whom nothing but the document can allow, with the longest encryption context there is.
fn decided(engine: &PolicyEngine, text: &str, action: &str) -> Decision {
    let context = EncryptionContext(BTreeMap::from([("a".to_owned(), "a".repeat(8_191))]));
    let (caller, owner, tags) =
        (caller("arn:aws:sts::111122223333:assumed-role/app/s1"), account(OWNER), BTreeMap::new());
    let mut facts = Facts::new();
    facts.set_encryption_context(&context).add("aws:EpochTime", "1785542400");
    let policy = Document::new(text);
    let question = Question::new(&caller, action, key(KEY, &owner, &tags), &facts);
    engine.decide(&Question { key_policy: Some(&policy), ..question })
}

#[test]
fn the_worst_documents_are_accepted_and_decided() {
    for (name, text) in monsters::all() {
        assert!(text.len() <= BYTES_MAX && BYTES_MAX - 100 < text.len(), "{name}: {}", text.len());
        ends(name, move || {
            let engine = PolicyEngine::new();
            let said = engine.validate_key_policy(&text);
            assert!(said.is_ok(), "{name}: {said:?}");
            for action in ["kms:Decrypt", "kms:PutKeyPolicy"] {
                let decision = decided(&engine, &text, action);
                assert_ne!(decision.reason, Reason::EvaluationFailed, "{name} {action}");
            }
        });
    }
}

/// The same question of two engines that go two ways.
#[test]
fn the_worst_documents_are_decided_alike_whole_and_sliced() {
    for (name, text) in monsters::all() {
        ends(name, move || {
            let sliced = decided(&PolicyEngine::new(), &text, "kms:Encrypt");
            let whole = decided(&PolicyEngine::unsliced(), &text, "kms:Encrypt");
            assert_eq!((sliced.effect, sliced.reason), (whole.effect, whole.reason), "{name}");
        });
    }
}

/// What the encryption context of [`decided`] makes of patterns that end with it.
#[test]
fn the_worst_patterns_are_matched_rightly() {
    for (name, allowed) in [
        ("values", false),
        ("single characters", true),
        ("stars", true),
        ("stars and single characters", false),
        ("stars and letters", false),
        ("a star and letters", false),
        ("letters in doubt", false),
        ("variables", false),
        ("one text of variables", false),
        ("variables between stars", false),
        ("keys", false),
        ("actions", false),
        ("resources", false),
        ("statements", true),
    ] {
        let (_, text) = monsters::all().into_iter().find(|(known, _)| *known == name).expect(name);
        let decision = ends(name, move || decided(&PolicyEngine::new(), &text, "kms:Decrypt"));
        assert_eq!(decision.allowed(), allowed, "{name}: {:?}", decision.reason);
    }
}

/// A refusal that a log keeps is small, whatever the document was.
#[test]
fn the_explanation_of_a_refusal_is_bounded() {
    for (name, text) in monsters::all() {
        let decision = ends(name, move || decided(&PolicyEngine::new(), &text, "kms:Decrypt"));
        let clauses: usize = decision
            .layers
            .iter()
            .flat_map(|layer| &layer.near)
            .map(|near| near.failed.len())
            .sum();
        assert!(clauses <= 256, "{name}: {clauses} clauses");
        let matched: usize = decision.layers.iter().map(|layer| layer.matched.len()).sum();
        assert!(matched <= 1_000, "{name}: {matched} statements matched");
    }
}

fn statement(rest: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{rest}}}]}}"#)
}

const WHO: &str = r#""Principal":{"AWS":"111122223333"}"#;
const WHAT: &str = r#""Action":"kms:*","Resource":"*""#;

fn tested(condition: &str) -> String {
    statement(&format!(r#"{WHO},{WHAT},"Condition":{condition}"#))
}

/// Each text, and what its refusal says: what is wrong, and where.
fn refused() -> Vec<(String, &'static [&'static str])> {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let mut refused: Vec<(String, &'static [&'static str])> = vec![
        // Nesting.
        (deep("[", "]"), &["JSON", "recursion", "line 1"]),
        (format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000)), &["JSON", "recursion"]),
        (deep(r#"{"Statement":["#, "]}"), &["JSON", "recursion"]),
        (format!(r#"{{"Version":"2012-10-17","Statement":{}}}"#, deep("[", "]")), &["recursion"]),
        (tested(&deep("[", "]")), &["recursion"]),
        (
            format!(r#"{{"Statement":{}{}}}"#, "[".repeat(100), "]".repeat(100)),
            &["Statement[0]", "object"],
        ),
        // Syntax.
        (String::new(), &["JSON", "line 1"]),
        ("null".to_owned(), &["must be an object"]),
        ("\"\"".to_owned(), &["must be an object"]),
        (format!("{} ", statement(&format!("{WHO},{WHAT}"))).repeat(2), &["trailing", "line 1"]),
        (statement(&format!(r#"{WHO},{WHAT},"Sid":"\ud800""#)), &["JSON", "hex escape", "column"]),
        (statement(&format!(r#"{WHO},{WHAT},"Sid":"\udc00x""#)), &["JSON", "surrogate"]),
        (statement(&format!(r#"{WHO},{WHAT},"Sid":"\u12""#)), &["JSON", "escape"]),
        (tested(r#"{"NumericEquals":{"aws:EpochTime":1e400}}"#), &["JSON", "out of range"]),
        (
            tested(r#"{"NumericEquals":{"aws:EpochTime":1e300}}"#),
            &["Statement[0].Condition.NumericEquals.aws:EpochTime", "not a number"],
        ),
        (
            tested(r#"{"NumericEquals":{"aws:EpochTime":123456789012345678901234567890}}"#),
            &["aws:EpochTime", "not a number"],
        ),
        (
            tested(r#"{"NumericEquals":{"aws:EpochTime":-0.0000000000000000000001}}"#),
            &["aws:EpochTime", "not a number"],
        ),
        (tested(r#"{"NumericEquals":{"aws:EpochTime":NaN}}"#), &["JSON"]),
        (tested(r#"{"NumericEquals":{"aws:EpochTime":01}}"#), &["JSON"]),
        // One name twice, at every level.
        (
            r#"{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}"#.to_owned(),
            &["Version stands twice"],
        ),
        (r#"{"Statement":[],"Statement":[]}"#.to_owned(), &["Statement stands twice"]),
        (r#"{"Statement":[],"\u0053tatement":[]}"#.to_owned(), &["Statement stands twice"]),
        (
            statement(&format!(r#"{WHO},{WHAT},"Effect":"Deny""#)),
            &["Statement[0]", "Effect stands twice"],
        ),
        (
            statement(&format!(r#"{WHO},{WHAT},"Action":"kms:Sign""#)),
            &["Statement[0]", "Action stands twice"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"AWS":"111122223333","AWS":"*"}}"#)),
            &["Statement[0].Principal", "AWS stands twice"],
        ),
        (
            tested(
                r#"{"Bool":{"aws:SecureTransport":"true"},"Bool":{"aws:SecureTransport":"false"}}"#,
            ),
            &["Statement[0].Condition", "Bool stands twice"],
        ),
        (
            tested(r#"{"Bool":{"aws:SecureTransport":"true","aws:SecureTransport":"false"}}"#),
            &["Statement[0].Condition.Bool", "aws:SecureTransport stands twice"],
        ),
        // Names in another case.
        (r#"{"statement":[]}"#.to_owned(), &["unknown element statement"]),
        (
            statement(&format!(r#"{WHO},{WHAT},"condition":{{}}"#)),
            &["Statement[0]", "unknown element condition"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"aws":"*"}}"#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (
            statement(&format!(r#"{WHO},{WHAT}"#)).replace("Allow", "allow"),
            &["Statement[0].Effect", "allow"],
        ),
        // Look-alikes, written as escapes so that they pass the check of characters.
        (
            statement(&format!(r#"{WHO},{WHAT}"#)).replace("Allow", r"\u0410llow"),
            &["Statement[0].Effect", r"\u{410}llow"],
        ),
        (
            statement(&format!(r#"{WHO},{WHAT}"#)).replace("Effect", r"Eff\u0435ct"),
            &["Statement[0]", r"Eff\u{435}ct"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"km\u0455:*","Resource":"*""#)),
            &["Statement[0].Action", r"km\u{455}"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms:D\u0435crypt","Resource":"*""#)),
            &["Statement[0].Action", r"kms:D\u{435}crypt"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms\uff1a*","Resource":"*""#)),
            &["Statement[0].Action", "vendor"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms:\u200d*","Resource":"*""#)),
            &["Statement[0].Action", r"kms:\u{200d}*"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms:*\u0000","Resource":"*""#)),
            &["Statement[0].Action", r"kms:*\u{0}"],
        ),
        (
            tested(r#"{"StringEqual\u0455":{"aws:username":"a"}}"#),
            &["Statement[0].Condition", r"StringEqual\u{455}"],
        ),
        (
            tested(r#"{"StringEquals":{"\u0430ws:username":"a"}}"#),
            &["Statement[0].Condition.StringEquals", r"\u{430}ws:username"],
        ),
        (
            tested(r#"{"StringEquals":{"kms\uff1aViaService":"a"}}"#),
            &["Statement[0].Condition.StringEquals", r"kms\u{ff1a}ViaService"],
        ),
        (
            tested(r#"{"Bool":{"aws:SecureTransport":"tru\u0435"}}"#),
            &["aws:SecureTransport", r"tru\u{435}"],
        ),
        (
            statement(&format!(
                r#"{WHO},"Action":"kms:*","Resource":"arn:aws:\u043ams:us-east-1:111122223333:key/a""#
            )),
            &["Statement[0].Resource", r"\u{43a}ms"],
        ),
        (
            statement(&format!(
                r#"{WHO},"Action":"kms:*","Resource":"\u0430rn:aws:kms:us-east-1:111122223333:key/a""#
            )),
            &["Statement[0].Resource", r"\u{430}rn"],
        ),
        (
            statement(&format!(
                r#"{WHAT},"Principal":{{"AWS":"arn:aws:i\u0430m::111122223333:user/a"}}"#
            )),
            &["invalid principals", "Statement[0].Principal", r"i\u{430}m"],
        ),
        (
            statement(&format!(
                r#"{WHAT},"Principal":{{"AWS":"\uff11\uff11\uff11\uff11\uff12\uff12\uff12\uff12\uff13\uff13\uff13\uff13"}}"#
            )),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"Service":"s3.am\u0430zonaws.com"}}"#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        // Variables.
        (
            tested(r#"{"StringEquals":{"aws:username":"${${aws:username}}"}}"#),
            &["aws:username", "policy variable"],
        ),
        (
            tested(r#"{"StringEquals":{"aws:username":"${aws:username"}}"#),
            &["aws:username", "not closed"],
        ),
        (tested(r#"{"StringEquals":{"aws:username":"${"}}"#), &["aws:username", "not closed"]),
        (
            tested(r#"{"StringEquals":{"aws:username":"${}"}}"#),
            &["aws:username", "policy variable"],
        ),
        (
            tested(r#"{"StringEquals":{"aws:username":"${aws:username, 'a}"}}"#),
            &["aws:username", "quotes"],
        ),
        (
            tested(r#"{"StringEquals":{"aws:username":"${aws:TagKeys}"}}"#),
            &["aws:username", "several values"],
        ),
        (
            tested(&format!(r#"{{"StringEquals":{{"aws:username":"{}"}}}}"#, "${".repeat(10_000))),
            &["aws:username", "not closed"],
        ),
        // Empty things.
        (statement(&format!(r#"{WHO},"Action":"","Resource":"*""#)), &["Statement[0].Action"]),
        (
            statement(&format!(r#"{WHO},"Action":[],"Resource":"*""#)),
            &["Statement[0].Action", "empty"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms:*","Resource":"""#)),
            &["Statement[0].Resource"],
        ),
        (
            statement(&format!(r#"{WHO},"Action":"kms:*","Resource":[]"#)),
            &["Statement[0].Resource", "empty"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":"""#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{}}"#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"AWS":""}}"#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (tested(r#"{"":{"aws:username":"a"}}"#), &["Statement[0].Condition"]),
        (tested(r#"{"StringEquals":{"":"a"}}"#), &["Statement[0].Condition.StringEquals"]),
        (
            tested(r#"{"StringEquals":{"aws:username":null}}"#),
            &["Statement[0].Condition.StringEquals.aws:username"],
        ),
        (tested(r#"{"StringEquals":null}"#), &["Statement[0].Condition.StringEquals", "object"]),
        (tested("[]"), &["Statement[0].Condition", "object"]),
        (statement(&format!(r#"{WHO},{WHAT}"#)).replace("Allow", ""), &["Statement[0].Effect"]),
        // Forms.
        (
            statement(&format!(
                r#"{WHO},"Action":"kms:*","Resource":"arn:aws:kms:us-east-1:111122223333""#
            )),
            &["Statement[0].Resource", "not an ARN"],
        ),
        (
            statement(&format!(
                r#"{WHO},"Action":"kms:*","Resource":"arn:aws:k?s:us-east-1:111122223333:key/a""#
            )),
            &["Statement[0].Resource", "vendor"],
        ),
        (
            tested(r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam:*"}}"#),
            &["aws:PrincipalArn", "not an ARN"],
        ),
        (
            tested(r#"{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}}"#),
            &["aws:SourceIp", "10.0.0.0/33"],
        ),
        (tested(r#"{"IpAddress":{"aws:SourceIp":"::/129"}}"#), &["aws:SourceIp", "::/129"]),
        (
            tested(r#"{"DateLessThan":{"aws:CurrentTime":"2026-13-01T00:00:00Z"}}"#),
            &["aws:CurrentTime", "2026-13-01"],
        ),
        (tested(r#"{"BinaryEquals":{"aws:username":"=A"}}"#), &["aws:username", "base64"]),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"Nobody":"111122223333"}}"#)),
            &["invalid principals", "Statement[0].Principal"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":[{{"AWS":"111122223333"}}]"#)),
            &["Statement[0].Principal", "object"],
        ),
        (
            statement(&format!(r#"{WHAT},"Principal":{{"AWS":{{"AWS":"111122223333"}}}}"#)),
            &["Statement[0].Principal.AWS", "text"],
        ),
    ];
    let late = format!(
        r#"{{"Version":"2012-10-17","Statement":[{}{{"Effect":"Deny"}}]}}"#,
        format!(r#"{{"Effect":"Allow",{WHO},{WHAT}}},"#).repeat(300)
    );
    refused.push((late, &["Statement[300]", "no Principal"]));
    refused
}

#[test]
fn what_is_refused_is_named_with_its_place() {
    for (text, names) in refused() {
        let shown: String = text.chars().take(300).collect();
        let said = ends(&shown, move || {
            let error = PolicyEngine::new().validate_key_policy(&text).expect_err(&text);
            // Evaluation refuses what validation refuses for its form, and never allows it.
            assert!(!decided(&PolicyEngine::new(), &text, "kms:Decrypt").allowed());
            error.to_string()
        });
        for name in names {
            assert!(said.contains(name), "{shown} said {said}, not {name}");
        }
        assert!(said.len() < 4_096, "{shown} said {} bytes", said.len());
        assert!(said.is_ascii(), "{shown} said {said}");
    }
}

/// What may stand in the text of a key policy itself.
#[test]
fn characters_beyond_latin_1_are_refused_by_their_number() {
    let whole = statement(&format!("{WHO},{WHAT}"));
    for (bad, number) in [
        ('\u{410}', "U+0410"),
        ('\u{feff}', "U+FEFF"),
        ('\u{200d}', "U+200D"),
        ('\u{ff1a}', "U+FF1A"),
        ('\0', "U+0000"),
        ('\u{1f511}', "U+1F511"),
    ] {
        for at in [0, 10, whole.len()] {
            let mut text = whole.clone();
            text.insert(at, bad);
            let error = PolicyEngine::new().validate_key_policy(&text).expect_err(&text);
            assert!(matches!(error, PolicyError::Malformed { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(number) && said.is_ascii(), "{said}");
            assert!(said.contains(&format!("byte {at}")), "{said} names byte {at}");
        }
    }
    assert!(PolicyEngine::new().validate_key_policy(&whole).is_ok());
}
