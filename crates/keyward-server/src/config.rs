//! What an operator may choose, as data.
//!
//! A configuration file is TOML, and an unknown key is an error. Nothing here reads the environment or
//! the command line: `keyward-cli` does, and passes values.
//!
//! INVARIANT: no secret stands in the file; secrets are passed in, and `Debug` does not show them.

use crate::{
    alerts::settings::AlertSettings,
    clock::PlayedClock,
    event_log::{EventLogSettings, WitnessRole},
    retention::JournalSettings,
};
use core::fmt;
use keyward_engine::{Quotas, request_quotas};
use keyward_store::Durability;
use keyward_types::{AccountId, Region};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};
use zeroize::Zeroizing;

/// A text that is wiped and never printed.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Everything. [`Config::dev`] and [`Config::serve`] are the two starting points.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the one port listens. An address that is not loopback needs `allow_remote_plaintext`.
    pub listen: SocketAddr,
    /// The store's directory. `None` is a temporary one, which is removed at the end.
    pub data: Option<PathBuf>,
    /// When an answer may leave: after its event is on disk (`commit`), or after the operating system
    /// has it (`relaxed`).
    pub durability: Durability,
    /// The account of the root credentials: twelve digits.
    pub account: String,
    /// The Region of what the service does by itself. Requests carry their own in the signing scope.
    pub region: String,
    pub root_key: RootKeySource,
    /// Credentials of the account's root user. `None` leaves those of the store, and makes some for a
    /// new store.
    #[serde(skip)]
    pub root_credentials: Option<RootCredentials>,
    /// Keys, aliases, users, roles and grants to create when they are missing (YAML).
    pub seed: Option<PathBuf>,
    /// A folder of guardrails: Cedar policies of the operator that forbid (`policies/README.md`). It is read again
    /// when its files change, and on SIGHUP.
    pub guardrails: Option<PathBuf>,
    /// Whether the whole service starts in observe mode: what policies refuse of the use of keys is let through,
    /// marked and counted. Freezes and guardrails hold all the same (`policies/least-privilege.md`).
    pub observe: bool,
    /// The SMT solver that policy checks are asked of, where there is one: a path, or a name on PATH. Access
    /// Analyzer's checks need it, and nothing else does.
    pub solver: PathBuf,
    /// Seconds that the solver may take for one question; a check is several.
    pub solver_seconds: u64,
    /// The log as CloudTrail's files, written while the service runs. Nowhere, unless it is said here.
    pub cloudtrail_files: Option<CloudTrailFiles>,
    pub crypto: CryptoChoice,
    /// Who may state what only a front can know. Nobody, unless it is named here.
    pub trusted_front: TrustedFront,
    /// How external key store proxies are reached.
    pub key_store_proxies: KeyStoreProxies,
    /// Seconds in which a new grant counts only for requests that carry its token, as it can be at AWS. 0,
    /// the default, lets grants count at once; a test that wants to catch forgotten tokens sets more.
    pub grant_delay_seconds: u32,
    pub quotas: QuotaSettings,
    /// What the event log tells of itself to others.
    pub event_log: EventLogSettings,
    /// How the journal is kept small, and for how long events are kept.
    pub journal: JournalSettings,
    /// What detectors look for, and who is told.
    pub alerts: AlertSettings,
    /// Which other logs this service witnesses.
    pub witness: WitnessRole,
    /// Threads that serve connections. 0 is one for each core.
    pub workers: usize,
    /// Bytes of a request body at most; more is answered with 413.
    pub body_bytes_max: usize,
    /// Seconds that requests in flight have to finish after a signal to stop.
    pub drain_seconds: u64,
    /// Seconds between `/readyz` turning 503 and the port closing, for load balancers to notice.
    pub shutdown_delay_seconds: u64,
    /// Whether an address that is not loopback may be listened on without TLS. Put TLS in front of it.
    pub allow_remote_plaintext: bool,
    /// Whether `/metrics`, which asks for no signature, may name the ten keys and principals that are used most.
    pub metrics_names: bool,
    pub log: LogSettings,
    /// Another clock than the system's, which whoever starts the service sets: `keyward demo` plays days in minutes.
    #[serde(skip)]
    pub clock: Option<Arc<PlayedClock>>,
    /// Development mode: fixed root credentials, and a root key that is made and kept with the store.
    #[serde(skip)]
    pub dev: bool,
}

/// Where CloudTrail's files go: a folder, which `aws cloudtrail validate-logs` reads by way of this service, or an
/// S3-compatible store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudTrailFiles {
    /// A folder, or `s3://BUCKET/PREFIX` where the build has the feature `s3`.
    pub to: String,
    /// The trail's name.
    #[serde(default = "CloudTrailFiles::default_trail")]
    pub trail: String,
    /// How an S3-compatible store is reached.
    #[serde(default)]
    pub s3: keyward_export::S3,
    /// Seconds of log files and digests alike, instead of CloudTrail's five minutes and an hour. For tests.
    #[serde(skip)]
    pub period_seconds: Option<u32>,
}

