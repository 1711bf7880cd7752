//! `keyward bench` against a running service: every row is measured, and none of its requests is refused.
//! How fast anything is, no test says.

use keyward_testkit::clients::{self, Dev};
use serde_json::Value;
use std::{fs, process::Command};

fn bench(dev: &Dev, options: &[&str]) -> String {
    let mut command = Command::new(clients::binary());
    clients::point_at(&mut command, &dev.endpoint());
    command.args(["bench", "--requests", "2", "--connections", "2"]).args(options);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n== the service said\n{}", dev.log());
    assert!(!errors.contains("warning"), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_row_is_measured_once_beside_the_library() {
    let output = bench(&Dev::start(&[]), &["--only", "all", "-o", "json"]);
    let mut names = Vec::new();
    for line in output.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
        let name = row["Workload"].as_str().unwrap().to_owned();
        assert_eq!(number("Errors"), 0.0, "{row}");
        for member in ["RequestsPerSecond", "RawPerSecond", "RatioOfRaw", "LatencyMsP99"] {
            assert!(0.0 < number(member), "{member}: {row}");
        }
        let usual = ["encrypt", "decrypt", "sign-p256", "sign-rsa-2048"].contains(&name.as_str());
        assert_eq!(row["EchoRequestsPerSecond"].is_f64(), usual, "{row}");
        names.push(name);
    }
    for family in ["rsa-2048", "rsa-3072", "rsa-4096"] {
        for name in
            [format!("sign-{family}"), format!("sign-{family}-pkcs1"), format!("decrypt-{family}")]
        {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
    assert_eq!(names.len(), 24, "{names:?}");
}

/// The other provider does all that it is asked to measure.
#[test]
fn the_other_provider_is_measured_too() {
    let dev = Dev::start(&["--crypto", "rustcrypto"]);
    let output = bench(
        &dev,
        &["--only", "sign-rsa-2048,sign-p521,ed25519,ml-dsa", "--crypto", "rustcrypto"],
    );
    let rows: Vec<Vec<&str>> = output.lines().map(|line| line.split('\t').collect()).collect();
    let names: Vec<&str> = rows.iter().map(|cells| cells[0]).collect();
    assert_eq!(
        names,
        [
            "sign-rsa-2048",
            "sign-p521",
            "sign-ed25519",
            "sign-ml-dsa-44",
            "sign-ml-dsa-65",
            "sign-ml-dsa-87"
        ]
    );
    assert!(rows.iter().all(|cells| cells.len() == 8), "{output}");
    assert!(rows[1][4] == "-" && rows[0][4] != "-", "{output}");
}

/// Two services are asked in turns; each knows its own keys alone.
#[test]
fn another_service_is_measured_beside() {
    let home = tempfile::tempdir().unwrap();
    let quiet = home.path().join("alerts.toml");
    fs::write(&quiet, "[alerts]\nenabled = false\n").unwrap();
    let (dev, other) = (Dev::start(&[]), Dev::start(&["--alerts", quiet.to_str().unwrap()]));
    let row =
        bench(&dev, &["--only", "decrypt,sign-p256", "--beside", &other.endpoint(), "-o", "json"]);
    for line in row.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
        assert_eq!(number("Errors"), 0.0, "{row}");
        assert!(0.0 < number("BesideRequestsPerSecond") && 0.0 < number("RatioOfBeside"), "{row}");
    }
    assert_eq!(row.lines().count(), 2, "{row}");
}
