//! `keyward policy test`: policy tests as files, run without a service.
//!
//! `keyward-policytest` reads and judges; here files are found and opened, and results written.

use super::{history, offline, prove};
use crate::{
    args::Common,
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
    policy_args::{PolicyTest, TestForm},
};
use keyward_policy::PolicyEngine;
use keyward_policytest::{
    Claim, FileReport, Prove, Report, SUFFIX, Totals, report, run_file, unreadable,
};
use keyward_store::EventQuery;
use serde_json::Value;
use std::{
    fs,
    io::{self, IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

/// What stdin is called in messages.
const STDIN: &str = "(stdin)";

pub(super) fn run(common: &Common, options: &PolicyTest) -> Result<Exit, CliError> {
    let engine = PolicyEngine::new();
    if options.record {
        return record(common, options, &engine);
    }
    let filter = options.run.as_deref().map(regex_lite::Regex::new).transpose();
    let filter = filter.map_err(|error| usage(&format!("--run: {error}")))?;
    let files = files(&options.paths)?;
    // Looked for once; without it proofs are skipped, and say so.
    let solver = prove::solver(&options.solver).ok();
    let shown = |claim: &Claim| prove::shown(solver.as_ref(), claim);
    let proves: Option<&Prove<'_>> = if solver.is_some() { Some(&shown) } else { None };
    let mut report = Report::default();
    for file in &files {
        report.files.push(one(&engine, file, filter.as_ref(), options.update, proves)?);
    }
    let Totals { passed, failed, skipped, unreadable, uncovered } = report.totals();
    if passed + failed + skipped + unreadable == 0 {
        return Err(usage("no case has a name that fits --run"));
    }
    print(common, options, &report);
    if 0 < unreadable {
        return Ok(Exit::Usage);
    }
    Ok(if failed + uncovered == 0 { Exit::Ok } else { Exit::Problems })
}

fn usage(text: &str) -> CliError {
    CliError::new(Exit::Usage, text)
}

fn print(common: &Common, options: &PolicyTest, report: &Report) {
    let default = if common.output == Format::Json { TestForm::Json } else { TestForm::Human };
    match options.format.unwrap_or(default) {
        TestForm::Human => {
            let color = io::stdout().is_terminal();
            output::text(&report::human(report, options.coverage, color));
        }
        TestForm::Tap => output::text(&report::tap(report)),
        TestForm::Junit => output::text(&report::junit(report)),
        TestForm::Json => output::json(&report::json(report)),
    }
}

/// Files as they are named, and those of folders in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        below(path, &mut found)?;
        if found.is_empty() {
            return Err(usage(&format!("{}: there is no *{SUFFIX} in it", path.display())));
        }
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

/// Links are not followed: a folder may lead back to itself.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let failed = |error: io::Error| usage(&format!("{}: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if kind.is_dir() {
            below(&path, found)?;
        } else if path.to_string_lossy().ends_with(SUFFIX) {
            found.push(path);
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, String> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(|error| error.to_string())
}

fn name_of(path: &Path) -> String {
    if path == Path::new("-") { STDIN.to_owned() } else { path.display().to_string() }
}

/// What a test file names is looked for beside it.
fn beside(path: &Path) -> impl Fn(&str) -> Result<String, String> {
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    move |named: &str| fs::read_to_string(folder.join(named)).map_err(|error| error.to_string())
}

fn one(
    engine: &PolicyEngine,
    path: &Path,
    filter: Option<&regex_lite::Regex>,
    update: bool,
    proves: Option<&Prove<'_>>,
) -> Result<FileReport, CliError> {
    let (name, read) = (name_of(path), beside(path));
    let text = match read_text(path) {
        Ok(text) => text,
        Err(why) => return Ok(unreadable(&name, &why)),
    };
    let fits = |title: &str| filter.is_none_or(|filter| filter.is_match(title));
    let chosen: Option<&keyward_policytest::Chosen<'_>> = filter.is_some().then_some(&fits);
    let report = run_file(engine, &name, &text, &read, chosen, proves);
    let updated = report.ran.as_ref().ok().and_then(|ran| ran.updated.clone());
    let Some(updated) = updated.filter(|_| update) else { return Ok(report) };
    if path == Path::new("-") {
        return Err(usage("--update writes files; stdin is none"));
    }
    let failed = |error: io::Error| CliError::failure(format!("{name}: {error}"));
    fs::write(path, &updated).map_err(failed)?;
    output::note(&format!("{name}: updated"));
    Ok(run_file(engine, &name, &updated, &read, chosen, proves))
}

fn record(common: &Common, options: &PolicyTest, engine: &PolicyEngine) -> Result<Exit, CliError> {
    let [path] = options.paths.as_slice() else {
        return Err(usage("--record takes one file, whose principals and keys it names"));
    };
    let (name, read) = (name_of(path), beside(path));
    let text = read_text(path).map_err(|why| usage(&format!("{name}: {why}")))?;
    let events = events(common, options)?;
    let recorded = keyward_policytest::record(engine, &name, &text, &read, &events)
        .map_err(|fault| usage(&fault.to_string()))?;
    for (why, count) in &recorded.left_out {
        output::note(&format!("{count} decisions left out: {why}"));
    }
    if recorded.cases == 0 {
        let events = events.len();
        return Err(CliError::new(
            Exit::NotFound,
            format!("none of {events} events became a case"),
        ));
    }
    output::note(&format!("{} cases of {} events", recorded.cases, events.len()));
    output::exact_lines(&recorded.tests);
    Ok(Exit::Ok)
}

fn events(common: &Common, options: &PolicyTest) -> Result<Vec<Value>, CliError> {
    if let Some(path) = &options.events {
        let name = name_of(path);
        let text = read_text(path).map_err(|why| usage(&format!("{name}: {why}")))?;
        let line = |(number, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| usage(&format!("{name}:{number}: {error}")))
        };
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        return lines.map(line).collect();
    }
    if let Some(data) = &options.data {
        return stopped(data, options);
    }
    let mut events = Vec::new();
    history::each_event(&Client::new(common), &[], |event| events.push(event.clone()))?;
    Ok(events)
}

/// Every event of a stopped store.
fn stopped(data: &Path, options: &PolicyTest) -> Result<Vec<Value>, CliError> {
    let progress = offline::Bar::new();
    let opened = offline::open(&offline::config(data, &options.root), &progress)?;
    progress.done();
    let (mut events, mut after) = (Vec::new(), None);
    loop {
        let query = EventQuery { after, limit: 1_000, ..EventQuery::default() };
        let page = opened.engine.store().events(&query).map_err(CliError::failure)?;
        let Some(last) = page.last() else { return Ok(events) };
        after = Some(last.seq);
        for event in &page {
            events.push(serde_json::from_slice(&event.record).map_err(CliError::failure)?);
        }
    }
}
