//! Statements and grants: whether one speaks of the request, and how it names the caller.

use super::{
    Kind, Match, Oracle, Said,
    grammar::{list, texts},
    text,
};
use keyward_types::{CallerKind, GrantRecord, Grantee};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Operations whose requests carry an encryption context.
const WITH_CONTEXT: &[&str] = &[
    "Encrypt",
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
];

impl Oracle<'_> {
    /// What a document says in which names are names of now.
    pub(super) fn said(&self, document: &Value, kind: Kind) -> Said {
        self.said_then(document, kind, false)
    }

    /// `earlier`: its names may mean earlier principals of the same names.
    pub(super) fn said_then(&self, document: &Value, kind: Kind, earlier: bool) -> Said {
        // Policy variables work from version 2012 on; a document without a version is of 2008.
        let variables = document["Version"] == "2012-10-17";
        let mut said = Said::default();
        for statement in list(&document["Statement"]) {
            let Some(kinds) = self.speaks(statement, (kind, earlier), variables) else { continue };
            if statement["Effect"] == "Allow" {
                said.allow = true;
                said.kinds.extend(kinds);
            } else {
                said.deny = true;
            }
        }
        said
    }

    /// How the statement names the caller; `None` when it does not speak of this request.
    fn speaks(
        &self,
        statement: &Value,
        (kind, earlier): (Kind, bool),
        variables: bool,
    ) -> Option<BTreeSet<Match>> {
        let allow = statement["Effect"] == "Allow";
        let kinds = match kind {
            Kind::Identity => BTreeSet::new(),
            Kind::Resource | Kind::Trust => self.principal(statement, earlier)?,
        };
        let speaks = self.action(statement)
            && (kind == Kind::Trust || self.resource(statement, allow, variables))
            && self.conditions(statement, kind, allow, variables);
        speaks.then_some(kinds)
    }

    /// A statement without Principal has no effect.
    fn principal(&self, statement: &Value, earlier: bool) -> Option<BTreeSet<Match>> {
        if let Some(exempt) = statement.get("NotPrincipal") {
            let named = !self.named(exempt, earlier).is_empty();
            // A principal with a boundary is denied whatever the list says.
            let hit = !named || self.documents.boundary.is_some();
            return hit.then(BTreeSet::new);
        }
        let kinds = self.named(statement.get("Principal")?, earlier);
        (!kinds.is_empty()).then_some(kinds)
    }

    fn named(&self, principal: &Value, earlier: bool) -> BTreeSet<Match> {
        if principal == "*" {
            return BTreeSet::from([Match::Session]);
        }
        let mut kinds = BTreeSet::new();
        for (kind, values) in principal.as_object().into_iter().flatten() {
            for name in texts(values) {
                kinds.extend(match kind.as_str() {
                    "AWS" => self.aws(&name, earlier && self.ask.ignores_arns),
                    "Service" => self.service(&name),
                    _ => None,
                });
            }
        }
        kinds
    }

    /// `made_again`: names mean an earlier principal of the same name.
    fn aws(&self, name: &str, made_again: bool) -> Option<Match> {
        let caller = &self.ask.caller;
        if name == "*" {
            return Some(Match::Session);
        }
        if matches!(caller.kind, CallerKind::Service { .. }) {
            return None;
        }
        let account = self.account();
        if name == account || name == format!("arn:aws:iam::{account}:root") {
            return Some(Match::Account);
        }
        if made_again || matches!(caller.kind, CallerKind::Root) {
            return None;
        }
        if name == caller.arn {
            return Some(Match::Session);
        }
        let behind = match &caller.kind {
            CallerKind::RoleSession { role_arn, .. } => Some(role_arn),
            CallerKind::Federated { user_arn, .. } => user_arn.as_ref(),
            _ => None,
        };
        (behind.is_some_and(|arn| arn == name)).then_some(Match::Entity)
    }

    fn service(&self, wanted: &str) -> Option<Match> {
        match &self.ask.caller.kind {
            CallerKind::Service { name } => (name == wanted).then_some(Match::Session),
            _ => None,
        }
    }

    fn action(&self, statement: &Value) -> bool {
        let fits = |pattern: &String| {
            text::fits(&text::wildcards(&pattern.to_lowercase()), &self.ask.action.to_lowercase())
        };
        match (statement.get("Action"), statement.get("NotAction")) {
            (Some(listed), _) => texts(listed).iter().any(fits),
            (_, Some(listed)) => !texts(listed).iter().any(fits),
            (None, None) => false,
        }
    }

    fn resource(&self, statement: &Value, allow: bool, variables: bool) -> bool {
        let (listed, not) = match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(listed), _) => (texts(listed), false),
            (_, Some(listed)) => (texts(listed), true),
            (None, None) => return false,
        };
        if !not && listed.iter().any(|pattern| pattern == "*") {
            return true;
        }
        let looked_at = listed.iter().flat_map(|pattern| text::variables(pattern, variables));
        if self.is_doubtful(looked_at) {
            return !allow;
        }
        listed.iter().any(|pattern| self.is_resource(pattern, variables)) != not
    }

    fn is_resource(&self, pattern: &str, variables: bool) -> bool {
        if pattern == "*" {
            return true;
        }
        let value = |name: &str| self.single(name);
        match text::replaced(pattern, variables, true, &value) {
            Some(tokens) => text::fits_arn(&tokens, self.resource_arn()),
            None => false,
        }
    }

    /// How a grant names the caller; `None` when it does not allow this request.
    pub(super) fn grant(&self, grant: &GrantRecord) -> Option<Match> {
        let operation = self.ask.action.strip_prefix("kms:")?;
        let kind = match &grant.grantee {
            Grantee::Principal(name) => self.aws(name, false).filter(|_| name != "*")?,
            Grantee::Service(name) => self.service(name)?,
        };
        let lists = grant.operations.iter().any(|listed| listed.as_str() == operation);
        let allows = grant.key.to_string() == self.documents.key_arn
            && self.is_grantee(grant, kind)
            && lists
            && self.context_meets(grant, operation)
            && self.source_meets(grant, operation)
            && (operation != "CreateGrant" || self.covers_child(grant));
        allows.then_some(kind)
    }

    /// A grantee that was deleted and made again is another one. A federated session does not know its
    /// user's id; an account is its own.
    fn is_grantee(&self, grant: &GrantRecord, kind: Match) -> bool {
        let caller = &self.ask.caller;
        let Some(id) = &grant.grantee_id else { return true };
        let federated = matches!(caller.kind, CallerKind::Federated { .. });
        let before_colon = caller.user_id.split(':').next().unwrap_or_default();
        *id == caller.user_id
            || !federated && id == before_colon
            || kind == Match::Account && id == self.account()
    }

    fn context_meets(&self, grant: &GrantRecord, operation: &str) -> bool {
        if !WITH_CONTEXT.contains(&operation) {
            return true;
        }
        let have = folded(&self.ask.context);
        let names: BTreeSet<&String> = have.iter().map(|(name, _)| name).collect();
        let clear = names.len() == self.ask.context.len();
        let equals = &grant.constraints.encryption_context_equals;
        let subset = &grant.constraints.encryption_context_subset;
        equals.as_ref().is_none_or(|want| clear && folded(want) == have)
            && subset.as_ref().is_none_or(|want| clear && folded(want).is_subset(&have))
    }

    fn source_meets(&self, grant: &GrantRecord, operation: &str) -> bool {
        let Some(want) = &grant.constraints.source_arn else { return true };
        operation == "RetireGrant" || self.single("aws:sourcearn").as_ref() == Some(want)
    }

    /// A grant that is made through a grant has no more operations, under constraints at least as strict.
    fn covers_child(&self, parent: &GrantRecord) -> bool {
        let Some(child) = &self.ask.child else { return false };
        let (of_parent, of_child) = (&parent.constraints, &child.constraints);
        let child_equals = of_child.encryption_context_equals.as_ref().map(folded);
        let child_subset = of_child.encryption_context_subset.as_ref().map(folded);
        let equals_kept = match &of_parent.encryption_context_equals {
            Some(want) => child_equals == Some(folded(want)),
            None => true,
        };
        let subset_kept = match &of_parent.encryption_context_subset {
            Some(want) => [&child_subset, &child_equals]
                .into_iter()
                .flatten()
                .any(|have| folded(want).is_subset(have)),
            None => true,
        };
        let source_kept =
            of_parent.source_arn.is_none() || of_parent.source_arn == of_child.source_arn;
        child.operations.is_subset(&parent.operations) && equals_kept && subset_kept && source_kept
    }
}

/// Names of a grant constraint's pairs compare without case, values with it.
fn folded(pairs: &BTreeMap<String, String>) -> BTreeSet<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}
