//! `keyward events export`: every event, or those of a query, oldest first, as rows or as CloudTrail's files.
//!
//! A stopped store is read as it stands. The running service is asked page by page, and writes CloudTrail's files
//! by itself, because it alone holds the key that signs them.

use super::{history::words, offline};
use crate::{
    args::{Common, Export, ExportForm},
    client::Client,
    exit::{CliError, Exit},
    output::{self, Format},
};
use keyward_export::{ExportError, S3, Until, csv_header, csv_row};
use keyward_server::{StartError, config::CloudTrailFiles};
use keyward_store::EventQuery;
use keyward_trail::query::{Query, QueryError};
use keyward_types::Timestamp;
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, BufWriter, Write},
    path::Path,
};

pub(super) fn export(common: &Common, options: &Export) -> Result<Exit, CliError> {
    if options.follow && options.format == ExportForm::Parquet {
        return Err(CliError::new(Exit::Usage, "a Parquet file ends; it cannot follow"));
    }
    if !options.query.is_empty() {
        if options.hashes.is_some() {
            return Err(CliError::new(
                Exit::Usage,
                "--hashes prove an export of every event, not one by a query: leave out one of the two, or let `incident bundle QUERY` prove what the query finds",
            ));
        }
        if options.format == ExportForm::Cloudtrail {
            return Err(CliError::new(
                Exit::Usage,
                "CloudTrail's files hold every event, which their digests prove: leave out the query, or export as jsonl",
            ));
        }
    }
    match (&options.data, options.format) {
        (Some(data), ExportForm::Cloudtrail) => cloudtrail(common, options, data),
        (None, ExportForm::Cloudtrail) => Err(CliError::new(
            Exit::Usage,
            "CloudTrail files are signed by the service: give --data of a stopped store, or let the service write them, with cloudtrail_files in its configuration or dev --cloudtrail-files DIR",
        )),
        (Some(data), _) => stopped(options, data),
        (None, _) => running(common, options),
    }
}

/// Where rows go, and how.
enum Rows {
    Lines {
        to: Box<dyn Write + Send>,
        csv: bool,
    },
    #[cfg(feature = "parquet")]
    Parquet(Box<keyward_export::ParquetRows<Box<dyn Write + Send>>>),
}

impl Rows {
    fn open(options: &Export) -> Result<Self, CliError> {
        let to: Box<dyn Write + Send> = match &options.to {
            None => Box::new(BufWriter::new(io::stdout())),
            Some(path) => {
                let file = File::create(path);
                let failed = |error| CliError::failure(format!("{path}: {error}"));
                Box::new(BufWriter::new(file.map_err(failed)?))
            }
        };
        if options.format == ExportForm::Parquet {
            return Self::parquet(to);
        }
        let csv = options.format == ExportForm::Csv;
        let mut rows = Self::Lines { to, csv };
        if csv {
            rows.line(&csv_header())?;
        }
        Ok(rows)
    }

