//! What must hold of the policy parser, compiler and evaluator for any bytes at all.

use keyward_policy::{Facts, PolicyEngine, Question, Resource, probe};
use keyward_types::{
    AccountId, Caller, CallerKind, Decision, EncryptionContext, IdentityDocument, KeySpec,
    KeyUsage, MaterialOrigin, Origin, Reason, Region, Timestamp, caller::Document,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

/// JSON is what serde_json takes for JSON, doubled names included.
pub(crate) fn json(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let theirs = serde_json::from_str::<Value>(text).is_ok();
    assert_eq!(probe::is_json(text), theirs, "{text}");
}

/// What may be saved can be evaluated, in slices as in whole.
pub(crate) fn key_policy(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let saved = SLICED.validate_key_policy(text).is_ok();
    compare(saved, text, &Document::new(text), &[]);
}

/// As [`key_policy`], for the policy of a user or role.
pub(crate) fn identity_policy(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let saved = SLICED.validate_identity_policy(text).is_ok();
    let identity =
        [IdentityDocument { source: "inline".to_owned(), document: Document::new(text) }];
    compare(saved, text, &DELEGATES, &identity);
}

/// The matcher agrees with one that tries everything.
pub(crate) fn pattern(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let (pattern, value) = text.split_once('\n').unwrap_or((text, ""));
    let fits = probe::fits(pattern, value);
    // The naive matcher has a table of all pairs, and no variables.
    if 4_000 < pattern.len() * value.len().max(1) || pattern.contains("${") {
        return;
    }
    assert_eq!(fits, Some(naive(pattern, value)), "{pattern} on {value}");
}

/// Lines: operator, key, values. A condition's Allow and Deny are evaluated alike, sliced as whole.
pub(crate) fn condition(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let (operator, key) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let values: Vec<&str> = lines.collect();
    let mut allowed = Vec::new();
    for effect in ["Allow", "Deny"] {
        let anyone = |effect: &str| json!({"Effect": effect, "Principal": "*", "Action": "kms:*", "Resource": "*"});
        let mut statement = anyone(effect);
        statement["Condition"] = json!({operator: {key: values}});
        let statements =
            if effect == "Deny" { vec![anyone("Allow"), statement] } else { vec![statement] };
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let saved = SLICED.validate_key_policy(&text).is_ok();
        let decided = compare(saved, &text, &Document::new(text.as_str()), &[]);
        if saved {
            allowed.push(decided);
        }
    }
    // The encryption context here has no name in two spellings, so a test either holds or it does not.
    if let [allow, deny] = allowed.as_slice() {
        assert!(allow.iter().zip(deny).all(|(allow, deny)| allow != deny), "{text:?}");
    }
}

fn naive(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), value.chars().collect());
    // `fits[v]`: the pattern so far fits the first `v` characters.
    let mut fits = vec![false; value.len() + 1];
    fits[0] = true;
    for piece in pattern {
        let before = fits.clone();
        for at in 0..fits.len() {
            fits[at] = match piece {
                '*' => before[at] || 0 < at && fits[at - 1],
                '?' => 0 < at && before[at - 1],
                c => 0 < at && before[at - 1] && value[at - 1] == c,
            };
        }
    }
    fits[value.len()]
}

static SLICED: LazyLock<PolicyEngine> = LazyLock::new(PolicyEngine::new);
static WHOLE: LazyLock<PolicyEngine> = LazyLock::new(PolicyEngine::unsliced);
static DELEGATES: LazyLock<Document> = LazyLock::new(|| {
    Document::new(
        r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*","Resource":"*"}}"#,
    )
});

/// Asks both engines a few questions, and gives what they allow.
fn compare(
    saved: bool,
    text: &str,
    key_policy: &Document,
    identity: &[IdentityDocument],
) -> Vec<bool> {
    let context = EncryptionContext(BTreeMap::from([
        ("AppName".to_owned(), "billing".to_owned()),
        ("a".to_owned(), "aaaaaaaa".to_owned()),
    ]));
    let (owner, tags) = (account(), BTreeMap::from([("team".to_owned(), "red".to_owned())]));
    let mut facts = Facts::new();
    facts
        .set_encryption_context(&context)
        .add("aws:EpochTime", "1785542400")
        .add("aws:CurrentTime", "2026-08-01T00:00:00Z")
        .add("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    let aliases = ["alias/app".to_owned()];
    let resource = Resource::Key {
        arn: "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        owner: &owner,
        tags: &tags,
        aliases: &aliases,
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: MaterialOrigin::AwsKms,
        multi_region: false,
    };
    let mut allowed = Vec::new();
    for caller in [session(), root()] {
        for action in ["kms:Decrypt", "kms:PutKeyPolicy"] {
            let question = Question {
                key_policy: Some(key_policy),
                identity,
                ..Question::new(&caller, action, resource, &facts)
            };
            let (sliced, whole): (Decision, Decision) =
                (SLICED.decide(&question), WHOLE.decide(&question));
            assert!(
                !saved || sliced.reason != Reason::EvaluationFailed,
                "saved, and cannot be evaluated: {text}"
            );
            // What cannot be saved may fail in a part that a slice leaves out; it never allows more.
            assert!(
                sliced.allowed() == whole.allowed()
                    || !saved && whole.reason == Reason::EvaluationFailed,
                "{action}: {:?} in slices, {:?} in whole: {text}",
                sliced.reason,
                whole.reason
            );
            allowed.push(sliced.allowed());
        }
    }
    allowed
}

fn account() -> AccountId {
    AccountId::parse("111122223333").expect("an account id")
}

fn session() -> Caller {
    let role_arn = "arn:aws:iam::111122223333:role/app".to_owned();
    Caller {
        kind: CallerKind::RoleSession {
            role_name: "app".to_owned(),
            role_arn: role_arn.clone(),
            role_id: "AROAAPP".to_owned(),
            session_name: "s1".to_owned(),
        },
        arn: "arn:aws:sts::111122223333:assumed-role/app/s1".to_owned(),
        principal_arn: role_arn,
        user_id: "AROAAPP:s1".to_owned(),
        tags: BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        transitive_tags: Default::default(),
        issued: Some(Timestamp::from_seconds(1_700_000_000)),
        mfa: Some(false),
        ..root()
    }
}

fn root() -> Caller {
    let arn = "arn:aws:iam::111122223333:root".to_owned();
    Caller {
        kind: CallerKind::Root,
        account: account(),
        arn: arn.clone(),
        principal_arn: arn,
        user_id: "111122223333".to_owned(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        tags: BTreeMap::new(),
        transitive_tags: Default::default(),
        issued: None,
        mfa: None,
        source_identity: None,
        session_policies: Vec::new(),
        origin: Origin {
            request_id: uuid::Uuid::nil(),
            source_ip: "192.0.2.1".to_owned(),
            user_agent: "fuzz".to_owned(),
            region: Region::parse("us-west-2").expect("a Region"),
            secure_transport: true,
            host: "localhost".to_owned(),
            trusted_facts: BTreeMap::new(),
        },
    }
}
