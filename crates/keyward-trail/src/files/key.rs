//! Names of log and digest files in AWS's folder layout.
//!
//! `[prefix/]AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_TIME_UNIQUE.json.gz`, and
//! `CloudTrail-Digest` with the trail's name and home Region in the place of the unique part.
//! Source: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>

use chrono::{DateTime, NaiveDateTime, Utc};
use keyward_types::{Region, Timestamp};

const LOG: &str = "CloudTrail";
const DIGEST: &str = "CloudTrail-Digest";
const ROOT: &str = "AWSLogs/";
const EXTENSION: &str = ".json.gz";
const MINUTE: &str = "%Y%m%dT%H%MZ";
const SECOND: &str = "%Y%m%dT%H%M%SZ";

/// What one chain of digests is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stream {
    pub account: String,
    pub region: String,
}

impl core::fmt::Display for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl Stream {
    /// From the form `ACCOUNT/REGION`.
    pub fn parse(text: &str) -> Option<Self> {
        let (account, region) = text.split_once('/')?;
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_region = !region.is_empty()
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (is_account && is_region)
            .then(|| Self { account: account.to_owned(), region: region.to_owned() })
    }
}

/// Where files go, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub bucket: String,
    /// Without a slash at its ends.
    pub prefix: Option<String>,
    pub trail: String,
    pub home_region: String,
}

/// What a key says of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Log {
        prefix: Option<String>,
        stream: Stream,
    },
    Digest {
        prefix: Option<String>,
        stream: Stream,
        trail: String,
        home_region: String,
        end: Timestamp,
    },
}