    #[cfg(feature = "parquet")]
    fn parquet(to: Box<dyn Write + Send>) -> Result<Self, CliError> {
        let rows = keyward_export::ParquetRows::new(to).map_err(CliError::failure)?;
        Ok(Self::Parquet(Box::new(rows)))
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(_: Box<dyn Write + Send>) -> Result<Self, CliError> {
        Err(CliError::new(
            Exit::Usage,
            "this build writes no Parquet; build it with the feature `parquet`",
        ))
    }

    fn event(&mut self, record: &Value) -> Result<(), CliError> {
        match self {
            Self::Lines { csv: true, .. } => self.line(&csv_row(record)),
            Self::Lines { csv: false, .. } => self.line(&record.to_string()),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.event(record).map_err(CliError::failure),
        }
    }

    /// An event in the very bytes that the log's tree is over.
    fn written(&mut self, record: &[u8]) -> Result<(), CliError> {
        match self {
            Self::Lines { csv: false, .. } => {
                self.line(str::from_utf8(record).map_err(CliError::failure)?)
            }
            _ => self.event(&serde_json::from_slice(record).map_err(CliError::failure)?),
        }
    }

    fn line(&mut self, text: &str) -> Result<(), CliError> {
        match self {
            Self::Lines { to, .. } => writeln!(to, "{text}").map_err(CliError::failure),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), CliError> {
        match self {
            Self::Lines { to, .. } => to.flush().map_err(CliError::failure),
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Exit, CliError> {
        self.flush()?;
        #[cfg(feature = "parquet")]
        if let Self::Parquet(rows) = self {
            rows.finish().map_err(CliError::failure)?;
        }
        Ok(Exit::Ok)
    }
}

fn time(text: Option<&String>) -> Result<Option<Timestamp>, CliError> {
    let parse = |text: &String| {
        let time = chrono::DateTime::parse_from_rfc3339(text);
        let wanted = format!("{text} is no time such as 2026-01-31T12:00:00Z");
        time.map(|time| Timestamp(time.timestamp_millis()))
            .map_err(|_| CliError::new(Exit::Usage, wanted))
    };
    text.map(parse).transpose()
}

fn stopped(options: &Export, data: &Path) -> Result<Exit, CliError> {
    let (from, until) = (time(options.since.as_ref())?, time(options.until.as_ref())?);
    let wanted = wanted(&options.query)?;
    let progress = offline::Bar::new();
    let opened = offline::open(&offline::config(data, &options.root), &progress)?;
    progress.done();
    let store = opened.engine.store();
    let now = opened.engine.now();
    let within =
        EventQuery { from, to: until.map(|until| Timestamp(until.0 - 1)), ..EventQuery::default() };
    // What is to be proven is a part of the log without a gap: what lies in it comes along, whatever its time.
    let run = match &options.hashes {
        None => None,
        Some(_) => Some(offline::run(store, &within)?),
    };
    let mut rows = Rows::open(options)?;
    let (mut after, query) = match run {
        None => (None, within),
        Some((from, _)) => (from.checked_sub(1), EventQuery::default()),
    };
    'pages: loop {
        let page = store.events(&EventQuery { after, limit: 1_000, ..query.clone() });
        let page = page.map_err(CliError::failure)?;
        let Some(last) = page.last().map(|event| event.seq) else { break };
        for event in page {
            if run.is_some_and(|(_, to)| to <= event.seq) {
                break 'pages;
            }
            if wanted.as_ref().is_none_or(|query| is_of(query, &event.record, now)) {
                rows.written(&event.record)?;
            }
        }
        after = Some(last);
    }
    if let (Some(file), Some(run)) = (&options.hashes, run) {
        offline::export_hashes(&opened.engine, run, file)?;
    }
    rows.finish()
}

/// What is asked for; `None` for everything.
fn wanted(query: &[String]) -> Result<Option<Query>, CliError> {
    let Some((_, text)) = words(query) else { return Ok(None) };
    let refused =
        |error: QueryError| CliError::new(Exit::Usage, format!("the query does not read: {error}"));
    Query::parse(&text).map(Some).map_err(refused)
}

fn is_of(query: &Query, record: &[u8], now: Timestamp) -> bool {
    serde_json::from_slice(record).is_ok_and(|record: Value| query.matches(&record, now))
}

/// Events of the caller's account, as the service shows them.
fn running(common: &Common, options: &Export) -> Result<Exit, CliError> {
    let client = Client::new(common);
    // Connected before the first page is read: what is written meanwhile wakes it.
    let news = options.follow.then(|| client.stream("/v1/events/tail", &[], None)).transpose()?;
    let mut news = news.map(BufReader::new);
    let mut rows = Rows::open(options)?;
    let mut after: Option<String> = None;
    loop {
        let mut query = vec![("order", "oldest".to_owned()), ("limit", "1000".to_owned())];
        query.extend(words(&options.query));
        let given = [("since", &options.since), ("until", &options.until), ("after", &after)];
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
        let answer = client.read("/v1/events", &query)?;
        let events = answer.get("Events").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for record in events {
            rows.event(record)?;
        }
        let next = answer.get("Next").and_then(Value::as_str).map(str::to_owned);
        if next.is_some() && next != after {
            after = next;
            continue;
        }
        rows.flush()?;
        let Some(news) = &mut news else { return rows.finish() };
        // An event, or a comment that says that there was none.
        let mut line = String::new();
        if news.read_line(&mut line).map_err(CliError::failure)? == 0 {
            return rows.finish();
        }
    }
}

fn cloudtrail(common: &Common, options: &Export, data: &Path) -> Result<Exit, CliError> {
    let Some(to) = &options.to else {
        return Err(CliError::new(Exit::Usage, "say with --to where CloudTrail's files go"));
    };
    let (since, until) = (time(options.since.as_ref())?, time(options.until.as_ref())?);
    let progress = offline::Bar::new();
    let mut config = offline::config(data, &options.root);
    if let Some(region) = common.region.as_ref().or(common.default_region.as_ref()) {
        config.region.clone_from(region);
    }
    let opened = offline::open(&config, &progress)?;
    progress.done();
    let settings = CloudTrailFiles {
        trail: options.trail.clone(),
        period_seconds: options.period,
        s3: super::service::s3_credentials(
            common,
            S3 { endpoint: options.s3_endpoint.clone(), ..S3::default() },
        ),
        ..CloudTrailFiles::at(to)
    };
    let done = opened
        .trail_files_at(&config, &settings)
        .and_then(|files| Ok(files.export(&opened.engine, since, Until::End(until))?));
    let done = done.map_err(|start| export_error(&start))?;
    match common.output {
        Format::Json => output::json(
            &json!({"Events": done.events, "LogFiles": done.logs, "DigestFiles": done.digests}),
        ),
        Format::Text => output::line(&format!(
            "{} events in {} log files, {} digests",
            done.events, done.logs, done.digests
        )),
    }
    Ok(Exit::Ok)
}

fn export_error(error: &StartError) -> CliError {
    let exit = match error {
        StartError::TrailFiles(ExportError::Differs(_)) => Exit::Integrity,
        StartError::TrailFiles(ExportError::Destination(_)) => Exit::Usage,
        StartError::TrailFiles(
            ExportError::Foreign(_)
            | ExportError::Elsewhere(_)
            | ExportError::NoHead(_)
            | ExportError::Ahead { .. },
        ) => Exit::Conflict,
        _ => return offline::error(error),
    };
    CliError::new(exit, error.to_string())
}
