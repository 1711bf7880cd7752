//! Everybody who may be able to use a key: the root user, users and roles of its account, and whom its policy and
//! its grants name besides.
//!
//! Principals of other accounts are listed because the key names them; what their own account allows them is not
//! looked into, and so neither is whether they exist.

use super::principal::{federated, of_user, service, stranger};
use crate::Engine;
use keyward_policy::{ANY_SESSION, KeyPolicyPrincipals, Standpoint};
use keyward_types::{
    AccountId, Arn, Caller, GrantRecord, Grantee, KeyRecord, KmsError, RoleRecord, UserRecord,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// One of them.
pub(crate) struct Candidate {
    /// As the answer names it.
    pub(crate) principal: String,
    pub(crate) kind: &'static str,
    pub(crate) standpoint: Standpoint,
    pub(crate) caller: Caller,
    /// Where the list goes on after it.
    pub(crate) place: Place,
}

/// A place in the list: the part, and the name within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    part: Part,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Root,
    User,
    Role,
    Named,
}

const PARTS: &[(Part, &str)] =
    &[(Part::Root, "root"), (Part::User, "user"), (Part::Role, "role"), (Part::Named, "named")];

impl Place {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (part, name) = text.split_once(' ')?;
        let (part, _) = PARTS.iter().find(|(_, word)| *word == part)?;
        Some(Self { part: *part, name: name.to_owned() })
    }
}

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let word = PARTS.iter().find(|(part, _)| *part == self.part).map_or("", |(_, word)| word);
        write!(f, "{word} {}", self.name)
    }
}

/// Records read at once.
const CHUNK: usize = 500;

/// The list, read as it is needed.
pub(crate) struct Candidates<'e> {
    engine: &'e Engine,
    asker: &'e Caller,
    key: &'e KeyRecord,
    at: Option<Place>,
    ahead: VecDeque<Candidate>,
    part: Option<Part>,
}

