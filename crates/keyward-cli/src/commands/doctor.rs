//! `keyward status` and `keyward doctor`: whether it runs, and what commonly goes wrong.

use crate::{
    args::Common,
    client::{Client, now_seconds},
    exit::{CliError, Exit},
    output::{self, Format},
};
use serde_json::json;

pub(super) fn status(common: &Common) -> Result<Exit, CliError> {
    let answer = Client::new(common).plain("/readyz?verbose")?;
    let ready = answer.status == 200;
    match common.output {
        Format::Json => output::json(&json!({"Ready": ready, "Detail": answer.text()})),
        Format::Text => output::lines(answer.text().trim_end()),
    }
    Ok(if ready { Exit::Ok } else { Exit::Problems })
}

/// One thing that was looked at.
struct Finding {
    check: &'static str,
    ok: bool,
    detail: String,
}

pub(super) fn doctor(common: &Common) -> Result<Exit, CliError> {
    let findings = [reachable(common), signature(common), observing(common), sync(), clock()];
    let healthy = findings.iter().all(|finding| finding.ok);
    for Finding { check, ok, detail } in &findings {
        match common.output {
            Format::Json => output::json_line(&json!({"Check": check, "Ok": ok, "Detail": detail})),
            Format::Text => {
                output::line(&format!("[{}] {check}: {detail}", if *ok { "ok" } else { "!!" }))
            }
        }
    }
    Ok(if healthy { Exit::Ok } else { Exit::Problems })
}

fn reachable(common: &Common) -> Finding {
    let (ok, detail) = match Client::new(common).plain("/readyz") {
        Ok(answer) if answer.status == 200 => (true, format!("{} is ready", common.endpoint)),
        Ok(answer) => {
            (false, format!("{} answers {}; see `keyward status`", common.endpoint, answer.status))
        }
        Err(error) => (false, error.message),
    };
    Finding { check: "service", ok, detail }
}

fn signature(common: &Common) -> Finding {
    let (ok, detail) = match Client::new(common).call("ListKeys", &json!({"Limit": 1})) {
        Ok(_) => (true, format!("{} is accepted and may list keys", common.access_key_id)),
        Err(error) if error.exit == Exit::Denied => {
            (true, format!("{} is accepted, and may not list keys", common.access_key_id))
        }
        Err(error) => (false, error.message),
    };
    Finding { check: "credentials", ok, detail }
}

/// What is let through although policies refuse it is worth a second look, whoever wanted it.
fn observing(common: &Common) -> Finding {
    let answer = Client::new(common).plain("/readyz?verbose");
    let (ok, detail) = match answer {
        Ok(answer) if answer.text().contains("[!]observe") => {
            (false, "some policies are in observe mode; see `keyward policy observe report`")
        }
        Ok(_) => (true, "policies are enforced: nothing is in observe mode"),
        Err(_) => (false, "it is not known whether policies are enforced"),
    };
    Finding { check: "enforcement", ok, detail: detail.to_owned() }
}

fn sync() -> Finding {
    let ok = keyward_store::harden::sync_is_real();
    let detail = if ok {
        "a flush reaches the disk"
    } else {
        "sync_file_range is not refused, so sled's flush is no fsync; is a sandbox in the way?"
    };
    Finding { check: "durability", ok, detail: detail.to_owned() }
}

fn clock() -> Finding {
    // 2026-01-01: no signature made by a clock before it can be right.
    let ok = 1_767_225_600 < now_seconds();
    let detail = if ok {
        "the clock is plausible"
    } else {
        "the clock is behind; signatures will be refused"
    };
    Finding { check: "clock", ok, detail: detail.to_owned() }
}
