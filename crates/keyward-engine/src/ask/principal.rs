//! Callers without credentials: the principal that a question names, as its good signature would prove it.
//!
//! INVARIANT: callers are made by the functions that make them for verified credentials.

use super::{Stated, not_yours};
use crate::{Engine, credential};
use keyward_policy::ANY_SESSION;
use keyward_types::{
    AccountId, Arn, Caller, CallerKind, ErrorCode, KmsError, Origin, RoleRecord, UserRecord,
};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

impl Engine {
    /// The principal of the asker's account, or the service, that a text names: the ARN of a user, a role (a session
    /// of it), a role session, a federated user or the root user; or a service's name.
    pub(crate) fn suppose(
        &self,
        asker: &Caller,
        principal: &str,
        stated: Stated<'_>,
    ) -> Result<Caller, KmsError> {
        let mut caller = self.supposed(asker, principal)?;
        stated.fill_origin(self, asker, &mut caller)?;
        Ok(caller)
    }

    fn supposed(&self, asker: &Caller, principal: &str) -> Result<Caller, KmsError> {
        let none = || {
            KmsError::new(
                ErrorCode::NotFound,
                format!("{principal} is no principal of your account"),
            )
        };
        let Some(arn) = Arn::parse(principal) else {
            return match AccountId::parse(principal) {
                Some(account) if account == asker.account => Ok(self.root(asker)),
                Some(_) => Err(not_yours(principal)),
                None if principal.contains('.') => Ok(service(asker, principal)),
                None => Err(KmsError::validation(format!(
                    "{principal} is neither the ARN of a principal nor a service's name"
                ))),
            };
        };
        if arn.account != asker.account.as_str() {
            return Err(not_yours(principal));
        }
        match (arn.service, arn.resource.split_once('/')) {
            ("iam", None) if arn.resource == "root" => Ok(self.root(asker)),
            ("iam", Some(("user", path))) => {
                let user =
                    self.store().user(&asker.account, last(path)).map_err(KmsError::internal)?;
                let user = user.filter(|user| user.arn() == principal).ok_or_else(none)?;
                Ok(of_user(asker, &user))
            }
            ("iam", Some(("role", path))) => {
                let role =
                    self.store().role(&asker.account, last(path)).map_err(KmsError::internal)?;
                let role = role.filter(|role| role.arn() == principal).ok_or_else(none)?;
                Ok(self.of_role(asker, &role, ANY_SESSION))
            }
            ("sts", Some(("assumed-role", rest))) => {
                let (name, session) = rest.split_once('/').ok_or_else(none)?;
                let role = self.store().role(&asker.account, name).map_err(KmsError::internal)?;
                Ok(self.of_role(asker, &role.ok_or_else(none)?, session))
            }
            ("sts", Some(("federated-user", name))) => Ok(federated(asker, principal, name)),
            _ => Err(none()),
        }
    }

    pub(crate) fn root(&self, asker: &Caller) -> Caller {
        credential::root(asker.account.clone(), "", Zeroizing::default()).into_caller(origin(asker))
    }

    pub(crate) fn of_role(&self, asker: &Caller, role: &Arc<RoleRecord>, session: &str) -> Caller {
        credential::of_role(role, session, "", Zeroizing::default())
            .issued_at(self.now())
            .into_caller(origin(asker))
    }
}

pub(crate) fn of_user(asker: &Caller, user: &Arc<UserRecord>) -> Caller {
    credential::of_user(user, "", Zeroizing::default()).into_caller(origin(asker))
}

pub(crate) fn service(asker: &Caller, name: &str) -> Caller {
    credential::of_service(asker.account.clone(), name, "", Zeroizing::default())
        .into_caller(origin(asker))
}

pub(crate) fn federated(asker: &Caller, arn: &str, name: &str) -> Caller {
    let kind = CallerKind::Federated { user_arn: None, name: name.to_owned() };
    let user_id = format!("{}:{name}", asker.account);
    Caller {
        kind,
        arn: arn.to_owned(),
        principal_arn: arn.to_owned(),
        user_id,
        ..service(asker, name)
    }
}

/// A principal of another account, of which nothing is known but its ARN and, where a policy or a grant keeps
/// it, its unique id.
pub(crate) fn stranger(asker: &Caller, arn: &str, unique_id: Option<&str>) -> Option<Caller> {
    let parsed = Arn::parse(arn)?;
    let account = AccountId::parse(parsed.account)?;
    let id = unique_id.unwrap_or("unknown");
    let (kind, principal_arn, user_id) = match (parsed.service, parsed.resource.split_once('/')) {
        ("iam", Some(("user", path))) => {
            (CallerKind::User { name: last(path).to_owned() }, arn.to_owned(), id.to_owned())
        }
        ("iam", Some(("role", path))) => {
            let kind = role_kind(last(path), arn, id, ANY_SESSION);
            (kind, arn.to_owned(), format!("{id}:{ANY_SESSION}"))
        }
        ("sts", Some(("assumed-role", rest))) => {
            let (role, session) = rest.split_once('/')?;
            let role_arn = format!("arn:aws:iam::{account}:role/{role}");
            (role_kind(role, &role_arn, id, session), role_arn, format!("{id}:{session}"))
        }
        ("sts", Some(("federated-user", name))) => {
            let kind = CallerKind::Federated { user_arn: None, name: name.to_owned() };
            (kind, arn.to_owned(), format!("{account}:{name}"))
        }
        ("iam", None) => (CallerKind::Root, arn.to_owned(), account.to_string()),
        _ => return None,
    };
    let arn = match &kind {
        CallerKind::RoleSession { role_name, session_name, .. } => {
            format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}")
        }
        _ => arn.to_owned(),
    };
    Some(Caller { kind, account, arn, principal_arn, user_id, ..service(asker, "") })
}

fn role_kind(name: &str, arn: &str, id: &str, session: &str) -> CallerKind {
    CallerKind::RoleSession {
        role_name: name.to_owned(),
        role_arn: arn.to_owned(),
        role_id: id.to_owned(),
        session_name: session.to_owned(),
    }
}

/// Where a hypothetical request comes from: nowhere, to where the asker's came.
fn origin(asker: &Caller) -> Origin {
    Origin {
        source_ip: String::new(),
        user_agent: String::new(),
        trusted_facts: BTreeMap::new(),
        ..asker.origin.clone()
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
