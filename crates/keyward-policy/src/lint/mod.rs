//! The lint: what is wrong with a document, what it does not mean, and what to write instead.
//!
//! `checks.rs` is the table of checks. `read.rs` reads as much of a document as can be read; the other files
//! look at what was read, one family of checks each. It decides nothing: a document with findings can be
//! saved when `validate.rs` says so.
//!
//! INVARIANT: what validation refuses has an error here, and no text makes the lint panic.
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-policy-validation.html>

mod actions;
mod checks;
mod conditions;
mod nearest;
mod principals;
mod read;
mod read_condition;
mod resources;
mod spelling;
#[cfg(test)]
mod tests;
mod values;
mod whole;

pub use checks::{CHECKS, Check, Severity};

use crate::{
    document::DocumentKind,
    json::{
        Json,
        places::{Place, Places},
    },
    validate,
};
use keyward_types::AccountId;

/// What a document is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LintKind {
    KeyPolicy,
    /// A policy of a user, group or role.
    IdentityPolicy,
    TrustPolicy,
    ServiceControlPolicy,
    ResourceControlPolicy,
    VpcEndpointPolicy,
    SessionPolicy,
    PermissionsBoundary,
}

impl LintKind {
    fn document(self) -> DocumentKind {
        match self {
            Self::KeyPolicy | Self::ResourceControlPolicy | Self::VpcEndpointPolicy => {
                DocumentKind::Resource
            }
            Self::TrustPolicy => DocumentKind::Trust,
            Self::IdentityPolicy
            | Self::ServiceControlPolicy
            | Self::SessionPolicy
            | Self::PermissionsBoundary => DocumentKind::Identity,
        }
    }

    /// Whether an Allow gives something by itself, rather than bounding what others give.
    fn grants(self) -> bool {
        matches!(self, Self::KeyPolicy | Self::IdentityPolicy | Self::TrustPolicy)
    }
}

/// What is known of the document beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintContext {
    /// The account that owns the key or the identity.
    pub account: Option<AccountId>,
    /// The key that the policy is attached to.
    pub key_arn: Option<String>,
}

/// One thing that the lint found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Of [`CHECKS`].
    pub code: &'static str,
    pub message: String,
    /// Such as `Statement[0].Condition.StringLike.kms:ViaService`; empty for the whole.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What to write instead.
    pub advice: String,
}

/// Everything that is to be said about a document, in the order of its text.
pub fn lint(text: &str, kind: LintKind, about: &LintContext) -> Vec<Finding> {
    let mut findings = Findings { places: Places::read(text), found: Vec::new() };
    whole::text(text, kind, &mut findings);
    match Json::read(text) {
        Ok(json) => document(text, &json, kind, about, &mut findings),
        Err(error) => {
            let place = findings.places.of_bytes(error.line(), error.column());
            let message = format!("the policy is not JSON: {error}");
            findings.add_at(&checks::JSON_SYNTAX_ERROR, place, "", message, "write valid JSON");
        }
    }
    let mut found = findings.found;
    found.sort_by_key(|finding| (finding.line, finding.column, finding.severity));
    found.dedup();
    found
}

fn document(
    text: &str,
    json: &Json,
    kind: LintKind,
    about: &LintContext,
    findings: &mut Findings<'_>,
) {
    let document = read::document(json, kind, findings);
    let subject = Subject { kind, about, document: &document };
    whole::document(&subject, findings);
    actions::check(&subject, findings);
    principals::check(&subject, findings);
    resources::check(&subject, findings);
    conditions::check(&subject, findings);
    values::check(&subject, findings);
    refusal(text, kind, findings);
}

/// What validation refuses and no check above named.
fn refusal(text: &str, kind: LintKind, findings: &mut Findings<'_>) {
    if findings.found.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    let checked = match (kind, kind.document()) {
        (LintKind::KeyPolicy, _) => validate::key_policy(text).map(drop),
        (_, DocumentKind::Identity) => validate::identity_policy(text),
        (_, DocumentKind::Trust) => validate::trust_policy(text).map(drop),
        (_, kind) => validate::check(text, kind).map(drop),
    };
    if let Err(error) = checked {
        let path = error.at().to_owned();
        findings.add(&checks::MALFORMED_POLICY, &path, error.to_string(), "see the message");
    }
}

/// Lists longer than this are not compared with themselves: no policy within its quota has one.
const COMPARED_MAX: usize = 2_000;

/// A document that was read, and what is known of it.
struct Subject<'d> {
    kind: LintKind,
    about: &'d LintContext,
    document: &'d read::Document,
}

impl Subject<'_> {
    fn is_key_policy(&self) -> bool {
        self.kind == LintKind::KeyPolicy
    }
}

/// What was found so far.
struct Findings<'t> {
    places: Places<'t>,
    found: Vec<Finding>,
}

impl Findings<'_> {
    fn add(
        &mut self,
        check: &Check,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let place = self.places.of(path);
        self.add_at(check, place, path, message, advice);
    }

    fn add_at(
        &mut self,
        check: &Check,
        place: Place,
        path: &str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.found.push(Finding {
            severity: check.severity,
            code: check.code,
            message: message.into(),
            path: path.to_owned(),
            line: place.line,
            column: place.column,
            advice: advice.into(),
        });
    }
}
