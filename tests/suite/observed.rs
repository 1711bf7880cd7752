//! What watches the service, as real programs: Debian's Prometheus and Alertmanager, a strict reader of OpenMetrics, and
//! a Sigma engine. `keyward demo` gives them something to see.

use keyward_testkit::{
    clients::{self, Dev, Skipped},
    golden::tests_folder,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn dashboards() -> PathBuf {
    tests_folder().join("../dashboards")
}

/// The output of a command that has to succeed.
fn output(command: &mut Command) -> String {
    clients::run(command).unwrap_or_else(|Skipped(output)| panic!("{output}"))
}

/// `keyward demo` against a running service.
fn demo(dev: &Dev, arguments: &[&str]) {
    let mut command = Command::new(clients::binary());
    clients::point_at(&mut command, &dev.endpoint());
    output(command.arg("demo").args(arguments));
}

/// A service on which much has happened, and its metrics in a form, in a file.
fn metrics(dev: &Dev, accept: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut answer =
        ureq::get(format!("{}/metrics", dev.endpoint())).header("accept", accept).call().unwrap();
    fs::write(file.path(), answer.body_mut().read_to_string().unwrap()).unwrap();
    file
}

#[test]
fn promtool_and_amtool_find_nothing() {
    let programs = match clients::debian() {
        Ok(programs) => programs,
        Err(why) => return clients::skip("observed::promtool_and_amtool_find_nothing", &why),
    };
    let promtool = || Command::new(programs.join("promtool"));
    let (prometheus, alertmanager) =
        (dashboards().join("prometheus"), dashboards().join("alertmanager"));
    output(promtool().args(["check", "config"]).arg(prometheus.join("prometheus.yml")));
    output(
        promtool()
            .args(["check", "config", "--syntax-only"])
            .arg(dashboards().join("container/prometheus.yml")),
    );
    let mut tests = 0;
    for entry in fs::read_dir(prometheus.join("rules/tests")).unwrap() {
        let said = output(promtool().args(["test", "rules"]).arg(entry.unwrap().path()));
        assert!(said.contains("SUCCESS"), "{said}");
        tests += 1;
    }
    assert!(5 <= tests, "{tests} files of rule tests");
    output(
        Command::new(programs.join("amtool"))
            .arg("check-config")
            .arg(alertmanager.join("alertmanager.yml")),
    );
    // What it does not like about metrics it says, and ends with 3.
    let dev = Dev::start(&["--metrics-names"]);
    demo(&dev, &["--minutes", "0.05", "--seed", "4"]);
    let served = metrics(&dev, "text/plain");
    let mut check = promtool();
    check.args(["check", "metrics"]).stdin(served.reopen().unwrap());
    assert_eq!(output(&mut check), "", "promtool check metrics");
}

/// Every sample of the strict reader is one of the other format, and it has no objection.
#[test]
fn open_metrics_reads_strictly() {
    let test = "observed::open_metrics_reads_strictly";
    let (python, library) = match python_with("prometheus-client") {
        Ok(found) => found,
        Err(why) => return clients::skip(test, &why),
    };
    let dev = Dev::start(&["--metrics-names"]);
    demo(&dev, &["--minutes", "0.05", "--seed", "4"]);
    let served = metrics(&dev, "application/openmetrics-text; version=1.0.0");
    let program = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
        families = list(read(open(sys.argv[1]).read()))\n\
        assert len({family.name for family in families}) == len(families)\n\
        assert all(family.documentation for family in families)\n\
        print(sum(len(family.samples) for family in families))";
    let mut command = Command::new(python);
    command.env("PYTHONPATH", library).args(["-c", program]).arg(served.path());
    let samples: usize = output(&mut command).trim().parse().unwrap();
    assert!(1_000 < samples, "{samples}");
}

/// A flood of Decrypts is told to a webhook once, and so is its end; what is done to keys is told; and every query of
/// every board and rule has an answer.
#[test]
fn an_alert_reaches_a_webhook_and_every_query_has_an_answer() {
    let test = "observed::an_alert_reaches_a_webhook_and_every_query_has_an_answer";
    let programs = match clients::debian() {
        Ok(programs) => programs,
        Err(why) => return clients::skip(test, &why),
    };
    let mut command = Command::new("python3");
    clients::point_at(&mut command, "http://127.0.0.1:1");
    command
        .env("PYTHONUNBUFFERED", "1")
        .env("KEYWARD_DASHBOARDS", dashboards().canonicalize().unwrap())
        .env("KEYWARD_DEBIAN", programs)
        .env("KEYWARD_BINARY", clients::binary())
        .arg(tests_folder().join("clients/observed.py"));
    println!("{}", output(&mut command));
}

/// Which rules fire on which incident; everyday traffic makes none of them fire.
const SIGMA: &[(&str, &[&str])] = &[
    ("", &[]),
    ("stolen-role", &["kms_denied_burst", "kms_used_by_a_script"]),
    ("decrypt-flood", &["kms_decrypt_burst"]),
    (
        "enumeration",
        &["kms_ciphertext_error_burst", "kms_denied_burst", "kms_key_metadata_read_burst"],
    ),
    (
        "cross-account-grant",
        &[
            "kms_grant_to_another_account",
            "kms_key_policy_changed",
            "kms_key_policy_opened",
            "kms_used_by_a_script",
        ],
    ),
    (
        "ransom",
        &[
            "kms_imported_material",
            "kms_imported_material_deleted",
            "kms_key_for_external_material",
            "kms_key_lost",
            "kms_reencrypt_burst",
            "kms_used_by_a_script",
        ],
    ),
];

/// The root user makes the company before anything happens.
const ALWAYS: &str = "kms_root_user";

#[test]
fn sigma_rules_fire_on_what_they_are_about() {
    let (python, library) = match python_with("sigma") {
        Ok(found) => found,
        Err(why) => {
            return clients::skip("observed::sigma_rules_fire_on_what_they_are_about", &why);
        }
    };
    let mut ever = BTreeSet::new();
    let mut all = BTreeSet::new();
    for (incident, expected) in SIGMA {
        let home = tempfile::tempdir().unwrap();
        let log = exported(home.path(), incident, "1");
        let mut engine = Command::new(&python);
        engine
            .env("PYTHONPATH", &library)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(tests_folder().join("clients/sigma_rules.py"))
            .arg(dashboards().join("sigma"))
            .arg(log);
        let said = output(&mut engine);
        let said: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert!(500 < said["events"].as_u64().unwrap(), "{said}");
        let counts = said["fired"].as_object().unwrap();
        all = counts.keys().cloned().collect();
        let fired: BTreeSet<&str> = counts
            .iter()
            .filter(|(_, count)| **count != 0)
            .map(|(name, _)| name.as_str())
            .collect();
        let wanted: BTreeSet<&str> = expected.iter().copied().chain([ALWAYS]).collect();
        assert_eq!(fired, wanted, "{incident}");
        ever.extend(fired.into_iter().map(str::to_owned));
    }
    assert_eq!(ever, all, "each rule fires on something");
}

/// Which built-in alerts tell of each incident. Everyday traffic has first uses of a key now and then, and no more.
const TOLD: &[(&str, &[&str])] = &[
    ("stolen-role", &["new_network", "rate"]),
    ("decrypt-flood", &["rate"]),
    ("enumeration", &["enumeration", "first_use_of_key", "rate"]),
    ("cross-account-grant", &["first_use_of_key", "policy_opened"]),
    ("ransom", &["first_use_of_key", "rate"]),
];

#[test]
fn detectors_tell_of_each_incident() {
    let everyday = detectors("");
    let usual: BTreeSet<&str> = everyday.keys().map(String::as_str).collect();
    assert!(usual.is_subset(&BTreeSet::from(["first_use_of_key"])), "{everyday:?}");
    for (incident, wanted) in TOLD {
        let told = detectors(incident);
        for detector in *wanted {
            let count = |told: &BTreeMap<String, usize>| told.get(*detector).copied().unwrap_or(0);
            assert!(
                count(&everyday) < count(&told),
                "{incident} {detector}: {told:?} {everyday:?}"
            );
        }
    }
}

/// How many alerts each detector raised in three days that end with an incident: while they were played, and again when
/// their log is, which is the same.
fn detectors(incident: &str) -> BTreeMap<String, usize> {
    let home = tempfile::tempdir().unwrap();
    let log = exported(home.path(), incident, "3");
    let mut live = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["eventName"] == "AlertFired" {
            let detector = event["serviceEventDetails"]["alert"]["detector"].as_str().unwrap();
            *live.entry(detector.to_owned()).or_default() += 1;
        }
    }
    let mut backtest = Command::new(clients::binary());
    clients::point_at(&mut backtest, "http://127.0.0.1:1");
    let said = output(backtest.args(["alert", "backtest", "-o", "json", "--from"]).arg(&log));
    let mut again = BTreeMap::new();
    // What it counted is said beside.
    for line in said.lines().filter(|line| line.starts_with('{')) {
        let alert: Value = serde_json::from_str(line).unwrap();
        *again.entry(alert["Detector"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(live, again, "{incident}");
    live
}

/// The log of some days that end with an incident, played in seconds.
fn exported(home: &Path, incident: &str, days: &str) -> PathBuf {
    let (data, log) = (home.join("data"), home.join("events.jsonl"));
    let mut demo = Command::new(clients::binary());
    clients::point_at(&mut demo, "http://127.0.0.1:1");
    demo.args(["demo", "--serve", "--listen", "127.0.0.1:0", "--days", days, "--minutes", "0.01"]);
    demo.args(["--pace", "15", "--seed", "5", "--keep", "--data"]).arg(&data);
    if incident.is_empty() {
        demo.arg("--quiet");
    } else {
        demo.args(["--play-incidents", "--incidents", incident]);
    }
    output(&mut demo);
    let mut export = Command::new(clients::binary());
    clients::point_at(&mut export, "http://127.0.0.1:1");
    output(export.args(["events", "export", "--to"]).arg(&log).arg("--data").arg(&data));
    log
}

/// The Python of the client stories, and the folder of a library.
fn python_with(library: &str) -> Result<(PathBuf, PathBuf), Skipped> {
    Ok((clients::python()?.join("python"), clients::python_library(library)?))
}

/// Everything that the compose file mounts and builds is there, and what it fetches is pinned.
#[test]
fn the_compose_file_is_whole() {
    let text = fs::read_to_string(dashboards().join("compose.yaml")).unwrap();
    let mut mounted = 0;
    for line in text.lines().map(str::trim) {
        if let Some(mount) = line.strip_prefix("- ./") {
            let source = mount.split(':').next().unwrap();
            assert!(dashboards().join(source).exists(), "{source}");
            mounted += 1;
        }
        if let Some(image) = line.strip_prefix("image: ") {
            let (_, tag) = image.rsplit_once(':').unwrap();
            assert!(tag.chars().filter(|c| *c == '.').count() == 2, "{image} is not pinned");
        }
        if let Some(file) = line.strip_prefix("dockerfile: ") {
            assert!(dashboards().join("..").join(file).exists(), "{file}");
        }
    }
    assert_eq!(mounted, 6);
    let config = fs::read_to_string(dashboards().join("container/keyward.toml")).unwrap();
    // What Keyward is to tell is a service of the same file, and may be told without TLS.
    let told = config.lines().filter_map(|line| line.strip_prefix("url = \"http://"));
    let told: Vec<&str> = told.map(|rest| rest.split(':').next().unwrap()).collect();
    assert_eq!(told, ["alertmanager"]);
    assert!(text.lines().any(|line| line == "  alertmanager:"), "{text}");
    let config = keyward_server::Config::from_toml(&config).unwrap();
    assert!(config.metrics_names && config.allow_remote_plaintext);
    assert!(config.alerts.alertmanagers.iter().all(|one| one.allow_remote_plaintext));
    let provider =
        fs::read_to_string(dashboards().join("grafana/provisioning/dashboards/keyward.yaml"))
            .unwrap();
    let path = "/var/lib/grafana/dashboards/keyward";
    assert!(provider.contains(path) && text.contains(&format!("./grafana:{path}:ro")));
}

/// What the runbooks tell an operator to ask of the log can be asked.
#[test]
fn what_runbooks_ask_of_the_log_is_answered() {
    let runbooks = fs::read_to_string(dashboards().join("runbooks.md")).unwrap();
    let commands: BTreeSet<String> = runbooks
        .split('`')
        .filter(|span| span.starts_with("keyward events "))
        .map(|span| {
            span.replace("ARN", "arn:aws:iam::000000000000:user/somebody")
                .replace("key:ID", "key:1234abcd-12ab-34cd-56ef-1234567890ab")
                .replace("since:…", "since:1h")
                .replace("ctx.NAME", "ctx.tenant")
        })
        .collect();
    assert!(10 < commands.len(), "{commands:?}");
    let dev = Dev::start(&[]);
    for command in commands {
        let mut shell = Command::new("sh");
        clients::point_at(&mut shell, &dev.endpoint());
        let program = clients::binary().display();
        let line = command.replacen("keyward", &format!("'{program}'"), 1);
        output(shell.args(["-c", &line]));
    }
}
