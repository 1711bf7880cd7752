//! What users, roles, groups and managed policies have in common: they are found by name, and a name is one in
//! any case.

use super::*;
use keyward_store::{Store, StoreError};

/// What all four have.
pub(crate) trait Entity: Clone + 'static {
    /// `user`, `role`, `group` or `policy`, as messages and ARNs say.
    const KIND: &'static str;

    fn load(
        store: &Store,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Arc<Self>>, StoreError>;
    /// Those whose path starts with the prefix, in the order of names, after `after`.
    fn list(
        store: &Store,
        account: &AccountId,
        path_prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Arc<Self>>, StoreError>;
    fn record_name(account: &AccountId, name: &str) -> Name;
    fn account(&self) -> &AccountId;
    fn name(&self) -> &str;
    fn into_record(self) -> Record;
    fn of_record(record: &Record) -> Option<&Self>;

    fn already_exists(name: &str) -> KmsError {
        let (first, rest) = Self::KIND.split_at(1);
        KmsError::new(
            ErrorCode::IamEntityAlreadyExists,
            format!("{}{rest} with name {name} already exists.", first.to_ascii_uppercase()),
        )
    }
}

/// Users, roles and groups: they have inline policies, and managed ones attached.
pub(crate) trait PolicyHolder: Entity {
    /// Characters of all inline policies, white space not counted.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
    const INLINE_CHARS_MAX: usize;
    /// The name of the quota of attached policies.
    const ATTACHED_QUOTA: &'static str;

    fn policies(&self) -> &BTreeMap<String, Document>;
    fn policies_mut(&mut self) -> &mut BTreeMap<String, Document>;
    fn attached(&self) -> &BTreeSet<String>;
    fn attached_mut(&mut self) -> &mut BTreeSet<String>;
}

/// Users, roles and managed policies.
pub(crate) trait Tagged: Entity {
    fn tags_mut(&mut self) -> &mut BTreeMap<String, String>;
}

/// Users and roles.
pub(crate) trait Bounded: PolicyHolder {
    fn boundary_mut(&mut self) -> &mut Option<String>;
}

/// Users and groups, which may get another name or path.
pub(crate) trait Renamable: Entity {
    fn path(&self) -> &str;
    fn moved_to(self, path: &str, name: &str) -> Self;
}

macro_rules! entity {
    ($record:ident, $kind:literal, $load:ident, $list:ident, $name:ident $(, $more:item)?) => {
        impl Entity for $record {
            const KIND: &'static str = $kind;

            fn load(
                store: &Store,
                account: &AccountId,
                name: &str,
            ) -> Result<Option<Arc<Self>>, StoreError> {
                store.$load(account, name)
            }
            fn list(
                store: &Store,
                account: &AccountId,
                path_prefix: &str,
                after: Option<&str>,
                limit: usize,
            ) -> Result<Vec<Arc<Self>>, StoreError> {
                store.$list(account, path_prefix, after, limit)
            }
            fn record_name(account: &AccountId, name: &str) -> Name {
                Name::$name(account.clone(), name.to_owned())
            }
            fn account(&self) -> &AccountId {
                &self.account
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn into_record(self) -> Record {
                Record::$name(self)
            }
            fn of_record(record: &Record) -> Option<&Self> {
                match record {
                    Record::$name(entity) => Some(entity),
                    _ => None,
                }
            }
            $($more)?
        }
    };
}

entity!(UserRecord, "user", user, users, User);
entity!(RoleRecord, "role", role, roles, Role);
entity!(GroupRecord, "group", group, groups, Group);
entity!(
    ManagedPolicyRecord,
    "policy",
    managed_policy,
    managed_policies,
    ManagedPolicy,
    fn already_exists(name: &str) -> KmsError {
        KmsError::new(
            ErrorCode::IamEntityAlreadyExists,
            format!("A policy called {name} already exists. Duplicate names are not allowed."),
        )
    }
);

macro_rules! policy_holder {
    ($record:ident, $chars:literal, $quota:literal) => {
        impl PolicyHolder for $record {
            const INLINE_CHARS_MAX: usize = $chars;
            const ATTACHED_QUOTA: &'static str = $quota;

            fn policies(&self) -> &BTreeMap<String, Document> {
                &self.policies
            }
            fn policies_mut(&mut self) -> &mut BTreeMap<String, Document> {
                &mut self.policies
            }
            fn attached(&self) -> &BTreeSet<String> {
                &self.attached
            }
            fn attached_mut(&mut self) -> &mut BTreeSet<String> {
                &mut self.attached
            }
        }
    };
}

policy_holder!(UserRecord, 2_048, "PoliciesPerUser");
policy_holder!(RoleRecord, 10_240, "PoliciesPerRole");
policy_holder!(GroupRecord, 5_120, "PoliciesPerGroup");

macro_rules! tagged {
    ($($record:ident)*) => {$(
        impl Tagged for $record {
            fn tags_mut(&mut self) -> &mut BTreeMap<String, String> {
                &mut self.tags
            }
        }
    )*};
}

tagged!(UserRecord RoleRecord ManagedPolicyRecord);

macro_rules! bounded {
    ($($record:ident)*) => {$(
        impl Bounded for $record {
            fn boundary_mut(&mut self) -> &mut Option<String> {
                &mut self.boundary
            }
        }
    )*};
}

bounded!(UserRecord RoleRecord);

macro_rules! renamable {
    ($($record:ident)*) => {$(
        impl Renamable for $record {
            fn path(&self) -> &str {
                &self.path
            }
            fn moved_to(self, path: &str, name: &str) -> Self {
                Self { path: path.to_owned(), name: name.to_owned(), ..self }
            }
        }
    )*};
}

renamable!(UserRecord GroupRecord);

/// The user, role or group of this name in the caller's account; the request rests on it.
pub(crate) fn known<E: Entity>(call: &mut Call<'_>, name: &str) -> Result<Arc<E>, KmsError> {
    let account = &call.caller().account;
    find(call, account, name)?.ok_or_else(|| no_such_entity(E::KIND, "name", name))
}

/// One as the request would leave it; the request rests on it, or on its absence.
pub(crate) fn find<E: Entity>(
    call: &mut Call<'_>,
    account: &AccountId,
    name: &str,
) -> Result<Option<Arc<E>>, KmsError> {
    let record_name = E::record_name(account, name);
    call.rest_on(record_name.clone());
    match call.proposed.record(&record_name).and_then(|record| record.and_then(E::of_record)) {
        Some(entity) => Ok(Some(Arc::new(entity.clone()))),
        None => E::load(call.store(), account, name).map_err(KmsError::internal),
    }
}

/// Refuses a name that is taken, in any case.
///
/// Names are kept as written and compared without case, so the folded name is what two requests at
/// once contend for: the one that is committed later is decided again.
pub(crate) fn claim_name<E: Entity>(call: &mut Call<'_>, name: &str) -> Result<(), KmsError> {
    let account = &call.caller().account;
    let folded = name.to_ascii_lowercase();
    call.rest_on(E::record_name(account, name));
    if folded != name {
        call.rest_on(E::record_name(account, &folded));
        // Nothing of this name exists, which is checked below; deleting it moves the name.
        call.delete(E::record_name(account, &folded));
    }
    let same = |record: &Record| {
        E::of_record(record).is_some_and(|entity| entity.name().eq_ignore_ascii_case(name))
    };
    let proposed = call
        .proposed
        .changes
        .iter()
        .any(|change| matches!(change, Change::Put(record) if same(record)));
    if proposed || is_taken::<E>(call.store(), account, name)? {
        return Err(E::already_exists(name));
    }
    Ok(())
}

/// Whether one of this kind has the name in any case.
fn is_taken<E: Entity>(store: &Store, account: &AccountId, name: &str) -> Result<bool, KmsError> {
    let mut after: Option<String> = None;
    loop {
        let some =
            E::list(store, account, "/", after.as_deref(), 1_000).map_err(KmsError::internal)?;
        if some.iter().any(|entity| entity.name().eq_ignore_ascii_case(name)) {
            return Ok(true);
        }
        match some.last() {
            Some(last) if some.len() == 1_000 => after = Some(last.name().to_owned()),
            _ => return Ok(false),
        }
    }
}