impl<'e> Candidates<'e> {
    pub(crate) fn after(
        engine: &'e Engine,
        asker: &'e Caller,
        key: &'e KeyRecord,
        after: Option<Place>,
    ) -> Self {
        let part = after.as_ref().map_or(Part::Root, |place| place.part);
        Self { engine, asker, key, at: after, ahead: VecDeque::new(), part: Some(part) }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Candidate>, KmsError> {
        loop {
            if let Some(candidate) = self.ahead.pop_front() {
                self.at = Some(candidate.place.clone());
                return Ok(Some(candidate));
            }
            let Some(part) = self.part else { return Ok(None) };
            let after = self.at.as_ref().filter(|place| place.part == part);
            let after = after.map(|place| place.name.clone());
            let (some, whole) = self.read(part, after.as_deref())?;
            if some.is_empty() || whole {
                self.part = PARTS.iter().map(|(part, _)| *part).find(|next| part < *next);
            }
            self.ahead.extend(some);
        }
    }

    /// Candidates of one part, and whether these are its last.
    fn read(&self, part: Part, after: Option<&str>) -> Result<(Vec<Candidate>, bool), KmsError> {
        let (store, account) = (self.engine.store(), &self.key.name.account);
        Ok(match part {
            Part::Root => {
                let root =
                    after.is_none().then(|| self.of(self.engine.root(self.asker), "Root", ""));
                (root.into_iter().collect(), true)
            }
            Part::User => {
                let users = store.users(account, "/", after, CHUNK).map_err(KmsError::internal)?;
                let of =
                    |user: &Arc<UserRecord>| self.of(of_user(self.asker, user), "User", &user.name);
                (users.iter().map(of).collect(), users.len() < CHUNK)
            }
            Part::Role => {
                let roles = store.roles(account, "/", after, CHUNK).map_err(KmsError::internal)?;
                let of = |role: &Arc<RoleRecord>| {
                    let caller = self.engine.of_role(self.asker, role, ANY_SESSION);
                    Candidate { principal: role.arn(), ..self.of(caller, "Role", &role.name) }
                };
                (roles.iter().map(of).collect(), roles.len() < CHUNK)
            }
            Part::Named => (self.named(after)?, true),
        })
    }

    fn of(&self, caller: Caller, kind: &'static str, name: &str) -> Candidate {
        let part = match kind {
            "Root" => Part::Root,
            "User" => Part::User,
            "Role" => Part::Role,
            _ => Part::Named,
        };
        Candidate {
            principal: caller.arn.clone(),
            kind,
            standpoint: Standpoint::Here,
            caller,
            place: Place { part, name: name.to_owned() },
        }
    }

    /// Whom the key's policy or a grant names, and who is not of the key's account or is a session.
    fn named(&self, after: Option<&str>) -> Result<Vec<Candidate>, KmsError> {
        let policies = &self.engine.world.policies;
        // A stored policy was valid; were it not, it would allow nothing.
        let in_policy = policies.validate_key_policy(self.key.policy.text()).unwrap_or_default();
        let mut names = Names::default();
        names.of_policy(&in_policy, self.key);
        let mut after_grant = None;
        loop {
            let grants = self
                .engine
                .store()
                .grants_of_key(&self.key.name, after_grant.as_ref(), CHUNK)
                .map_err(KmsError::internal)?;
            grants.iter().for_each(|grant| names.of_grant(grant));
            match grants.last().filter(|_| grants.len() == CHUNK) {
                Some(last) => after_grant = Some(last.grant_id.clone()),
                None => break,
            }
        }
        let mut found = Vec::new();
        let new = |name: &String| after.is_none_or(|after| after < name.as_str());
        for (name, id) in names.0.into_iter().filter(|(name, _)| new(name)) {
            if let Some(candidate) = self.candidate(&name, id.as_deref(), &in_policy)? {
                found.push(candidate);
            }
        }
        Ok(found)
    }

    fn candidate(
        &self,
        name: &str,
        id: Option<&str>,
        in_policy: &KeyPolicyPrincipals,
    ) -> Result<Option<Candidate>, KmsError> {
        let account = &self.key.name.account;
        if name == "*" {
            let caller = anyone(self.asker, account, in_policy);
            return Ok(caller.map(|caller| Candidate {
                principal: "*".to_owned(),
                standpoint: Standpoint::Anyone,
                ..self.of(caller, "Anyone", name)
            }));
        }
        let Some(arn) = Arn::parse(name) else {
            return Ok(Some(self.of(service(self.asker, name), "Service", name)));
        };
        if arn.account == account.as_str() {
            return self.session(&arn, name);
        }
        let Some(caller) = stranger(self.asker, name, id) else { return Ok(None) };
        let (kind, standpoint) = match arn.resource.split_once('/') {
            None => ("Account", Standpoint::Account),
            Some(("user", _)) => ("User", Standpoint::Elsewhere),
            Some(("role", _)) => ("Role", Standpoint::Elsewhere),
            _ => ("Session", Standpoint::Elsewhere),
        };
        let place = Place { part: Part::Named, name: name.to_owned() };
        let candidate = self.of(caller, kind, name);
        Ok(Some(Candidate { principal: name.to_owned(), standpoint, place, ..candidate }))
    }

    /// A session of the key's account. Users and roles are listed already.
    fn session(&self, arn: &Arn<'_>, name: &str) -> Result<Option<Candidate>, KmsError> {
        Ok(match (arn.service, arn.resource.split_once('/')) {
            ("sts", Some(("assumed-role", rest))) => {
                let Some((role, session)) = rest.split_once('/') else { return Ok(None) };
                let role = self.engine.store().role(&self.key.name.account, role);
                role.map_err(KmsError::internal)?.map(|role| {
                    self.of(self.engine.of_role(self.asker, &role, session), "Session", name)
                })
            }
            ("sts", Some(("federated-user", user))) => {
                Some(self.of(federated(self.asker, name, user), "Session", name))
            }
            _ => None,
        })
    }
}

/// Names with the unique ids that they meant when they were written down.
#[derive(Default)]
struct Names(BTreeMap<String, Option<String>>);

impl Names {
    fn of_policy(&mut self, named: &KeyPolicyPrincipals, key: &KeyRecord) {
        for arn in &named.arns {
            self.0.insert(arn.clone(), key.policy_principals.get(arn).cloned());
        }
        self.0.extend(named.accounts.iter().map(|account| (account.root_arn(), None)));
        self.0.extend(named.services.iter().map(|name| (name.clone(), None)));
        self.0.extend(named.anyone.then(|| ("*".to_owned(), None)));
    }

    fn of_grant(&mut self, grant: &GrantRecord) {
        let name = match &grant.grantee {
            Grantee::Principal(text) => match AccountId::parse(text) {
                Some(account) => account.root_arn(),
                None => text.clone(),
            },
            Grantee::Service(name) => name.clone(),
        };
        let id = self.0.entry(name).or_default();
        if grant.grantee_id.is_some() {
            id.clone_from(&grant.grantee_id);
        }
    }
}

/// A principal of an account that nothing names.
fn anyone(asker: &Caller, owner: &AccountId, named: &KeyPolicyPrincipals) -> Option<Caller> {
    let free = (0..1_000_u64)
        .filter_map(|number| AccountId::parse(&format!("{:012}", 999_999_999_999 - number)))
        .find(|account| account != owner && !named.accounts.contains(account))?;
    stranger(asker, &format!("arn:aws:iam::{free}:user/anyone"), None)
}
