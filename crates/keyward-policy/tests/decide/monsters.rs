//! The worst documents that may be stored: each as large as a key policy may be, and valid.

/// Bytes of a key policy.
pub(crate) const BYTES_MAX: usize = 32_768;

/// A name, and the document.
pub(crate) type Monster = (&'static str, String);

/// `open`, as many of `each` as fit, and `close`. `each` gets a number that no other one has.
fn filled(open: &str, each: impl Fn(usize) -> String, close: &str) -> String {
    let mut text = open.to_owned();
    for number in 0.. {
        let next = each(number);
        let comma = if number == 0 { "" } else { "," };
        if BYTES_MAX < text.len() + comma.len() + next.len() + close.len() {
            break;
        }
        text.push_str(comma);
        text.push_str(&next);
    }
    text.push_str(close);
    text
}

fn condition(operator: &str, key: &str, each: impl Fn(usize) -> String) -> String {
    let open = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{{"{operator}":{{"{key}":["#
    );
    filled(&open, each, "]}}}}")
}

fn element(before: &str, each: impl Fn(usize) -> String, after: &str) -> String {
    filled(
        &format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{before}"#),
        each,
        &format!("{after}}}}}"),
    )
}

/// A text in quotes that fills the document.
fn long(open: &str, piece: &str, end: &str, close: &str) -> String {
    let rest = BYTES_MAX - open.len() - end.len() - close.len();
    format!("{open}{}{end}{close}", piece.repeat(rest / piece.len()))
}

fn like(piece: &str, end: &str) -> String {
    long(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringLike":{"kms:EncryptionContext:a":""#,
        piece,
        end,
        r#""}}}}"#,
    )
}

/// Every monster.
pub(crate) fn all() -> Vec<Monster> {
    let any = r#""Principal":"*","Action":"*","Resource":"*""#;
    vec![
        ("values", condition("StringEquals", "kms:EncryptionContext:a", |_| r#""""#.to_owned())),
        ("patterns", condition("StringLike", "kms:EncryptionContext:a", |n| format!(r#""*{n}""#))),
        (
            "single characters",
            condition("StringLike", "kms:EncryptionContext:a", |_| r#""?*""#.to_owned()),
        ),
        (
            "values of a set",
            condition("ForAnyValue:StringLike", "kms:EncryptionContextKeys", |n| {
                format!(r#""*{n}?""#)
            }),
        ),
        (
            "networks",
            condition("IpAddress", "aws:SourceIp", |n| format!(r#""10.0.0.{}""#, n % 256)),
        ),
        ("numbers", condition("NumericNotEquals", "aws:EpochTime", |n| n.to_string())),
        (
            "variables",
            condition("StringEquals", "kms:EncryptionContext:a", |_| {
                r#""x${kms:EncryptionContext:a}""#.to_owned()
            }),
        ),
        ("one text of variables", like("${kms:EncryptionContext:a}", "")),
        ("variables between stars", like("*${kms:EncryptionContext:a}", "*")),
        (
            "defaults",
            like("${aws:username, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}", ""),
        ),
        ("stars", like("*", "")),
        ("stars and single characters", like("?*", "")),
        ("stars and letters", like("a*", "b")),
        ("a star and letters", like("a", "b*").replacen("\"a", "\"*", 1)),
        ("letters in doubt", like("a?", "b*").replacen("\"a", "\"*", 1)),
        (
            "keys",
            filled(
                &format!(
                    r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{any},"Condition":{{"StringEquals":{{"#
                ),
                |n| format!(r#""s3:{n:x}":"""#),
                "}}}}",
            ),
        ),
        (
            "keys that Cedar cannot compare",
            filled(
                &format!(
                    r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny",{any},"Condition":{{"StringLike":{{"#
                ),
                |n| format!(r#""s3:{n:x}":"?""#),
                "}}}}",
            ),
        ),
        (
            "actions",
            element(
                r#""Principal":"*","Resource":"*","Action":["#,
                |_| r#""kms:*a*""#.to_owned(),
                "]",
            ),
        ),
        (
            "accounts",
            element(
                r#""Action":"*","Resource":"*","Principal":{"AWS":["#,
                |n| format!(r#""{n:012}""#),
                "]}",
            ),
        ),
        (
            "nobody",
            element(
                r#""Action":"*","Resource":"*","Principal":{"AWS":["#,
                |n| format!(r#""arn:aws:iam::111122223333:user/{n:x}""#),
                "]}",
            ),
        ),
        (
            "resources",
            element(
                r#""Principal":"*","Action":"*","Resource":["#,
                |n| format!(r#""arn:aws:kms:*:*:{n}*""#),
                "]",
            ),
        ),
        (
            "resources that Cedar cannot compare",
            element(
                r#""Principal":"*","Action":"*","Resource":["#,
                |n| format!(r#""arn:aws:kms:?*:*:{n}""#),
                "]",
            ),
        ),
        (
            "statements",
            filled(
                r#"{"Version":"2012-10-17","Statement":["#,
                |_| format!(r#"{{"Effect":"Allow",{any}}}"#),
                "]}",
            ),
        ),
        (
            "statements of many",
            filled(
                r#"{"Version":"2012-10-17","Statement":["#,
                |n| {
                    format!(
                        r#"{{"Effect":"Allow","Principal":{{"AWS":"{n:012}"}},"Action":"*","Resource":"*"}}"#
                    )
                },
                "]}",
            ),
        ),
        (
            "conditions",
            filled(
                r#"{"Version":"2012-10-17","Statement":["#,
                |n| {
                    format!(
                        r#"{{"Effect":"Deny",{any},"Condition":{{"StringLike":{{"s3:{n:x}":"?"}}}}}}"#
                    )
                },
                "]}",
            ),
        ),
        (
            "nothing",
            filled(
                r#"{"Statement":["#,
                |_| r#"{"Effect":"Deny","Principal":"*"}"#.to_owned(),
                "]}",
            ),
        ),
    ]
}