impl CloudTrailFiles {
    pub fn at(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            trail: Self::default_trail(),
            s3: Default::default(),
            period_seconds: None,
        }
    }

    fn default_trail() -> String {
        "keyward".to_owned()
    }

    /// A trail's name stands in names of files and in ARNs.
    /// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html>
    fn check(&self) -> Result<(), ConfigError> {
        let fits = (3..=128).contains(&self.trail.len())
            && self.trail.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && self.trail.starts_with(|c: char| c.is_ascii_alphanumeric());
        let wanted = "3 to 128 letters, digits and -_. that begin with a letter or digit";
        let error = ConfigError::Value { name: "cloudtrail_files.trail", wanted };
        if fits { Ok(()) } else { Err(error) }
    }
}

/// AWS's quotas: that of keys holds always, those of requests when they are turned on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSettings {
    /// Customer managed keys of an account in a Region.
    pub keys_per_region: u64,
    /// Whether requests beyond AWS's request quotas answer `ThrottlingException`.
    pub requests: bool,
    /// Requests a second, where a quota shall differ from AWS's: by operation, such as `CreateKey`, or by what
    /// operations share, such as `RSA`. Naming one turns request quotas on.
    pub requests_per_second: BTreeMap<String, u32>,
}

impl Default for QuotaSettings {
    fn default() -> Self {
        Self {
            keys_per_region: Quotas::default().keys_per_region,
            requests: false,
            requests_per_second: BTreeMap::new(),
        }
    }
}

impl QuotaSettings {
    fn check(&self) -> Result<(), ConfigError> {
        let names = request_quotas();
        match self.requests_per_second.keys().find(|name| !names.contains(name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = names.into_iter().collect();
                Err(ConfigError::UnknownQuota { name: name.clone(), known: known.join(", ") })
            }
        }
    }

    /// As the engine takes them.
    pub(crate) fn quotas(&self) -> Quotas {
        let on = self.requests || !self.requests_per_second.is_empty();
        Quotas {
            keys_per_region: self.keys_per_region,
            requests: on.then(|| self.requests_per_second.clone()),
        }
    }
}

/// External key store proxies: whom to believe, where to find them, and how long to wait.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyStoreProxies {
    /// A PEM file of root certificates that are trusted beside the public ones.
    pub ca: Option<PathBuf>,
    /// Where to connect for a host instead of to what its name leads to: an endpoint at AWS has no port, and a
    /// proxy that is tried out here often has one.
    pub connect_to: BTreeMap<String, SocketAddr>,
    /// Milliseconds for a whole answer. AWS waits 250.
    pub timeout_millis: u64,
}

impl Default for KeyStoreProxies {
    fn default() -> Self {
        Self { ca: None, connect_to: BTreeMap::new(), timeout_millis: 250 }
    }
}

impl Config {
    /// `keyward dev`: zero configuration, loopback, fixed credentials, a temporary store.
    pub fn dev() -> Self {
        Self {
            durability: Durability::Relaxed,
            root_credentials: Some(RootCredentials {
                access_key_id: "test".to_owned(),
                secret: Secret::new("test"),
            }),
            dev: true,
            ..Self::serve()
        }
    }

