//! Files of Cedar text into guardrails, or everything that is wrong with them, with line and column.

use super::{Guardrail, GuardrailError, reads::Reads, schema::reduced};
use cedar_policy::{
    Effect, ParseErrors, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
    ffi::DetailedError,
};
use std::collections::BTreeSet;

/// The guardrails of one file, in its order.
pub(super) fn file(name: &str, text: &str) -> Result<Vec<Guardrail>, Vec<GuardrailError>> {
    let page = Page { name, text };
    let set: PolicySet = text.parse().map_err(|errors: ParseErrors| {
        errors.iter().map(|error| page.told(&DetailedError::from(error), 0)).collect::<Vec<_>>()
    })?;
    let (found, mut errors) = page.policies(&set);
    let named: BTreeSet<String> =
        found.iter().flat_map(|guardrail| guardrail.reads.actions.iter().cloned()).collect();
    let invalid = page.validate(&set, &reduced(&named));
    if invalid.is_empty() {
        errors.extend(page.unknown(&set, &found));
    }
    errors.extend(invalid);
    if errors.is_empty() {
        return Ok(found);
    }
    errors.sort_by(|one, other| {
        (one.line, one.column, &one.message).cmp(&(other.line, other.column, &other.message))
    });
    errors.dedup();
    Err(errors)
}

/// A file that is read.
struct Page<'f> {
    name: &'f str,
    text: &'f str,
}

impl Page<'_> {
    /// The policies that are guardrails, and what is wrong with the others.
    fn policies(&self, set: &PolicySet) -> (Vec<Guardrail>, Vec<GuardrailError>) {
        let mut errors: Vec<GuardrailError> = set
            .templates()
            .map(|template| {
                let at = self.text.find(&template.to_cedar()).unwrap_or_default();
                self.error(at, "a guardrail is a whole policy, and this is a template".to_owned())
            })
            .collect();
        let mut found = Vec::new();
        for (index, (policy, start)) in self.starts(set).into_iter().enumerate() {
            match self.guardrail(policy, index) {
                Ok(guardrail) => found.push(guardrail),
                Err(message) => errors.push(self.error(start, message)),
            }
        }
        (found, errors)
    }

    /// Where a policy begins; it is at `from` or behind it.
    fn place(&self, policy: &Policy, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        policy
            .to_cedar()
            .and_then(|text| rest.find(&text))
            .map_or_else(|| from.min(self.text.len()), |found| from + found)
    }

    fn guardrail(&self, policy: &Policy, index: usize) -> Result<Guardrail, String> {
        let sid = policy.annotation("id").map(str::to_owned);
        if policy.effect() == Effect::Permit {
            let called = sid.map_or_else(String::new, |sid| format!(" {sid}"));
            return Err(format!(
                "a guardrail only forbids, and this policy{called} is a permit: key policies, identity policies and grants allow"
            ));
        }
        let reads = Reads::of(&policy.to_json().map_err(|error| error.to_string())?)?;
        Ok(Guardrail { source: self.name.to_owned(), sid, index, policy: policy.clone(), reads })
    }

    /// Attributes that validation let pass and nothing has.
    fn unknown(&self, set: &PolicySet, found: &[Guardrail]) -> Vec<GuardrailError> {
        let starts = self.starts(set);
        let unknown = found.iter().filter_map(|one| Some((one, one.reads.unknown()?)));
        unknown
            .map(|(one, name)| {
                let start = starts.get(one.index).map_or(0, |(_, start)| *start);
                let message = format!("nothing has an attribute {name:?}; the schema lists all");
                self.error(start, message)
            })
            .collect()
    }

    /// What strict validation says. A warning is an error too: a guardrail that can never match protects nothing.
    fn validate(&self, set: &PolicySet, schema: &str) -> Vec<GuardrailError> {
        let schema = match Schema::from_cedarschema_str(schema) {
            Ok((schema, _)) => schema,
            Err(error) => return vec![self.error(0, format!("the schema is broken: {error}"))],
        };
        let result = Validator::new(schema).validate(set, ValidationMode::Strict);
        let starts = self.starts(set);
        let start =
            |id: &PolicyId| starts.iter().find(|(of, _)| of.id() == id).map_or(0, |(_, at)| *at);
        let errors: Vec<GuardrailError> = result
            .validation_errors()
            .map(|error| self.told(&DetailedError::from(error), start(error.policy_id())))
            .collect();
        if !errors.is_empty() {
            return errors;
        }
        let warnings = result.validation_warnings();
        warnings
            .map(|warning| self.told(&DetailedError::from(warning), start(warning.policy_id())))
            .collect()
    }

    /// The policies in the file's order, and the byte at which each begins.
    fn starts<'s>(&self, set: &'s PolicySet) -> Vec<(&'s Policy, usize)> {
        let mut policies: Vec<&Policy> = set.policies().collect();
        policies.sort_by_key(|policy| number(policy));
        let (mut starts, mut from) = (Vec::new(), 0);
        for policy in policies {
            let start = self.place(policy, from);
            from = start + 1;
            starts.push((policy, start));
        }
        starts
    }

    /// What Cedar told, at its place or else at `start`.
    fn told(&self, error: &DetailedError, start: usize) -> GuardrailError {
        let label = error.source_locations.first();
        // The parser numbers policies; a person has the line.
        let message =
            error.message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
        let mut text = of_any_action(message.map_or(error.message.as_str(), |(_, rest)| rest));
        let label_text = label.and_then(|label| label.label.as_ref());
        // Cedar guesses at actions from a part of them.
        let guess = text.starts_with("unrecognized action");
        for more in label_text.into_iter().chain(error.help.iter().filter(|_| !guess)) {
            text.push_str("; ");
            text.push_str(more);
        }
        self.error(label.map_or(start, |label| label.loc.start), text)
    }

    fn error(&self, at: usize, message: String) -> GuardrailError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let on_line = before.get(line_start..).unwrap_or_default();
        GuardrailError {
            file: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: on_line.chars().count() + 1,
            message,
        }
    }
}

/// A message without the action for which Cedar found it: it is the same for all.
fn of_any_action(message: &str) -> String {
    let parts = message.split_once(" for Action::\"");
    let rest = parts.and_then(|(_, rest)| rest.split_once('"'));
    match (parts, rest) {
        (Some((before, _)), Some((_, after))) => format!("{before}{after}"),
        _ => message.to_owned(),
    }
}

/// The place of a policy in its file: the parser names them `policy0`, `policy1` and so on.
fn number(policy: &Policy) -> usize {
    let id: &str = policy.id().as_ref();
    id.trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}
