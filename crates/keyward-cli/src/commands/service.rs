//! `keyward dev`, `serve`, `init` and `env`: the service itself.

use crate::{
    args::{Common, Crypto, Dev, Durability, Init, RootKeyArgs, Serve, Shell},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_export::S3;
use keyward_server::{
    Config, StartError, Started,
    alerts::settings::AlertSettings,
    config::{
        CloudTrailFiles, CryptoChoice, KeyStoreProxies, LogFormat, LogSettings, QuotaSettings,
        RootCredentials, RootKeySource, Secret, TrustedFront,
    },
    event_log::{EventLogSettings, WitnessRole, WitnessSettings},
    guardrails::GuardrailFolder,
    target_url::TargetUrl,
};
use serde_json::json;
use std::{fs, io::IsTerminal as _, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

pub(super) fn dev(common: &Common, dev: Dev) -> Result<Exit, CliError> {
    let config = Config {
        listen: dev.listen,
        data: dev.data.clone(),
        durability: durability(dev.durability),
        account: dev.account,
        grant_delay_seconds: dev.grant_delay,
        quotas: QuotaSettings {
            requests: dev.request_quotas,
            requests_per_second: dev.request_quota.into_iter().collect(),
            ..QuotaSettings::default()
        },
        region: common.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        root_credentials: Some(RootCredentials {
            access_key_id: dev.root_access_key.clone(),
            secret: Secret::new(dev.root_secret_key),
        }),
        seed: dev.seed,
        guardrails: dev.guardrails,
        observe: dev.observe,
        solver: dev.solver.unwrap_or_else(|| keyward_prove::DEFAULT_PROGRAM.into()),
        cloudtrail_files: dev.cloudtrail_files.map(|to| CloudTrailFiles {
            period_seconds: dev.cloudtrail_files_period,
            ..CloudTrailFiles::at(to)
        }),
        crypto: match dev.crypto {
            Crypto::Default => CryptoChoice::Default,
            Crypto::Rustcrypto => CryptoChoice::Rustcrypto,
        },
        trusted_front: TrustedFront {
            networks: vec!["127.0.0.0/8".to_owned(), "::1".to_owned()],
            headers: dev.front_header.into_iter().collect(),
            ..TrustedFront::default()
        },
        key_store_proxies: KeyStoreProxies {
            ca: dev.xks_ca,
            connect_to: dev.xks_connect.into_iter().collect(),
            timeout_millis: dev.xks_timeout,
        },
        event_log: EventLogSettings {
            checkpoint_seconds: dev.checkpoint_seconds,
            checkpoint_file: dev.checkpoint_file,
            webhook: dev.checkpoint_webhook.map(TargetUrl::new),
            witnesses: dev
                .witness
                .into_iter()
                .map(|(url, key)| WitnessSettings { url: TargetUrl::new(url), key })
                .collect(),
            quorum: dev.witness_quorum,
            ..EventLogSettings::default()
        },
        alerts: dev.alerts.as_deref().map(alerts).transpose()?.unwrap_or_default(),
        witness: WitnessRole { logs: dev.witness_log },
        metrics_names: dev.metrics_names,
        workers: dev.workers.unwrap_or(0),
        log: LogSettings { filter: "warn".to_owned(), ..LogSettings::default() },
        ..Config::dev()
    };
    let kept = dev.data.as_deref().map_or_else(
        || "everything is lost at exit".to_owned(),
        |path| format!("data in {}", path.display()),
    );
    run(
        &config,
        &format!(
            "development mode: fixed credentials {}, loopback only, {kept}",
            dev.root_access_key
        ),
    )
}

/// The section `[alerts]` of a configuration.
fn alerts(path: &Path) -> Result<AlertSettings, CliError> {
    let failed = |error: String| CliError::new(Exit::Usage, format!("{}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let config = Config::from_toml(&text).map_err(|error| failed(error.to_string()))?;
    Ok(config.alerts)
}

/// The credentials of an S3-compatible store are those of the environment, as for every AWS client.
pub(super) fn s3_credentials(common: &Common, s3: S3) -> S3 {
    S3 {
        region: s3.region.or_else(|| common.region.clone()),
        access_key_id: common.access_key_id.clone(),
        secret_access_key: common.secret_access_key.clone(),
        session_token: common.session_token.clone(),
        ..s3
    }
}

pub(super) fn serve(common: &Common, serve: Serve) -> Result<Exit, CliError> {
    let text = fs::read_to_string(&serve.config).map_err(|error| {
        CliError::new(Exit::Usage, format!("{}: {error}", serve.config.display()))
    })?;
    let mut config = Config::from_toml(&text).map_err(|error| {
        CliError::new(Exit::Usage, format!("{}: {error}", serve.config.display()))
    })?;
    apply_root_key(&mut config.root_key, &serve.root);
    if let Some(files) = &mut config.cloudtrail_files {
        files.s3 = s3_credentials(common, core::mem::take(&mut files.s3));
    }
    config.journal.s3 = s3_credentials(common, core::mem::take(&mut config.journal.s3));
    if serve.guardrails.is_some() {
        config.guardrails = serve.guardrails;
    }
    if let Some(solver) = serve.solver {
        config.solver = solver;
    }
    run(&config, "")
}

/// Runs until a signal to stop; a second one ends it at once.
fn run(config: &Config, remark: &str) -> Result<Exit, CliError> {
    start_log(&config.log);
    let progress = super::offline::Bar::new();
    let ready = |started: &Started<'_>| {
        progress.done();
        if let Some(folder) = &started.opened.guardrails {
            // On the service's own runtime, which ends with it.
            tokio::task::spawn_local(hang_ups(Arc::clone(folder)));
        }
        banner(config, started, remark);
    };
    keyward_server::run(config, &progress, ready, stop_signal())
        .map_err(|error| start_error(&error))?;
    Ok(Exit::Ok)
}

async fn stop_signal() {
    let (Ok(mut term), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        output::warn("signals cannot be heard; end the process to stop it");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Reloads guardrails whenever a hang-up is signalled.
async fn hang_ups(folder: Arc<GuardrailFolder>) {
    let Ok(mut hang_up) = signal(SignalKind::hangup()) else {
        output::warn("SIGHUP cannot be heard; guardrails are reloaded when their folder changes");
        return;
    };
    while hang_up.recv().await.is_some() {
        folder.reload_soon();
    }
}

fn start_error(error: &StartError) -> CliError {
    let exit = match error {
        StartError::Config(_) => Exit::Usage,
        StartError::Guardrails(_) => Exit::Problems,
        _ => Exit::Failure,
    };
    let error = CliError::new(exit, error.to_string());
    if error.message.contains("in use") {
        error.hint("is another keyward running? choose another port with --listen")
    } else {
        error
    }
}

fn banner(config: &Config, started: &Started<'_>, remark: &str) {
    let address = started.address;
    for finding in &started.opened.report {
        output::note(&format!("store: {finding}"));
    }
    if !remark.is_empty() {
        output::note(remark);
    }
    output::note(&format!("keyward listens on http://{address}"));
    output::note(&format!(
        "account {}, Region {} and any other that a request signs for",
        config.account, config.region
    ));
    if config.observe {
        output::warn(
            "the whole service is in observe mode: what policies refuse of the use of keys is let through",
        );
    }
    if let Some(count) = started.opened.seeded {
        output::note(&format!("seeded {count} things"));
    }
    if let Some(status) = started.opened.engine.guardrail_status() {
        output::note(&format!(
            "guardrails: {} policies of {} files",
            status.policies, status.files
        ));
    }
    if config.dev {
        output::note("in another terminal:  eval \"$(keyward env)\"; aws kms create-key");
    }
}

fn start_log(settings: &LogSettings) {
    let filter = tracing_subscriber::EnvFilter::try_new(&settings.filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let text = match settings.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let started = if text { builder.try_init() } else { builder.json().try_init() };
    if let Err(error) = started {
        output::warn(&format!("the diagnostic log cannot start: {error}"));
    }
}

pub(super) fn init(common: &Common, init: Init) -> Result<Exit, CliError> {
    let mut config = Config {
        data: Some(init.data.clone()),
        account: init.account,
        region: Client::new(common).region().to_owned(),
        ..Config::serve()
    };
    let given = init.root.root_key.is_some() || init.root.root_passphrase.is_some();
    let key_file = match (&init.root.root_key_file, given) {
        (Some(path), _) => Some(path.clone()),
        (None, true) => None,
        (None, false) => Some(init.data.with_extension("root-key")),
    };
    if let Some(path) = &key_file
        && !path.exists()
    {
        write_root_key(path)?;
    }
    apply_root_key(
        &mut config.root_key,
        &RootKeyArgs { root_key_file: key_file.clone(), ..init.root },
    );
    let credentials = keyward_server::initialise(&config).map_err(|error| start_error(&error))?;
    let config_file = init.data.with_extension("toml");
    write_config(&config_file, &config, key_file.as_deref())?;
    match common.output {
        Format::Json => output::json(&json!({
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret.expose(),
            "ConfigFile": config_file,
            "RootKeyFile": key_file,
        })),
        Format::Text => {
            output::line(&format!("AWS_ACCESS_KEY_ID={}", credentials.access_key_id));
            output::line(&format!("AWS_SECRET_ACCESS_KEY={}", credentials.secret.expose()));
        }
    }
    output::note("these are the root user's credentials; they are not shown again");
    if let Some(path) = &key_file {
        output::note(&format!(
            "the root key is in {}; without it nothing in the store opens. Keep a copy elsewhere",
            path.display()
        ));
    }
    output::note(&format!("start it with:  keyward serve --config {}", config_file.display()));
    Ok(Exit::Ok)
}

/// Where the root key comes from, as the command line says; nothing said leaves what the file says.
pub(super) fn apply_root_key(source: &mut RootKeySource, args: &RootKeyArgs) {
    if args.root_key_file.is_none() && args.root_key.is_none() && args.root_passphrase.is_none() {
        return;
    }
    *source = RootKeySource {
        file: args.root_key_file.clone(),
        text: args.root_key.clone().map(Secret::new),
        passphrase: args.root_passphrase.clone().map(Secret::new),
    };
}

fn write_root_key(path: &Path) -> Result<(), CliError> {
    let mut generator = keyward_types::Entropy::generator(&keyward_crypto::SystemEntropy);
    let text = keyward_crypto::RootKey::generate(&mut *generator).to_text();
    write_new(path, 0o600, format!("{}\n", text.as_str()).as_bytes())
}

fn write_config(path: &Path, config: &Config, key_file: Option<&Path>) -> Result<(), CliError> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let data = config.data.as_deref().map(absolute).unwrap_or_default();
    let mut text = format!(
        "# Every setting is documented in crates/keyward-server/src/config.rs.\nlisten = \"{}\"\ndata = {:?}\naccount = \"{}\"\nregion = \"{}\"\n# An answer leaves only after its event is on disk.\ndurability = \"commit\"\n",
        config.listen, data, config.account, config.region
    );
    if let Some(file) = key_file {
        text.push_str(&format!("\n[root_key]\nfile = {:?}\n", absolute(file)));
    }
    write_new(path, 0o644, text.as_bytes())
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), CliError> {
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = opened.and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written.map_err(|error| CliError::new(Exit::Conflict, format!("{}: {error}", path.display())))
}

/// Prints what points AWS clients, and this command, at the service.
pub(super) fn env(common: &Common, shell: Shell) -> Result<Exit, CliError> {
    let client = Client::new(common);
    let pairs = [
        ("AWS_ENDPOINT_URL_KMS", common.endpoint.as_str()),
        ("AWS_ENDPOINT_URL_STS", &common.endpoint),
        ("AWS_ENDPOINT_URL_IAM", &common.endpoint),
        ("AWS_ENDPOINT_URL_CLOUDTRAIL", &common.endpoint),
        ("AWS_ENDPOINT_URL_ACCESSANALYZER", &common.endpoint),
        ("KEYWARD_ENDPOINT", &common.endpoint),
        ("AWS_ACCESS_KEY_ID", &common.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &common.secret_access_key),
        ("AWS_REGION", client.region()),
        ("AWS_DEFAULT_REGION", client.region()),
    ];
    for (name, value) in pairs {
        output::line(&match shell {
            Shell::Sh => format!("export {name}={}", output::quoted(value)),
            Shell::Fish => format!("set -gx {name} {}", output::quoted(value)),
            Shell::Powershell => format!("$env:{name} = {}", output::quoted(value)),
            Shell::Dotenv => format!("{name}={value}"),
        });
    }
    Ok(Exit::Ok)
}

fn durability(choice: Durability) -> keyward_store::Durability {
    match choice {
        Durability::Commit => keyward_store::Durability::Commit,
        Durability::Relaxed => keyward_store::Durability::Relaxed,
    }
}
