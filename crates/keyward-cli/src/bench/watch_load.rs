//! What the detectors are measured with: everyday requests of many principals, most by a few of them, as observations
//! and as the records that the log has.

use keyward_types::{Outcome, Timestamp};
use keyward_watch::Observation;
use serde_json::json;
use uuid::Uuid;

const ACCOUNT: &str = "111122223333";
/// 2026-01-05, a Monday.
const START_MILLIS: i64 = 1_767_571_200_000;
/// Keys that a principal uses.
const KEYS_EACH: usize = 20;
const OPERATIONS: [&str; 5] = ["Decrypt", "GenerateDataKey", "Encrypt", "Sign", "DescribeKey"];

/// A load that is the same for the same numbers.
pub(crate) struct Load {
    principals: usize,
    keys: usize,
    /// Events of a minute.
    rate: usize,
    made: usize,
    state: u64,
}

impl Load {
    pub(crate) fn new(principals: usize, keys: usize, rate: usize) -> Self {
        Self { principals, keys, rate: rate.max(1), made: 0, state: 7 }
    }

    /// SplitMix64. Source: <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below an end; the lower, the more often.
    fn skewed(&mut self, end: usize) -> usize {
        let end = end.max(1);
        let pick = |number: u64| usize::try_from(number % end as u64).unwrap_or_default();
        let (one, other) = (pick(self.next()), pick(self.next()));
        // The product of two fractions.
        one * other / end
    }

    pub(crate) fn event(&mut self) -> Observation {
        let principal = self.skewed(self.principals);
        let key = (principal * 31 + self.skewed(KEYS_EACH)) % self.keys.max(1);
        let operation = OPERATIONS.get(self.skewed(OPERATIONS.len())).copied().unwrap_or("Decrypt");
        let minute = i64::try_from(self.made / self.rate).unwrap_or_default();
        self.made += 1;
        Observation {
            event_id: Uuid::from_u64_pair(principal as u64, self.made as u64),
            time: Timestamp(START_MILLIS + minute * 60_000),
            operation: operation.to_owned(),
            outcome: Outcome::Success,
            account: ACCOUNT.to_owned(),
            principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/service-{principal:06}"),
            keys: vec![format!(
                "arn:aws:kms:eu-west-1:{ACCOUNT}:key/00000000-0000-4000-8000-{key:012}"
            )],
            named: None,
            region: "eu-west-1".to_owned(),
            source: format!("10.{}.{}.9", principal / 256 % 256, principal % 256),
            grant: None,
            opened_to_everyone: false,
            key_pending_deletion: false,
        }
    }

    /// The event's record, with what a usual one has.
    pub(crate) fn record(event: &Observation) -> Vec<u8> {
        let time = event.time.seconds();
        let key = event.keys.first().map_or("", String::as_str);
        let seconds = time.rem_euclid(60);
        let record = json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROAEXAMPLEEXAMPLEXX:session",
                "arn": format!("{}/session", event.principal),
                "accountId": ACCOUNT,
                "accessKeyId": "ASIAEXAMPLEEXAMPLEXX",
                "sessionContext": {"attributes": {"mfaAuthenticated": "false"}},
            },
            "eventTime": format!("2026-01-05T12:00:{seconds:02}Z"),
            "eventSource": "kms.amazonaws.com",
            "eventName": event.operation,
            "awsRegion": event.region,
            "sourceIPAddress": event.source,
            "userAgent": "aws-sdk-rust/1.3 os/linux",
            "requestParameters": {
                "keyId": key,
                "encryptionContext": {"tenant": "acme", "purpose": "invoices"},
                "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            },
            "responseElements": null,
            "additionalEventData": {"keyMaterialId": "0".repeat(64)},
            "requestID": event.event_id.to_string(),
            "eventID": event.event_id.to_string(),
            "readOnly": true,
            "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}],
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        });
        record.to_string().into_bytes()
    }
}

/// Resident bytes of this process; 0 where the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    let page = 4_096;
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * page
}

/// Seconds that this thread was on a core: what others do on a busy machine is no part of it. 0 where the system does
/// not say. Source: <https://docs.kernel.org/scheduler/sched-stats.html>.
pub(crate) fn core_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
    std::time::Duration::from_nanos(nanos.unwrap_or_default()).as_secs_f64()
}