    /// `keyward serve`: everything that promises something is explicit.
    pub fn serve() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8480)),
            data: None,
            durability: Durability::Commit,
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            root_key: RootKeySource::default(),
            root_credentials: None,
            seed: None,
            guardrails: None,
            observe: false,
            solver: PathBuf::from(keyward_prove::DEFAULT_PROGRAM),
            solver_seconds: 5,
            cloudtrail_files: None,
            crypto: CryptoChoice::Default,
            trusted_front: TrustedFront::default(),
            key_store_proxies: KeyStoreProxies::default(),
            grant_delay_seconds: 0,
            quotas: QuotaSettings::default(),
            event_log: EventLogSettings::default(),
            journal: JournalSettings::default(),
            alerts: AlertSettings::default(),
            witness: WitnessRole::default(),
            workers: 0,
            body_bytes_max: BODY_BYTES_MAX,
            drain_seconds: 30,
            shutdown_delay_seconds: 0,
            allow_remote_plaintext: false,
            metrics_names: false,
            clock: None,
            log: LogSettings::default(),
            dev: false,
        }
    }

    /// Reads a configuration file's text over the defaults of `serve`.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Syntax(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what cannot work or is not safe.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.account_id()?;
        self.region_name()?;
        self.trusted_front.check()?;
        self.quotas.check()?;
        self.cloudtrail_files.as_ref().map_or(Ok(()), CloudTrailFiles::check)?;
        self.event_log.check()?;
        self.journal.check()?;
        self.alerts.check()?;
        self.witness.keys()?;
        let loopback = self.listen.ip().is_loopback();
        if self.dev && !loopback {
            return Err(ConfigError::Unsafe(
                "development mode has fixed credentials and listens on loopback addresses only"
                    .to_owned(),
            ));
        }
        if !loopback && !self.allow_remote_plaintext {
            return Err(ConfigError::Unsafe(format!(
                "{} is not a loopback address and this port speaks no TLS; put TLS in front of it and set allow_remote_plaintext = true",
                self.listen
            )));
        }
        if self.body_bytes_max < BODY_BYTES_LEAST {
            return Err(ConfigError::Value { name: "body_bytes_max", wanted: "16384 or more" });
        }
        Ok(())
    }

    pub fn account_id(&self) -> Result<AccountId, ConfigError> {
        AccountId::parse(&self.account)
            .ok_or(ConfigError::Value { name: "account", wanted: "twelve digits" })
    }

    pub fn region_name(&self) -> Result<Region, ConfigError> {
        Region::parse(&self.region).ok_or(ConfigError::Value {
            name: "region",
            wanted: "a Region's name, such as us-east-1",
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::serve()
    }
}

/// 512 KiB: the largest request that the model allows, 262,144 bytes of attestation in base64, fits, so that one
/// byte more is still answered in the operation's own words.
pub const BODY_BYTES_MAX: usize = 512 << 10;
/// An Encrypt of 4,096 bytes in base64 with an encryption context of 8 KiB fits.
const BODY_BYTES_LEAST: usize = 16 << 10;

/// Where the root key comes from: exactly one of these, except in development mode.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RootKeySource {
    /// A file that holds 64 hexadecimal digits, or 32 bytes in base64.
    pub file: Option<PathBuf>,
    /// The same text, passed in (from an environment variable).
    #[serde(skip)]
    pub text: Option<Secret>,
    /// A passphrase, passed in; the salt and costs stand beside the store.
    #[serde(skip)]
    pub passphrase: Option<Secret>,
}

/// A long-lived access key of the root user.
#[derive(Clone, Debug)]
pub struct RootCredentials {
    pub access_key_id: String,
    pub secret: Secret,
}

/// Which implementations of cryptography work; see `keyward_crypto::Provider`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CryptoChoice {
    /// For each algorithm what is constant-time and measures best.
    #[default]
    Default,
    /// Pure Rust alone: RSA is slower, and the `rsa` crate stands under RUSTSEC-2023-0071.
    Rustcrypto,
    AwsLc,
}

impl From<CryptoChoice> for keyward_crypto::Provider {
    fn from(choice: CryptoChoice) -> Self {
        match choice {
            CryptoChoice::Default => Self::Default,
            CryptoChoice::Rustcrypto => Self::RustCrypto,
            CryptoChoice::AwsLc => Self::AwsLc,
        }
    }
}

/// A front that is believed: a proxy that ends TLS, or a service that calls on behalf of others.
///
/// Headers named here count only in requests that come straight from one of `networks`, and are ignored
/// in all others. The front must remove them from what its own clients send.
/// `policies/README.md` lists the condition keys that a front may state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrustedFront {
    /// Such as `10.1.0.0/16` or `127.0.0.1`. Empty trusts nobody.
    pub networks: Vec<String>,
    /// Condition key by header: `x-keyward-via-service = "kms:ViaService"`.
    pub headers: BTreeMap<String, String>,
    /// The header that holds the client's address, such as `x-real-ip`. One address, not a list.
    pub source_ip_header: Option<String>,
    /// Whether the front ended TLS: `aws:SecureTransport` is true for what comes from it.
    pub secure_transport: bool,
}

