//! A synthetic log: made from a seed, known as plain values, and served as records by a source in memory.

use keyward_sql::{EventSource, Page, Scan, SourceError, SourceEvent, Term};
use keyward_types::Timestamp;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A Friday, 12:34:56.789 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_795_782_896_789);
pub(crate) const ACCOUNT: &str = "111122223333";
const DAY: i64 = 86_400_000;

/// Small, fast, and the same everywhere: xorshift64*.
pub(crate) struct Luck(pub(crate) u64);

impl Luck {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'p, T>(&mut self, of: &'p [T]) -> &'p T {
        &of[self.below(of.len())]
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) kind: &'static str,
    /// The ARN, or a service's name.
    pub(crate) principal: String,
    pub(crate) role: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) account: Option<&'static str>,
    pub(crate) mfa: Option<bool>,
}

impl Who {
    /// A role stands for its sessions.
    pub(crate) fn stands_for(&self) -> String {
        self.role.clone().unwrap_or_else(|| self.principal.clone())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Ev {
    pub(crate) seq: u64,
    pub(crate) ms: i64,
    pub(crate) name: &'static str,
    pub(crate) who: Who,
    pub(crate) ip: String,
    pub(crate) error: Option<&'static str>,
    pub(crate) keys: Vec<String>,
    pub(crate) read_only: bool,
    pub(crate) context: Vec<(&'static str, String)>,
    pub(crate) days: Option<i64>,
    pub(crate) grantee: Option<String>,
    pub(crate) grant_id: Option<String>,
    pub(crate) used_grant: Option<String>,
    /// Another account's, and so not handed over.
    pub(crate) is_hidden: bool,
}

impl Ev {
    pub(crate) fn ok(&self) -> bool {
        self.error.is_none()
    }

    pub(crate) fn outcome(&self) -> &'static str {
        match self.error {
            None => "success",
            Some("AccessDenied") => "denied",
            Some("KMSInternalException") => "server_error",
            Some(_) => "client_error",
        }
    }

    pub(crate) fn time(&self) -> String {
        let time = chrono::DateTime::from_timestamp(self.ms.div_euclid(1_000), 0).unwrap();
        time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    pub(crate) fn request_id(&self) -> String {
        format!("0193bbbb-0000-7000-8000-{:012x}", self.seq)
    }

    pub(crate) fn context_json(&self) -> Option<String> {
        let pairs = self.context.iter().map(|(name, value)| (String::from(*name), json!(value)));
        (!self.context.is_empty()).then(|| Value::Object(pairs.collect()).to_string())
    }

    pub(crate) fn record(&self) -> Value {
        let mut identity = json!({"type": self.who.kind});
        if self.who.kind == "AWSService" {
            identity["invokedBy"] = json!(self.who.principal);
        } else if self.who.kind == "AWSAccount" {
            let (account, id) = self.who.principal.split_once(':').unwrap();
            identity["accountId"] = json!(account);
            identity["principalId"] = json!(id);
        } else {
            identity["arn"] = json!(self.who.principal);
            identity["accountId"] = json!(self.who.account);
            identity["accessKeyId"] = json!(self.who.access_key);
            identity["principalId"] = json!("AIDA");
        }
        if let Some(mfa) = self.who.mfa {
            identity["sessionContext"] = json!({"attributes": {"mfaAuthenticated": mfa.to_string(), "creationDate": "2026-01-01T00:00:00Z"}});
            if let Some(role) = &self.who.role {
                identity["sessionContext"]["sessionIssuer"] = json!({"type": "Role", "arn": role});
            }
        }
        let mut parameters = json!({"keyId": self.keys.first()});
        if let Some(context) = self.context_json() {
            let context: Value = serde_json::from_str(&context).unwrap();
            if self.name == "ReEncrypt" {
                // The same to open and to seal with, as most have it.
                parameters["sourceEncryptionContext"] = context.clone();
                parameters["destinationEncryptionContext"] = context;
            } else {
                parameters["encryptionContext"] = context;
            }
        }
        if let Some(days) = self.days {
            parameters["pendingWindowInDays"] = json!(days);
        }
        if let Some(grantee) = &self.grantee {
            parameters["granteePrincipal"] = json!(grantee);
        }
        let made = self.name == "CreateGrant" && self.ok();
        let mut record = json!({
            "eventVersion": "1.11", "userIdentity": identity, "eventTime": self.time(),
            "eventSource": "kms.amazonaws.com", "eventName": self.name, "awsRegion": "eu-west-1",
            "sourceIPAddress": self.ip, "userAgent": "aws-cli/2", "requestParameters": parameters,
            "responseElements": if made { json!({"grantId": self.grant_id}) } else { Value::Null },
            "requestID": self.request_id(), "eventID": format!("0193aaaa-0000-7000-8000-{:012x}", self.seq),
            "readOnly": self.read_only, "recipientAccountId": ACCOUNT,
            "resources": self.keys.iter().map(|key| json!({"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key})).chain([json!({"type": "AWS::KMS::Key", "ARN": "arn:aws:kms:eu-west-1:111122223333:alias/app"})]).collect::<Vec<_>>(),
        });
        if !made && let Some(grant) = &self.grant_id {
            record["requestParameters"]["grantId"] = json!(grant);
        }
        if let Some(error) = self.error {
            record["errorCode"] = json!(error);
            record["errorMessage"] = json!("it was not to be");
        }
        let matched = match &self.used_grant {
            Some(grant) => {
                json!([{"layer": "Grant", "effect": "Allow", "matched": [{"source": "grant", "sid": grant, "index": 0, "allow": true}]}])
            }
            None => {
                json!([{"layer": "KeyPolicy", "effect": "Allow", "matched": [{"source": "key policy", "sid": "Root", "index": 0, "allow": true, "kind": "Account"}]}])
            }
        };
        record["additionalEventData"] = json!({"policyDecision": [{
            "effect": if self.outcome() == "denied" { "ImplicitDeny" } else { "Allow" },
            "reason": if self.outcome() == "denied" { json!({"NotAllowed": "KeyPolicy"}) } else { json!("DelegatedToIam") },
            "layers": matched,
        }]});
        record
    }

    fn has(&self, term: &Term) -> bool {
        match term {
            Term::Key(key) => self.keys.contains(key),
            Term::Principal(principal) => self.who.principal == *principal,
            Term::AccessKey(id) => self.who.access_key.as_ref() == Some(id),
            Term::Event(id) => *id == format!("0193aaaa-0000-7000-8000-{:012x}", self.seq),
            Term::Request(id) => *id == self.request_id(),
            Term::Account(account) => account == ACCOUNT,
            Term::Service(service) => service == "kms",
            Term::Operation(name) => self.name == name,
            Term::Outcome(outcome) => self.outcome() == outcome,
            Term::Error(error) => self.error == Some(error),
        }
    }
}

pub(crate) fn key(number: usize) -> String {
    format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-{number:012x}")
}

pub(crate) fn people() -> Vec<Who> {
    let user = |name: &str, account: &'static str| Who {
        kind: "IAMUser",
        principal: format!("arn:aws:iam::{account}:user/{name}"),
        role: None,
        access_key: Some(format!("AKIA{name}")),
        account: Some(account),
        mfa: None,
    };
    let session = |role: &str, session: &str, mfa: bool| Who {
        kind: "AssumedRole",
        principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        role: Some(format!("arn:aws:iam::{ACCOUNT}:role/{role}")),
        access_key: Some(format!("ASIA{role}{session}")),
        account: Some(ACCOUNT),
        mfa: Some(mfa),
    };
    vec![
        user("ann", ACCOUNT),
        user("ben", ACCOUNT),
        user("eve", "444455556666"),
        session("App", "one", false),
        session("App", "two", false),
        session("Admin", "kim", true),
        Who {
            kind: "Root",
            principal: format!("arn:aws:iam::{ACCOUNT}:root"),
            role: None,
            access_key: Some("AKIAROOT".to_owned()),
            account: Some(ACCOUNT),
            mfa: None,
        },
        Who {
            kind: "AWSService",
            principal: "backup.amazonaws.com".to_owned(),
            role: None,
            access_key: None,
            account: None,
            mfa: None,
        },
        // As the owner of a key hears of another account's session.
        Who {
            kind: "AWSAccount",
            principal: "999988887777:AROA7:nightly".to_owned(),
            role: Some("999988887777:AROA7".to_owned()),
            access_key: None,
            account: Some("999988887777"),
            mfa: None,
        },
    ]
}

const READS: &[&str] = &[
    "Decrypt",
    "Decrypt",
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "Sign",
    "GenerateMac",
    "ReEncrypt",
    "DescribeKey",
    "ListGrants",
];
const WRITES: &[&str] = &[
    "PutKeyPolicy",
    "CreateGrant",
    "RevokeGrant",
    "ScheduleKeyDeletion",
    "CancelKeyDeletion",
    "DisableKey",
];
const ERRORS: &[&str] = &[
    "AccessDenied",
    "AccessDenied",
    "InvalidCiphertextException",
    "IncorrectKeyException",
    "DisabledException",
    "KMSInternalException",
];

/// A log of the forty days before [`NOW`], with quiet times and bursts.
pub(crate) fn log(seed: u64, count: u64) -> Vec<Ev> {
    let mut luck = Luck(seed | 1);
    let people = people();
    let mut grants: Vec<String> = Vec::new();
    let step = 40 * DAY / i64::try_from(count).unwrap();
    let mut events: Vec<Ev> = Vec::new();
    let mut burst: Option<Ev> = None;
    for seq in 0..count {
        let jitter = i64::try_from(luck.below(40_000)).unwrap();
        let mut ms = NOW.0 - 40 * DAY + i64::try_from(seq).unwrap() * step + jitter;
        if let Some(before) = events.last().filter(|_| luck.one_in(50)) {
            // Commits and times are not in one order to the second.
            ms = before.ms - 5_000 - i64::try_from(luck.below(40_000)).unwrap();
        }
        if let Some(before) = burst.clone().filter(|_| !luck.one_in(12)) {
            // The same caller does the same to another key, moments later.
            let before_ms = before.ms + i64::try_from(luck.below(20_000)).unwrap();
            let event = Ev {
                seq,
                ms: before_ms,
                keys: vec![key(luck.below(24))],
                grant_id: None,
                used_grant: None,
                ..before
            };
            burst = Some(event.clone());
            events.push(event);
            continue;
        }
        let writes = luck.one_in(6);
        let name = *luck.pick(if writes { WRITES } else { READS });
        let who = people[if luck.one_in(3) { luck.below(people.len()) } else { 3 }].clone();
        // Early on there are fewer keys and addresses, so that later there is something new.
        let known = 4 + 20 * usize::try_from(seq).unwrap() / usize::try_from(count).unwrap();
        let mut keys = vec![key(luck.below(known))];
        if name == "ReEncrypt" {
            keys.push(key(24 + luck.below(4)));
        }
        let error = luck.one_in(5).then(|| *luck.pick(ERRORS));
        let mut event = Ev {
            seq,
            ms,
            name,
            ip: format!("192.0.2.{}", luck.below(known / 3 + 1)),
            error,
            read_only: !writes,
            context: Vec::new(),
            days: (name == "ScheduleKeyDeletion")
                .then(|| 7 + i64::try_from(luck.below(20)).unwrap()),
            grantee: (name == "CreateGrant").then(|| luck.pick(&people).principal.clone()),
            grant_id: None,
            used_grant: None,
            is_hidden: false,
            keys,
            who,
        };
        if matches!(name, "Decrypt" | "Encrypt" | "GenerateDataKey" | "ReEncrypt") && luck.one_in(2)
        {
            event.context.push(("tenant", format!("t{}", luck.below(4))));
            if luck.one_in(3) {
                event.context.push(("purpose", "é\"'".to_owned()));
            }
        }
        if name == "CreateGrant" && event.ok() {
            event.used_grant = grants.last().filter(|_| luck.one_in(2)).cloned();
            grants.push(format!("{seq:064x}"));
            event.grant_id = grants.last().cloned();
        } else if name == "RevokeGrant" && !grants.is_empty() {
            event.grant_id = Some(luck.pick(&grants).clone());
        }
        burst = (!writes && luck.one_in(40)).then(|| event.clone());
        events.push(event);
    }
    events
}

/// A source over such a log.
pub(crate) struct Memory {
    pub(crate) events: Vec<Ev>,
    records: Vec<Vec<u8>>,
    /// Hands over what the terms leave out too, as a source may.
    pub(crate) is_generous: bool,
    pub(crate) is_withheld: bool,
    pub(crate) handed_over: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(events: Vec<Ev>, is_generous: bool) -> Self {
        let records = events.iter().map(|event| event.record().to_string().into_bytes()).collect();
        Self { events, records, is_generous, is_withheld: false, handed_over: AtomicUsize::new(0) }
    }
}

impl EventSource for Memory {
    fn total(&self) -> u64 {
        self.events.len() as u64
    }

    fn scan(&self, scan: &Scan<'_>) -> Result<Page, SourceError> {
        let admits = |event: &Ev| {
            let in_time = scan.from.is_none_or(|from| from.0 <= event.ms)
                && scan.to.is_none_or(|to| event.ms <= to.0);
            !event.is_hidden
                && (self.is_generous || in_time && scan.terms.iter().all(|term| event.has(term)))
        };
        let total = self.events.len();
        let after = scan.after.map(|after| usize::try_from(after).unwrap());
        let numbers: Box<dyn Iterator<Item = usize>> = if scan.newest_first {
            Box::new((0..after.unwrap_or(total).min(total)).rev())
        } else {
            Box::new(after.map_or(0, |after| after + 1)..total)
        };
        let found: Vec<usize> =
            numbers.filter(|number| admits(&self.events[*number])).take(scan.limit).collect();
        self.handed_over.fetch_add(found.len(), Ordering::Relaxed);
        let event = |number: usize| SourceEvent {
            seq: number as u64,
            time: Timestamp(self.events[number].ms),
            record: self.records[number].clone(),
            is_withheld: self.is_withheld,
        };
        let next = found.last().filter(|_| found.len() == scan.limit).map(|last| *last as u64);
        Ok(Page { events: found.into_iter().map(event).collect(), next })
    }
}
