//! What stands around the policies in question and is the same on both sides of a comparison: an organization's
//! policies, and the grants on the key.
//!
//! Service control policies are over callers of member accounts, resource control policies over keys of them; of
//! neither are sessions of service-linked roles, and of the first no services. Grants are either all that there are,
//! or not spoken of, and then whatever there may be.

use crate::{
    compose::{self, Side},
    encode,
    request::Vocabulary,
    smt,
    witness::Model,
};
use keyward_policy::{
    PolicyError, PolicyKind,
    symbolic::{Formula, SymbolicDocument, SymbolicGrant},
};
use keyward_types::MatchKind;
use serde_json::{Map, Value as Json, json};

/// The policies of an organization.
#[derive(Clone, Debug, Default)]
pub struct Organization {
    /// Service control policies by level, from the root to the caller's account; every level must allow.
    pub scps: Vec<Vec<String>>,
    /// Resource control policies by level; they only deny.
    pub rcps: Vec<Vec<String>>,
    /// The accounts that they are over; `None` for every account.
    pub accounts: Option<Vec<String>>,
    /// The managing account, which they are never over.
    pub management: Option<String>,
    /// Roles that are service-linked though their ARNs do not say so.
    pub service_linked: Vec<String>,
}

type Levels = Vec<Vec<(String, SymbolicDocument)>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    scps: Levels,
    rcps: Levels,
    accounts: Option<Vec<String>>,
    management: Option<String>,
    service_linked: Vec<String>,
    /// `None`: nothing is said of grants.
    grants: Option<Vec<(Json, SymbolicGrant)>>,
}

/// What grants say about one action, by kind of match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Granted {
    session: Formula,
    entity: Formula,
    account: Formula,
    /// One that applies was made by the caller's account.
    own: Formula,
}

/// What an organization says about one action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    /// By level: what it allows, and denies.
    scps: Vec<(Formula, Formula)>,
    rcps: Formula,
}

impl Around {
    pub(crate) fn set_organization(&mut self, one: &Organization) -> Result<(), PolicyError> {
        let levels = |levels: &[Vec<String>], kind: PolicyKind| {
            let document = |text: &String| Ok((text.clone(), SymbolicDocument::read(text, kind)?));
            let level = |level: &Vec<String>| level.iter().map(document).collect();
            levels.iter().map(level).collect::<Result<Levels, PolicyError>>()
        };
        self.scps = levels(&one.scps, PolicyKind::Identity)?;
        self.rcps = levels(&one.rcps, PolicyKind::Resource)?;
        self.accounts.clone_from(&one.accounts);
        self.management.clone_from(&one.management);
        self.service_linked.clone_from(&one.service_linked);
        Ok(())
    }

    pub(crate) fn set_grants(&mut self, grants: &[Json], key: &str) -> Result<(), String> {
        let grant = |grant: &Json| Ok((grant.clone(), SymbolicGrant::read(grant, key)?));
        let mut read = grants.iter().map(grant).collect::<Result<Vec<_>, String>>()?;
        // What is on another key never applies.
        read.retain(|(_, grant)| grant.key() == key);
        self.grants = Some(read);
        Ok(())
    }

    pub(crate) fn service_linked(&self) -> &[String] {
        &self.service_linked
    }

    pub(crate) fn documents(&self) -> impl Iterator<Item = &SymbolicDocument> {
        self.levels().map(|(_, document)| document)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.levels().map(|(text, _)| text.as_str())
    }

    fn levels(&self) -> impl Iterator<Item = &(String, SymbolicDocument)> {
        self.scps.iter().chain(&self.rcps).flatten()
    }

    /// Names of the encryption context as grants write them.
    pub(crate) fn context_names(&self) -> impl Iterator<Item = &str> {
        let constraints =
            self.grants.iter().flatten().filter_map(|(written, _)| written.get("constraints"));
        let members = constraints.filter_map(Json::as_object).flat_map(Map::values);
        members.filter_map(Json::as_object).flat_map(Map::keys).map(String::as_str)
    }

    pub(crate) const fn knows_grants(&self) -> bool {
        self.grants.is_some()
    }

    pub(crate) fn granted(&self, action: &str) -> Option<Granted> {
        let grants = self.grants.as_ref()?;
        let (mut session, mut entity, mut account, mut own) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (_, grant) in grants {
            for (kind, when) in grant.when(action) {
                own.push(Formula::all([when.clone(), grant.is_own()]));
                match kind {
                    MatchKind::Session => session.push(when),
                    MatchKind::Entity => entity.push(when),
                    MatchKind::Account => account.push(when),
                }
            }
        }
        Some(Granted {
            session: Formula::any(session),
            entity: Formula::any(entity),
            account: Formula::any(account),
            own: Formula::any(own),
        })
    }

