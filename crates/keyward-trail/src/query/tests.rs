//! The language, its meaning on real records, and that an index and a reading of records agree.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_795_430_000_000);

fn says(field: Field, values: &[&str]) -> Term {
    Term::new(Condition::Says(field, values.iter().map(|v| Pattern::literal(v)).collect())).unwrap()
}

fn parsed(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_example_is_read() {
    let text = "principal:role/batch op:Decrypt,GenerateDataKey result:denied -key:alias/demo ctx.tenant:acme ip:10.0.0.0/8 since:6h";
    let query = Query::new()
        .with(says(Field::Principal, &["role/batch"]))
        .with(says(Field::Operation, &["Decrypt", "GenerateDataKey"]))
        .with(says(Field::Result, &["denied"]))
        .with(says(Field::Key, &["alias/demo"]).negate())
        .with(says(Field::Context("tenant".to_owned()), &["acme"]))
        .with(Term::new(Condition::From(vec!["10.0.0.0/8".parse().unwrap()])).unwrap())
        .since(Moment::ago(21_600));
    assert_eq!(parsed(text), query);
    assert_eq!(query.to_string(), text);
    assert_eq!(query.window(NOW).since, Some(Timestamp(NOW.0 - 21_600_000)));
    let pinned = query.pin(NOW);
    assert_eq!(pinned.window(Timestamp(0)).since, Some(Timestamp(NOW.0 - 21_600_000)));
    assert!(pinned.to_string().ends_with(" since:2026-11-23T04:33:20Z"));
}

#[test]
fn one_canonical_form() {
    for (text, printed) in [
        ("", ""),
        ("  \t ", ""),
        ("OPERATION:a,b  Outcome:x", "op:a,b result:x"),
        ("context.Tenant:A", "ctx.Tenant:A"),
        ("CTX.\"aws:ebs:id\":vol-1", "ctx.\"aws:ebs:id\":vol-1"),
        ("ctx.\"plain\":\"plain\"", "ctx.plain:plain"),
        ("ctx.t:\"\"", "ctx.t:\"\""),
        (
            "key:arn:aws:kms:us-east-1:111122223333:key/1",
            "key:arn:aws:kms:us-east-1:111122223333:key/1",
        ),
        ("key:\"a b\",\"a,b\",\"a\\\"b\",\"a\\\\b\"", "key:\"a b\",\"a,b\",\"a\\\"b\",\"a\\\\b\""),
        ("op:\"De*\",\"De\\*\"", "op:De*,\"De\\*\""),
        ("op:a***b", "op:a*b"),
        ("result:accessdeniedexception,DisabledException", "result:AccessDenied,DisabledException"),
        ("op:-x", "op:-x"),
        ("some words", "some words"),
        ("-absent", "-absent"),
        ("-\"-5\"", "-\"-5\""),
        ("one,two", "one,two"),
        ("\"OR\" \"a:b\" \"ctx.x\"", "\"OR\" \"a:b\" \"ctx.x\""),
        ("op", "op"),
        (
            "ip:10.1.2.3/8,192.0.2.7,2001:DB8::1/32,::ffff:10.0.0.1",
            "ip:10.0.0.0/8,192.0.2.7,2001:db8::/32,10.0.0.1",
        ),
        ("ip:192.0.2.7/32", "ip:192.0.2.7"),
        ("readonly:TRUE -readonly:false", "readonly:true -readonly:false"),
        (
            "source:kms until:2026-01-31 since:2026-01-31 x",
            "service:kms x since:2026-01-31T00:00:00Z until:2026-01-31T23:59:59Z",
        ),
    ] {
        let query = parsed(text);
        assert_eq!(query.to_string(), printed, "{text}");
        assert_eq!(parsed(printed), query, "{text}");
    }
}

#[test]
fn errors_say_where_and_what_is_possible() {
    for (text, at, problem, hint) in [
        ("op:Decrypt opp:x", 11, "no field 'opp'", "did you mean op:?"),
        ("tenant:acme", 0, "no field 'tenant'", "ctx.NAME"),
        ("arn:aws:kms", 0, "no field 'arn'", "stands in quotes"),
        (":x", 0, "no field ''", "fields are"),
        ("op:", 3, "value is missing", "op:Decrypt"),
        ("op:a,", 5, "value is missing", "op:Decrypt"),
        ("op:,a", 3, "value is missing", "op:Decrypt"),
        ("op: a", 3, "value is missing", "op:Decrypt"),
        ("-", 1, "value is missing", "op:Decrypt"),
        ("ä \"open", 2, "quote is not closed", "\""),
        ("key:\"a\\nb\"", 6, "backslash", "in quotes"),
        ("key:a\"b", 5, "cannot stand", "quotes"),
        ("key:a\\b", 5, "cannot stand", "quotes"),
        ("key:\"a\"b", 7, "value ends", "space"),
        ("\"a\":b", 3, "value ends", "space"),
        ("a,b:c", 3, "cannot stand", "quotes"),
        ("op:A OR op:B", 5, "'OR' means nothing", "comma"),
        ("(op:A)", 0, "no field '(op'", "fields are"),
        ("(a b)", 0, "means nothing", "comma"),
        ("ctx.:x", 0, "no name", "ctx.NAME:VALUE"),
        ("ctx.a*b:x", 0, "no name", "ctx.NAME:VALUE"),
        ("ctx.\"a*b\":x", 0, "no name", "ctx.NAME:VALUE"),
        ("ctx.tenant", 10, "colon is missing", "ctx.NAME:VALUE"),
        ("ctx.tenant acme", 10, "colon is missing", "ctx.NAME:VALUE"),
        ("ip:10.0.0", 3, "'10.0.0' is neither", "10.0.0.0/8"),
        ("ip:10.0.0.0/33", 3, "neither", "10.0.0.0/8"),
        ("ip:10.*", 3, "no wildcards", "whole"),
        ("readonly:maybe", 9, "'maybe'", "true or false"),
        ("readonly:true,false", 13, "value ends", ""),
        ("since:soon", 6, "'soon' is not a time", "6h"),
        ("since:1h since:2h", 9, "twice or negated", "once"),
        ("-until:1h", 0, "twice or negated", "without -"),
    ] {
        let error = Query::parse(text).expect_err(text);
        assert_eq!(error.at, at, "{text}: {error}");
        assert!(error.problem.contains(problem), "{text}: {error}");
        assert!(error.hint.contains(hint), "{text}: {error}");
        let marked = error.marked(text);
        assert_eq!(marked.lines().last().unwrap().chars().count(), at + 1, "{marked}");
    }
    let many = "a ".repeat(TERMS_MAX + 1);
    assert!(Query::parse(&many).unwrap_err().problem.contains("more than 64 terms"));
    let many = format!("op:{}", vec!["a"; VALUES_MAX + 1].join(","));
    assert!(Query::parse(&many).unwrap_err().problem.contains("more than 256 values"));
    assert!(Query::parse(&"a".repeat(QUERY_BYTES_MAX + 1)).is_err());
    let hostile = Query::parse("\u{1b}[2J:x").unwrap_err();
    assert!(
        !hostile.to_string().contains('\u{1b}')
            && !hostile.marked("\u{1b}[2J:x").contains('\u{1b}')
    );
    let far = format!("{} op:", "a".repeat(200));
    let far = Query::parse(&far).unwrap_err().marked(&far);
    assert!(far.starts_with("aaaa") && far.lines().all(|line| line.chars().count() <= 61), "{far}");
}

/// Records as they are written, from the golden files.
fn golden(text: &str) -> Value {
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn encrypt() -> Value {
    golden(include_str!("../../tests/golden/encrypt.txt"))
}

fn refused() -> Value {
    golden(include_str!("../../tests/golden/decrypt_refused.txt"))
}

fn granted() -> Value {
    json!({
        "eventName": "ReEncrypt", "eventTime": "2026-11-23T09:41:07Z", "eventSource": "kms.amazonaws.com",
        "awsRegion": "eu-central-1", "sourceIPAddress": "::ffff:10.1.2.3", "userAgent": "Boto3/1.40 md/Botocore#1",
        "readOnly": true, "eventID": "E1", "recipientAccountId": "444455556666",
        "userIdentity": {
            "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Batch/night*shift",
            "accountId": "111122223333", "principalId": "AROACKCEVSQ6C2EXAMPLE:night*shift",
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {"sessionIssuer": {
                "arn": "arn:aws:iam::111122223333:role/jobs/Batch", "userName": "Batch",
                "principalId": "AROACKCEVSQ6C2EXAMPLE",
            }},
        },
        "requestParameters": {
            "sourceEncryptionContext": {"tenant": "acme", "aws:ebs:id": "vol 1"},
            "destinationEncryptionContext": {"tenant": ""}, "destinationKeyId": "alias/new",
        },
        "resources": [
            {"accountId": "444455556666", "ARN": "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
            {"accountId": "444455556666", "ARN": "arn:aws:kms:eu-central-1:444455556666:alias/new"},
        ],
        "additionalEventData": {"policyDecision": [{
            "effect": "Allow", "layers": [
                {"layer": "Grant", "effect": "Allow", "matched": [{"source": "grant", "sid": "g-77", "index": 0, "allow": true}]},
                {"layer": "KeyPolicy", "matched": [{"source": "key policy", "sid": "DenyOthers", "index": 1, "allow": false}]},
                {"layer": "IdentityPolicy", "matched": [{"source": "inline:Use", "index": 2, "allow": true}]},
            ],
        }]},
    })
}

/// The copy that a key's owner has of what a session of another account did.
fn outsider() -> Value {
    json!({
        "eventName": "Decrypt", "eventTime": "2026-11-23T09:41:07Z", "eventSource": "kms.amazonaws.com",
        "userIdentity": {
            "type": "AWSAccount", "accountId": "999988887777", "principalId": "AROACKCEVSQ6C2EXAMPLE:worker",
        },
        "sourceIPAddress": "10.1.2.3", "eventID": "E3", "recipientAccountId": "111122223333", "resources": [],
    })
}

fn service() -> Value {
    json!({
        "eventName": "RotateKey", "eventTime": "2026-11-22T00:00:00Z", "eventSource": "kms.amazonaws.com",
        "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "readOnly": false,
        "userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"}, "eventID": "E2",
        "errorCode": "KMSInternalException", "requestParameters": null, "resources": [],
    })
}

fn holds(record: &Value, wanted: &[&str], unwanted: &[&str]) {
    for (texts, wanted) in [(wanted, true), (unwanted, false)] {
        for text in texts {
            assert_eq!(parsed(text).matches(record, NOW), wanted, "{text}");
            let negated = Query { terms: parsed(text).terms, ..Query::new() };
            if let [term] = negated.terms.as_slice() {
                let opposite = Query::new().with(term.clone().negate());
                assert_eq!(opposite.matches(record, NOW), !wanted, "{opposite}");
            }
        }
    }
}

#[test]
fn principals_and_keys() {
    holds(
        &granted(),
        &[
            "principal:role/Batch",
            "principal:role/jobs/Batch",
            "principal:role/jobs/*",
            "principal:assumed-role/Batch",
            "principal:\"assumed-role/Batch/night\\*shift\"",
            "principal:arn:aws:iam::111122223333:role/jobs/Batch",
            "principal:Batch",
            "principal:atch",
            "principal:jobs/Ba",
            "principal:ASIAIOSFODNN7EXAMPLE",
            "principal:AROACKCEVSQ6C2EXAMPLE",
            "principal:ASIA*",
            "principal:nobody,role/Batch",
            "key:1234abcd-12ab-34cd-56ef-1234567890ab",
            "key:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "key:arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "key:alias/new",
            "key:1234abcd*",
            "key:*",
            "key:a,alias/new",
        ],
        &[
            "principal:role/Bat",
            "principal:role/batch",
            "principal:arn:aws:iam::111122223333:role/jobs/Bat",
            "principal:arn:aws:iam::111122223333:role/Batch",
            "principal:ASIAIOSFODNN7EXAMPL",
            "principal:user/Batch",
            "principal:batch",
            "principal:\"assumed-role/Batch/night-shift\"",
            "key:alias/ne",
            "key:alias/New",
            "key:1234abcd",
            "key:444455556666",
        ],
    );
    holds(
        &service(),
        &["principal:\"AWS Internal\"", "-key:*"],
        &["principal:AWSInternal", "key:*"],
    );
    holds(
        &outsider(),
        &[
            "principal:999988887777:AROACKCEVSQ6C2EXAMPLE:worker",
            "principal:999988887777:AROACKCEVSQ6C2EXAMPLE",
            "principal:AROACKCEVSQ6C2EXAMPLE",
            "principal:999988887777",
            "principal:999988887777:*",
            "principal:worker",
        ],
        &["principal:999988887777:AROACKCEVSQ6C2EXAMPL", "principal:role/worker"],
    );
    let mut root = outsider();
    root["userIdentity"]["principalId"] = json!("999988887777");
    holds(&root, &["principal:arn:aws:iam::999988887777:root"], &["principal:worker"]);
    holds(
        &encrypt(),
        &["principal:user/Alice", "principal:Alice", "key:alias/app"],
        &["principal:role/Alice"],
    );
}

#[test]
fn operations_results_and_the_rest() {
    holds(
        &granted(),
        &[
            "op:reencrypt",
            "op:re*",
            "op:Decrypt,ReEncrypt",
            "result:SUCCESS",
            "id:e1",
            "agent:boto3",
            "agent:botocore",
            "agent:boto3/*",
            "ip:10.0.0.0/8",
            "ip:10.1.2.3",
            "ip:::/0,10.1.0.0/16",
            "region:EU-central-1",
            "region:eu-*",
            "account:111122223333",
            "account:444455556666",
            "service:kms",
            "source:KMS.amazonaws.com",
            "readonly:true",
            "acme",
            "ACME",
            "DESTINATIONkeyid",
            "vol*1",
            "\"vol 1\"",
            "absent,acme",
        ],
        &[
            "op:encrypt",
            "op:\"re\\*\"",
            "result:failure",
            "result:denied",
            "id:e",
            "agent:curl",
            "agent:oto3/*",
            "ip:10.1.2.4",
            "ip:::/0",
            "ip:10.2.0.0/16",
            "region:us-east-1",
            "account:1111",
            "service:iam",
            "readonly:false",
            "absent",
            "1*vol",
        ],
    );
    holds(
        &refused(),
        &["result:denied", "result:accessdenied", "result:failure", "result:Access*"],
        &["result:success", "result:client_error", "result:KMSInternalException"],
    );
    holds(
        &service(),
        &["result:server_error", "result:failure", "agent:internal", "readonly:false"],
        &["ip:0.0.0.0/0", "ip:::/0", "region:*"],
    );
}

#[test]
fn contexts_grants_and_statements() {
    holds(
        &granted(),
        &[
            "ctx.tenant:acme",
            "ctx.tenant:\"\"",
            "ctx.tenant:*",
            "ctx.\"aws:ebs:id\":\"vol 1\"",
            "grant:g-77",
            "grant:*",
            "statement:\"inline:Use\"",
            "statement:inline:Use#2",
            "statement:inline:*",
        ],
        &[
            "ctx.tenant:Acme",
            "ctx.Tenant:acme",
            "ctx.other:*",
            "grant:g-7",
            "statement:DenyOthers",
            "statement:g-77",
            "statement:grant",
        ],
    );
    holds(
        &encrypt(),
        &[
            "statement:EnableIAM",
            "statement:\"key policy\"",
            "statement:\"key policy#EnableIAM\"",
            "ctx.Tenant:acme",
        ],
        &["grant:*", "statement:enableiam"],
    );
    // A refusal for want of an allow was made by no statement, and by no near miss.
    holds(&refused(), &[], &["statement:*", "grant:*"]);
    let mut denied = refused();
    let decision = denied.pointer_mut("/additionalEventData/policyDecision/0").unwrap();
    decision["effect"] = json!("ExplicitDeny");
    decision["layers"][0]["matched"] =
        json!([{"source": "scp", "sid": "Stop", "index": 0, "allow": false}]);
    holds(&denied, &["statement:Stop"], &["statement:EnableIAM"]);
    let mut withheld = granted();
    crate::withhold(&mut withheld);
    holds(&withheld, &[], &["statement:*", "grant:*", "g-77"]);
    for (text, reads) in [
        ("grant:x", true),
        ("-statement:x", true),
        ("key:x", false),
        ("ip:::1 readonly:true x", false),
    ] {
        assert_eq!(parsed(text).reads_decisions(), reads);
    }
    let made = json!({"responseElements": {"grantId": "g1"}, "requestParameters": {"grantId": "g2"},
        "additionalEventData": {"grantId": "g3"}});
    holds(&made, &["grant:g1", "grant:g2", "grant:g3"], &["grant:g4"]);
}

#[test]
fn time_is_whole_seconds_and_both_ends_are_inside() {
    holds(
        &encrypt(),
        &[
            "since:2026-11-23T09:41:07Z until:2026-11-23T09:41:07Z",
            "since:2026-11-23T09:41:07.9Z",
            "since:2026-11-23 until:2026-11-23",
            "since:1h",
            "since:7d until:10m",
        ],
        &[
            "since:2026-11-23T09:41:08Z",
            "until:2026-11-23T09:41:06Z",
            "until:2026-11-22",
            "since:10m",
            "until:1h",
        ],
    );
    holds(&json!({"eventTime": "never"}), &[""], &["since:1000w", "until:9999-12-31"]);
}

#[test]
fn a_filter_is_a_query() {
    let filter = crate::Filter {
        operation: Some("Decrypt".to_owned()),
        principal: Some("arn:aws:sts::111122223333:assumed-role/App/".to_owned()),
        key: Some("1234".to_owned()),
        text: Some("a*b".to_owned()),
        since: Some(Timestamp(1_769_860_800_000)),
        ..crate::Filter::default()
    };
    assert_eq!(
        Query::from(&filter).to_string(),
        "op:Decrypt principal:*arn:aws:sts::111122223333:assumed-role/App/* key:*1234* \"a\\*b\" since:2026-01-31T12:00:00Z"
    );
    let narrowing = Query::from(&filter).narrowing(NOW);
    assert_eq!(
        narrowing.clauses,
        [[IndexTerm { field: Field::Operation, value: "decrypt".to_owned() }]]
    );
    assert!(!narrowing.complete);
}

#[test]
fn an_index_narrows_what_it_can() {
    let clauses = |text: &str| {
        let narrowing = parsed(text).narrowing(NOW);
        let shown = |term: &IndexTerm| format!("{}={}", term.field.name(), term.value);
        let of = |clause: &Vec<IndexTerm>| clause.iter().map(shown).collect::<Vec<_>>().join("|");
        (narrowing.clauses.iter().map(of).collect::<Vec<_>>().join(" & "), narrowing.complete)
    };
    for (text, narrowed, complete) in [
        ("", "", true),
        (
            "op:Decrypt,Encrypt principal:role/Batch",
            "op=decrypt|op=encrypt & principal=role/Batch",
            true,
        ),
        ("op:Decrypt,Encrypt", "op=decrypt|op=encrypt", true),
        ("op:Decrypt,En*", "", false),
        ("principal:999988887777:AIDA1", "principal=999988887777:AIDA1", true),
        ("principal:role/Batch result:Denied", "principal=role/Batch & result=denied", true),
        ("principal:Batch key:a", "key=a", false),
        ("-op:Decrypt ctx.t:A", "ctx=A", false),
        ("ip:10.0.0.1,::ffff:10.0.0.2", "ip=10.0.0.1|ip=10.0.0.2", true),
        ("ip:10.0.0.1,10.0.0.0/8", "", false),
        ("agent:x word readonly:false since:1h", "readonly=false", false),
    ] {
        assert_eq!(clauses(text), (narrowed.to_owned(), complete), "{text}");
    }
}

/// Names that often meet what the records say.
fn value() -> impl Strategy<Value = String> {
    let names = [
        "role/Batch",
        "role/jobs/Batch",
        "Batch",
        "user/Alice",
        "ASIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE",
        "arn:aws:iam::111122223333:user/Alice",
        "arn:aws:sts::111122223333:assumed-role/App/worker",
        "decrypt",
        "ReEncrypt",
        "Encrypt",
        "success",
        "failure",
        "Denied",
        "AccessDenied",
        "server_error",
        "alias/app",
        "alias/new",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "e1",
        "acme",
        "other",
        "",
        "g-77",
        "EnableIAM",
        "key policy",
        "inline:Use#2",
        "kms",
        "us-east-1",
        "111122223333",
        "444455556666",
        "AWS Internal",
        "boto3",
    ];
    prop_oneof![9 => prop::sample::select(names.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        8 => value().prop_map(|text| Pattern::literal(&text)),
        1 => value().prop_map(|text| Pattern::part(&text)),
        1 => prop::collection::vec("[ab*\"\\\\,: -]{0,3}", 1..5).prop_map(Pattern::of),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        12 => prop::sample::select(vec![
            Field::Principal, Field::Operation, Field::Result, Field::Key, Field::Id, Field::Grant,
            Field::Statement, Field::Agent, Field::Region, Field::Account, Field::Service, Field::Text,
        ]),
        2 => prop::sample::select(vec!["tenant", "Tenant", "aws:ebs:id"])
            .prop_map(|name| Field::Context(name.to_owned())),
        1 => any::<String>().prop_map(Field::Context),
    ]
}

fn network() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        (any::<std::net::Ipv4Addr>(), 0..=32_u8)
            .prop_map(|(ip, len)| IpNet::new(ip.into(), len).unwrap()),
        (any::<std::net::Ipv6Addr>(), 0..=128_u8)
            .prop_map(|(ip, len)| IpNet::new(ip.into(), len).unwrap()),
        (0..=32_u8).prop_map(|len| IpNet::new([10, 1, 2, 3].into(), len).unwrap()),
        Just(IpNet::new([192, 0, 2, 7].into(), 32).unwrap()),
    ]
}

fn term() -> impl Strategy<Value = Term> {
    let condition = prop_oneof![
        10 => (field(), prop::collection::vec(pattern(), 1..4)).prop_map(|(f, p)| Condition::Says(f, p)),
        2 => prop::collection::vec(network(), 1..4).prop_map(Condition::From),
        1 => any::<bool>().prop_map(Condition::ReadOnly),
    ];
    (condition, prop::bool::weighted(0.2)).prop_map(|(condition, negated)| {
        let term = Term::new(condition).unwrap();
        if negated { term.negate() } else { term }
    })
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        any::<i64>().prop_map(|millis| Moment::at(Timestamp(millis))),
        (0..2_000_000_000_000_i64).prop_map(|millis| Moment::at(Timestamp(millis))),
        any::<u64>().prop_map(Moment::ago),
        (0..100_u64).prop_map(|hours| Moment::ago(hours * 3_600)),
    ]
}