impl TrustedFront {
    /// Refuses networks that are none, and headers for condition keys that are not a front's to state.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.networks()?;
        match self.headers.iter().find(|(_, key)| !keyward_engine::front_may_state(key)) {
            None => Ok(()),
            Some((header, key)) => Err(ConfigError::Unsafe(format!(
                "trusted_front.headers: {header} cannot stand for {key}, which a front cannot know better than this service; a front may state {} and kms:recipientattestation:*",
                keyward_engine::front_keys().collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// The networks, parsed; one address is a network of its own.
    pub fn networks(&self) -> Result<Vec<ipnet::IpNet>, ConfigError> {
        let parse = |text: &String| {
            let net = text
                .parse()
                .ok()
                .or_else(|| text.parse().ok().map(|ip: std::net::IpAddr| ipnet::IpNet::from(ip)));
            net.ok_or(ConfigError::Value {
                name: "trusted_front.networks",
                wanted: "addresses or networks such as 10.1.0.0/16",
            })
        };
        self.networks.iter().map(parse).collect()
    }
}

/// The diagnostic log on stderr. It is not the event log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A filter such as `info` or `warn,keyward_store=debug`.
    pub filter: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Auto, filter: "info".to_owned() }
    }
}

/// How a line of the diagnostic log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    #[default]
    Auto,
    Text,
    Json,
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Syntax(String),
    #[error("{name} must be {wanted}")]
    Value { name: &'static str, wanted: &'static str },
    #[error("{0}")]
    Unsafe(String),
    #[error("there is no request quota {name}; there are {known}")]
    UnknownQuota { name: String, known: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_key_is_read() {
        let config = Config::from_toml(
            r#"
            listen = "127.0.0.1:9000"
            data = "/var/lib/keyward"
            durability = "relaxed"
            account = "111122223333"
            region = "eu-central-1"
            seed = "seed.yaml"
            guardrails = "guardrails.d"
            crypto = "aws-lc"
            grant_delay_seconds = 5
            workers = 3
            body_bytes_max = 65536
            drain_seconds = 5
            shutdown_delay_seconds = 1
            allow_remote_plaintext = true
            [quotas]
            keys_per_region = 10
            requests = true
            [quotas.requests_per_second]
            CreateKey = 1
            Symmetric = 50
            [cloudtrail_files]
            to = "s3://logs/keyward"
            trail = "audit"
            [cloudtrail_files.s3]
            endpoint = "http://127.0.0.1:9000"
            region = "eu-central-1"
            [root_key]
            file = "/etc/keyward/root.key"
            [trusted_front]
            networks = ["10.0.0.0/8", "127.0.0.1"]
            source_ip_header = "x-real-ip"
            secure_transport = true
            [trusted_front.headers]
            x-keyward-via-service = "kms:ViaService"
            [log]
            format = "json"
            filter = "warn"
            "#,
        )
        .unwrap();
        assert_eq!(config.listen.port(), 9000);
        assert_eq!(config.durability, Durability::Relaxed);
        assert_eq!(config.grant_delay_seconds, 5);
        assert_eq!(config.trusted_front.networks().unwrap().len(), 2);
        assert_eq!(config.log.format, LogFormat::Json);
        let quotas = config.quotas.quotas();
        assert_eq!((quotas.keys_per_region, quotas.requests.unwrap().len()), (10, 2));
        assert_eq!(config.guardrails.as_deref(), Some(std::path::Path::new("guardrails.d")));
        assert!(!config.dev);
    }

    #[test]
    fn what_is_unknown_wrong_or_unsafe_is_refused() {
        for bad in [
            "lisen = \"127.0.0.1:1\"",
            "root_credentials = 1",
            "dev = true",
            "account = \"12\"",
            "region = \"moon\"",
            "durability = \"never\"",
            "listen = \"0.0.0.0:8480\"",
            "body_bytes_max = 1",
            "[root_key]\npassphrase = \"x\"",
            "[trusted_front]\nnetworks = [\"here\"]",
            "[quotas.requests_per_second]\nDecrypt = 1",
        ] {
            assert!(Config::from_toml(bad).is_err(), "{bad}");
        }
        for key in [
            "aws:PrincipalArn",
            "aws:PrincipalOrgID",
            "aws:PrincipalTag/team",
            "aws:ResourceTag/team",
            "aws:RequestTag/team",
            "aws:MultiFactorAuthPresent",
            "aws:SourceIp",
            "aws:userid",
            "kms:CallerAccount",
            "kms:EncryptionContext:Project",
            "kms:KeySpec",
            "kms:Misspelled",
        ] {
            let text = format!("[trusted_front.headers]\nx-front = \"{key}\"");
            let said = Config::from_toml(&text).unwrap_err().to_string();
            assert!(said.contains(key) && said.contains("kms:viaservice"), "{said}");
        }
        let open = Config {
            listen: "0.0.0.0:1".parse().unwrap(),
            allow_remote_plaintext: true,
            ..Config::dev()
        };
        assert!(matches!(open.check(), Err(ConfigError::Unsafe(_))));
    }

    #[test]
    fn the_documented_front_is_taken() {
        let page = include_str!("../../../policies/README.md");
        let example = page.split("```toml").nth(1).unwrap().split("```").next().unwrap();
        let front = Config::from_toml(example).unwrap().trusted_front;
        assert_eq!(front.headers.len(), 2);
        // The page lists what a front may state.
        let listed = page.to_lowercase();
        for key in keyward_engine::front_keys() {
            assert!(listed.contains(&format!("`{key}`")), "{key}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert!(
            !format!(
                "{:?}",
                Config {
                    root_key: RootKeySource {
                        text: Some(Secret::new("hush")),
                        ..RootKeySource::default()
                    },
                    ..Config::dev()
                }
            )
            .contains("hush")
        );
    }
}