/// Whether a key is one that is ever written here: segments of letters, digits and `_-.`, none of which begins
/// with a dot. What is not has no file.
pub fn is_plain_key(key: &str) -> bool {
    key.len() <= 1_024
        && key.split('/').all(|segment| {
            !segment.is_empty()
                && !segment.starts_with('.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        })
}

fn calendar(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.seconds(), 0).unwrap_or_default()
}

impl Place {
    fn under_prefix(&self, rest: &str) -> String {
        under(self.prefix.as_deref(), rest)
    }

    /// Where every stream is.
    pub fn root(&self) -> String {
        self.under_prefix(ROOT)
    }

    /// Where an account's files are.
    pub fn account_root(&self, account: &str) -> String {
        self.under_prefix(&format!("{ROOT}{account}/"))
    }

    /// Where the export itself remembers how far it came.
    pub fn head_key(&self) -> String {
        self.under_prefix("keyward/head.json")
    }

    /// Where a public key is laid down for readers of the folder.
    pub fn public_key_key(&self, fingerprint: &str) -> String {
        self.under_prefix(&format!("keyward/public-keys/{fingerprint}.pem"))
    }

    /// `time` is when the file was finished.
    pub fn log_key(&self, stream: &Stream, time: Timestamp, unique: &str) -> String {
        let last = format!("{}_{unique}", calendar(time).format(MINUTE));
        file(self.prefix.as_deref(), stream, LOG, time, &last)
    }

    pub fn digest_key(&self, stream: &Stream, end: Timestamp) -> String {
        let Self { trail, home_region, .. } = self;
        let last = format!("{trail}_{home_region}_{}", calendar(end).format(SECOND));
        file(self.prefix.as_deref(), stream, DIGEST, end, &last)
    }

    pub fn trail_arn(&self, account: &str) -> String {
        let partition = Region::parse(&self.home_region).map_or("aws", |region| region.partition());
        format!("arn:{partition}:cloudtrail:{}:{account}:trail/{}", self.home_region, self.trail)
    }
}

impl Named {
    /// `None` for a key that is neither a log's nor a digest's.
    pub fn parse(key: &str) -> Option<Self> {
        if !is_plain_key(key) {
            return None;
        }
        let at = if key.starts_with(ROOT) { 0 } else { key.find(&format!("/{ROOT}"))? + 1 };
        let (prefix, rest) = key.split_at_checked(at)?;
        let prefix = prefix.strip_suffix('/').map(str::to_owned);
        let mut parts = rest.strip_prefix(ROOT)?.split('/');
        let (account, kind, region) = (parts.next()?, parts.next()?, parts.next()?);
        let stream = Stream::parse(&format!("{account}/{region}"))?;
        let name = parts.nth(3).filter(|_| parts.next().is_none())?;
        let last =
            name.strip_suffix(EXTENSION)?.strip_prefix(&format!("{account}_{kind}_{region}_"))?;
        let (named, again) = match kind {
            LOG => {
                let (minute, _) = last.split_once('_')?;
                let time = time(minute, MINUTE)?;
                let again = file(prefix.as_deref(), &stream, LOG, time, last);
                (Self::Log { prefix, stream }, again)
            }
            DIGEST => {
                let (left, second) = last.rsplit_once('_')?;
                let (trail, home_region) = left.rsplit_once('_')?;
                let end = time(second, SECOND)?;
                let (trail, home_region) = (trail.to_owned(), home_region.to_owned());
                let again = file(prefix.as_deref(), &stream, DIGEST, end, last);
                (Self::Digest { prefix, stream, trail, home_region, end }, again)
            }
            _ => return None,
        };
        // The folders of the day are those of the name.
        (again == key).then_some(named)
    }

    pub fn stream(&self) -> &Stream {
        match self {
            Self::Log { stream, .. } | Self::Digest { stream, .. } => stream,
        }
    }
}

fn under(prefix: Option<&str>, rest: &str) -> String {
    prefix.map_or_else(|| rest.to_owned(), |prefix| format!("{prefix}/{rest}"))
}

fn file(prefix: Option<&str>, stream: &Stream, kind: &str, time: Timestamp, last: &str) -> String {
    let Stream { account, region } = stream;
    let day = calendar(time).format("%Y/%m/%d");
    let rest = format!(
        "{ROOT}{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{last}{EXTENSION}"
    );
    under(prefix, &rest)
}

fn time(text: &str, format: &str) -> Option<Timestamp> {
    // A time of day needs seconds to be one.
    let (text, format) = if format == MINUTE {
        (format!("{}00Z", text.strip_suffix('Z')?), SECOND)
    } else {
        (text.to_owned(), format)
    };
    let time = NaiveDateTime::parse_from_str(&text, format).ok()?;
    Some(Timestamp::from_seconds(time.and_utc().timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_awss_and_read_back() {
        let place = Place {
            bucket: "b".to_owned(),
            prefix: Some("p/q".to_owned()),
            trail: "my_trail".to_owned(),
            home_region: "us-east-1".to_owned(),
        };
        let stream = Stream::parse("111122223333/eu-west-1").unwrap();
        let end = Timestamp::from_seconds(1_767_232_799);
        let log = place.log_key(&stream, end, "0123456789abcdef");
        assert_eq!(
            log,
            "p/q/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/01/111122223333_CloudTrail_eu-west-1_20260101T0159Z_0123456789abcdef.json.gz"
        );
        let digest = place.digest_key(&stream, end);
        assert_eq!(
            digest,
            "p/q/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/111122223333_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20260101T015959Z.json.gz"
        );
        let prefix = Some("p/q".to_owned());
        assert_eq!(
            Named::parse(&log),
            Some(Named::Log { prefix: prefix.clone(), stream: stream.clone() })
        );
        let named = Named::Digest {
            prefix,
            stream: stream.clone(),
            trail: "my_trail".to_owned(),
            home_region: "us-east-1".to_owned(),
            end,
        };
        assert_eq!(Named::parse(&digest), Some(named));
        let bare = Place { prefix: None, ..place };
        assert!(Named::parse(&bare.digest_key(&stream, end)).is_some());
        for other in [
            log.replace("2026/01/01", "2026/01/02"),
            log.replace("111122223333/", "111122223334/"),
            log.replace(".gz", ""),
            format!("{log}/x"),
            log.replace("0159Z", "0199Z"),
            log.replace("p/q", ".."),
        ] {
            assert_eq!(Named::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn keys_that_could_lead_elsewhere_are_none() {
        for key in [
            "",
            "/etc/passwd",
            "a/../b",
            "a//b",
            ".metadata/a",
            "a/.b",
            "a/",
            "a%2fb",
            "a=b",
            "a\\b",
            "a\0b",
        ] {
            assert!(!is_plain_key(key), "{key}");
        }
        assert!(is_plain_key("AWSLogs/1/CloudTrail-Digest/a_b-c.json.gz"));
    }
}