fn query() -> impl Strategy<Value = Query> {
    let terms = prop::collection::vec(term(), 0..4);
    (terms, prop::option::of(moment()), prop::option::of(moment()))
        .prop_map(|(terms, since, until)| Query { terms, since, until })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_printed_reads_as_the_same_query(query in query()) {
        let printed = query.to_string();
        let read = Query::parse(&printed);
        prop_assert_eq!(read.as_ref(), Ok(&query), "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside(
        text in prop_oneof![any::<String>(), "([a-z.:,\"*\\\\ (-]|op:|ctx\\.|ip:|since:|1h|\"){0,12}"],
    ) {
        match Query::parse(&text) {
            Ok(query) => prop_assert_eq!(parsed(&query.to_string()), query),
            Err(error) => {
                prop_assert!(error.at <= text.chars().count());
                prop_assert!(!error.problem.is_empty() && !error.hint.is_empty());
                let _ = error.marked(&text);
            }
        }
    }

    #[test]
    fn an_index_and_a_reading_agree(query in query(), which in 0..5_usize) {
        let record = [encrypt(), refused(), granted(), service(), outsider()][which].clone();
        let filed = index_terms(&record);
        let Narrowing { clauses, window, complete } = query.narrowing(NOW);
        let found = clauses.iter().all(|clause| clause.iter().any(|term| filed.contains(term)))
            && (window.is_open() || window.holds(super::matches::seconds(&record).unwrap()));
        let matches = query.matches(&record, NOW);
        prop_assert!(found || !matches, "{} matches and is not found", query);
        prop_assert!(matches || !found || !complete, "{} is found and does not match", query);
    }

    #[test]
    fn what_is_counted_finds_the_record(
        field in prop_oneof![9 => field(), 1 => Just(Field::Ip), 1 => Just(Field::ReadOnly)], which in 0..5_usize,
    ) {
        let record = [encrypt(), refused(), granted(), service(), outsider()][which].clone();
        for value in read::counted(&record, &field) {
            let term = Term::counted(&field, &value);
            let Some(term) = term else {
                prop_assert_eq!((&field, value.as_str()), (&Field::Ip, "AWS Internal"));
                continue;
            };
            prop_assert!(term.matches(&record), "{}", term);
            prop_assert_eq!(parsed(&term.to_string()), Query::new().with(term));
        }
    }
}

/// Padding makes nothing of a request invisible: not what was left out, and not its absence.
#[test]
fn what_a_record_has_no_room_for_may_be_so_and_may_not() {
    let mut record = encrypt();
    record["requestParameters"] =
        json!({"keyId": "k", "encryptionContext": {"tenant": "acme"}, "omitted": true});
    for text in ["ctx.purpose:anything", "-ctx.purpose:anything", "ctx.purpose:*", "-ctx.purpose:*"]
    {
        assert!(parsed(text).matches(&record, NOW), "{text}");
    }
    holds(&record, &["ctx.tenant:acme"], &["ctx.tenant:globex", "op:Decrypt"]);
    record["requestParameters"].as_object_mut().unwrap().remove("omitted");
    holds(&record, &["ctx.tenant:acme"], &["ctx.purpose:anything", "ctx.purpose:*"]);
}