    /// `None` where there are no policies of an organization.
    pub(crate) fn limits(&self, action: &str) -> Option<Limits> {
        if self.scps.is_empty() && self.rcps.is_empty() {
            return None;
        }
        let scps = self.scps.iter().map(|level| {
            let sides: Vec<Side> =
                level.iter().map(|(_, one)| Side::of(one, Some(action), None)).collect();
            let (allow, deny) = sides
                .into_iter()
                .map(|side| (side.plain, side.deny))
                .unzip::<_, _, Vec<_>, Vec<_>>();
            (Formula::any(allow), Formula::any(deny))
        });
        let rcps = self.rcps.iter().flatten();
        // RetireGrant is outside them.
        let rcps = rcps.filter(|_| action != "kms:RetireGrant");
        Some(Limits {
            scps: scps.collect(),
            rcps: Formula::any(rcps.map(|(_, one)| Side::of(one, Some(action), None).deny)),
        })
    }

    /// That the organization's policies are over the account with this name.
    fn governs(&self, account: &str) -> Result<String, String> {
        let is = |id: &String| Ok(format!("(= {account} {})", smt::text(id)?));
        let mut all = Vec::new();
        if let Some(accounts) = &self.accounts {
            let each = accounts.iter().map(is).collect::<Result<Vec<_>, String>>()?;
            all.push(smt::join("or", &each, "false"));
        }
        if let Some(management) = &self.management {
            all.push(format!("(not {})", is(management)?));
        }
        Ok(smt::join("and", &all, "true"))
    }

    fn governs_known(&self, account: &str) -> bool {
        self.management.as_deref() != Some(account)
            && self.accounts.as_ref().is_none_or(|all| all.iter().any(|one| one == account))
    }

    /// What holds of the constants that stand for an organization.
    pub(crate) fn organization_axioms(
        &self,
        limits: &Limits,
        vocabulary: &Vocabulary,
    ) -> Result<Vec<String>, String> {
        let term = |formula| encode::term(formula, vocabulary);
        let levels = limits.scps.iter().map(|(allow, deny)| Ok((term(allow)?, term(deny)?)));
        let levels = levels.collect::<Result<Vec<_>, String>>()?;
        let scps = format!("(and (not c_service) (not s_linked) {})", self.governs("c_account")?);
        let rcps = format!("(and (not s_linked) {})", self.governs("r_account")?);
        Ok(vec![
            format!("(= o_scp {scps})"),
            format!("(= o_rcp {rcps})"),
            format!("(= o_ok {})", compose::within_organization(&levels, &term(&limits.rcps)?)),
        ])
    }

    /// Puts what stands around a request beside it.
    pub(crate) fn surround(&self, vector: &mut Map<String, Json>, model: &Model) {
        let levels = |levels: &Levels| -> Json {
            let level = |level: &Vec<(String, SymbolicDocument)>| -> Vec<Json> {
                level.iter().map(|(text, _)| document(text)).collect()
            };
            levels.iter().map(level).collect()
        };
        let role = model.text("c_behind");
        if model.truth("c_session") && self.service_linked.iter().any(|one| one == role) {
            vector.insert("slr".to_owned(), true.into());
        }
        let service = model.truth("c_service");
        if !self.scps.is_empty() && !service && self.governs_known(model.text("c_account")) {
            vector.insert("scps".to_owned(), levels(&self.scps));
        }
        if !self.rcps.is_empty() && self.governs_known(model.text("r_account")) {
            vector.insert("rcps".to_owned(), levels(&self.rcps));
        }
    }

    /// The same of grants, which one side of a comparison may be without.
    pub(crate) fn grant(
        &self,
        vector: &mut Map<String, Json>,
        action: &str,
        model: &Model,
        vocabulary: &Vocabulary,
    ) {
        let Some(grants) = self.grants.as_ref().filter(|all| !all.is_empty()) else { return };
        vector.insert(
            "grants".to_owned(),
            grants.iter().map(|(written, _)| written.clone()).collect(),
        );
        if action != "kms:CreateGrant" {
            return;
        }
        let covers = |grant: &SymbolicGrant| {
            let place = vocabulary.unsaid.iter().position(|name| *name == grant.within());
            place.is_some_and(|place| model.truth(&format!("u{place}")))
        };
        let mut constraints = Map::new();
        let mut any = false;
        for (written, _) in grants.iter().filter(|(_, grant)| covers(grant)) {
            any = true;
            let own = written.get("constraints").and_then(Json::as_object);
            constraints.extend(
                own.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        if any {
            let child = json!({"operations": ["CreateGrant"], "constraints": constraints});
            vector.insert("newGrant".to_owned(), child);
        }
    }
}

impl Granted {
    pub(crate) fn formulas(&self) -> [&Formula; 4] {
        [&self.session, &self.entity, &self.account, &self.own]
    }

    /// That the constants for grants are these.
    pub(crate) fn axioms(&self, vocabulary: &Vocabulary) -> Result<Vec<String>, String> {
        let names = ["g_session", "g_entity", "g_account", "g_own"];
        let each = names.iter().zip(self.formulas());
        each.map(|(name, formula)| Ok(format!("(= {name} {})", encode::term(formula, vocabulary)?)))
            .collect()
    }
}

impl Limits {
    pub(crate) fn formulas(&self) -> impl Iterator<Item = &Formula> {
        let levels = self.scps.iter().flat_map(|(allow, deny)| [allow, deny]);
        levels.chain(std::iter::once(&self.rcps))
    }
}

fn document(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
