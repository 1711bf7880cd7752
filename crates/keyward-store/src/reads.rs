//! Typed reads.
//!
//! Lists are in the order of the last part of their names, start beyond `after`, and end at `limit`.
//! A reader that means to commit reads [`Store::snapshot`] first.

use crate::{
    Store, StoreError,
    codec::Held,
    draft::grantee_text,
    shared::{Shared, key_place, lock},
    tree::{self, Kind},
};
use keyward_types::{
    AccessKeyRecord, AccountId, AlertName, AlertRecord, AliasName, AliasRecord, EndpointRecord,
    FreezeRecord, FreezeTarget, GrantId, GrantRecord, GroupRecord, KeyId, KeyInStore, KeyName,
    KeyRecord, KeyState, KeyStoreRecord, LastUsage, ManagedPolicyRecord, MaterialId,
    MaterialRecord, MfaDeviceRecord, ObserveRecord, OrganizationRecord, Region, RoleRecord,
    UserRecord, key::DekRecord,
};
use quick_cache::sync::GuardResult;
use std::{collections::BTreeMap, ops::Bound, sync::Arc, sync::atomic::Ordering};

type Read<T> = Result<T, StoreError>;

/// Users, groups and roles, each by name.
#[derive(Clone, Debug, Default)]
pub struct Identities {
    pub users: Vec<Arc<UserRecord>>,
    pub groups: Vec<Arc<GroupRecord>>,
    pub roles: Vec<Arc<RoleRecord>>,
}

impl Identities {
    pub fn len(&self) -> usize {
        self.users.len() + self.groups.len() + self.roles.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The list of one kind of an account's named things, of those whose path begins with a prefix.
macro_rules! by_path {
    ($(#[$doc:meta])* $name:ident, $record:ident, $kind:ident) => {
        $(#[$doc])*
        pub fn $name(
            &self,
            account: &AccountId,
            path_prefix: &str,
            after: Option<&str>,
            limit: usize,
        ) -> Read<Vec<Arc<$record>>> {
            let prefix = tree::principals_prefix(Kind::$kind, account);
            let all = self.shared.walk(prefix, after.map(str::as_bytes), listed!($kind));
            let fits = |one: &Read<Arc<$record>>| {
                one.as_ref().map_or(true, |one| one.path.starts_with(path_prefix))
            };
            all.filter(fits).take(limit).collect()
        }
    };
}

macro_rules! one {
    ($shared:expr, $key:expr, $kind:ident) => {
        match $shared.held(&$key)? {
            Held::$kind(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    };
}

macro_rules! listed {
    ($kind:ident) => {
        |held| match held {
            Held::$kind(record) => Some(record),
            _ => None,
        }
    };
}

impl Store {
    /// The newest commit that every read from now on sees. Read it before the records.
    pub fn snapshot(&self) -> u64 {
        self.shared.published.load(Ordering::Acquire)
    }

    pub fn key(&self, name: &KeyName) -> Read<Option<Arc<KeyRecord>>> {
        one!(self.shared, tree::key(name), Key)
    }

    /// Keys of an account and Region, by id.
    pub fn keys(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&KeyId>,
        limit: usize,
    ) -> Read<Vec<Arc<KeyRecord>>> {
        let prefix = tree::keys_prefix(account, region);
        self.shared.list(&prefix, after.map(|id| id.as_str().as_bytes()), limit, listed!(Key))
    }

    /// Every key, by account, Region and id.
    pub fn keys_everywhere(&self) -> impl Iterator<Item = Read<Arc<KeyRecord>>> + '_ {
        self.shared.walk(vec![Kind::Key.number()], None, listed!(Key))
    }

    /// How many keys are in each state.
    pub fn key_states(&self) -> BTreeMap<KeyState, u64> {
        lock(&self.shared.meta).key_states.clone()
    }

    /// How many customer managed keys an account has in a Region.
    pub fn customer_keys(&self, account: &AccountId, region: &Region) -> u64 {
        let meta = lock(&self.shared.meta);
        let place = key_place(account, region);
        meta.customer_keys.get(&place).copied().unwrap_or(0)
    }

    pub fn material(&self, key: &KeyName, id: &MaterialId) -> Read<Option<Arc<MaterialRecord>>> {
        one!(self.shared, tree::material(key, id), Material)
    }

    /// The data-encryption key of a key, from the vault.
    pub fn dek(&self, key: &KeyName) -> Read<Option<Arc<DekRecord>>> {
        match self.shared.dek(key)? {
            Held::Dek(record) => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    pub fn last_usage(&self, key: &KeyName) -> Read<Option<Arc<LastUsage>>> {
        one!(self.shared, tree::last_usage(key), Usage)
    }

    pub fn alias(
        &self,
        account: &AccountId,
        region: &Region,
        name: &AliasName,
    ) -> Read<Option<Arc<AliasRecord>>> {
        one!(self.shared, tree::alias(account, region, name), Alias)
    }

    /// Aliases of an account and Region, by name.
    pub fn aliases(
        &self,
        account: &AccountId,
        region: &Region,
        after: Option<&AliasName>,
        limit: usize,
    ) -> Read<Vec<Arc<AliasRecord>>> {
        let prefix = tree::aliases_prefix(account, region);
        self.shared.list(&prefix, after.map(|name| name.as_str().as_bytes()), limit, listed!(Alias))
    }

    /// All aliases of a key, by name.
    ///
    /// Every decision about a key asks for them, so that the list is cached as a whole.
    pub fn aliases_of_key(&self, key: &KeyName) -> Read<Arc<[Arc<AliasRecord>]>> {
        let prefix = tree::key_aliases_prefix(key);
        let load = || -> Read<Arc<[Arc<AliasRecord>]>> {
            self.shared.led_to(prefix.clone(), None, listed!(Alias)).collect()
        };
        match self.shared.cache.get_value_or_guard(prefix.as_slice(), None) {
            GuardResult::Value(Held::Aliases(list)) => Ok(list),
            GuardResult::Guard(guard) => {
                let list = load()?;
                let _ = guard.insert(Held::Aliases(Arc::clone(&list)));
                Ok(list)
            }
            GuardResult::Value(_) | GuardResult::Timeout => load(),
        }
    }

    pub fn grant(&self, key: &KeyName, id: &GrantId) -> Read<Option<Arc<GrantRecord>>> {
        one!(self.shared, tree::grant(key, id), Grant)
    }

    /// Grants of a key, by id.
    pub fn grants_of_key(
        &self,
        key: &KeyName,
        after: Option<&GrantId>,
        limit: usize,
    ) -> Read<Vec<Arc<GrantRecord>>> {
        let prefix = tree::grants_prefix(key);
        self.shared.list(&prefix, after.map(|id| id.as_str().as_bytes()), limit, listed!(Grant))
    }

    /// The grants of a key that name one of these grantees, exactly as the grants spell them.
    /// The cost depends on how many there are, not on how many the key has.
    pub fn grant_candidates(
        &self,
        key: &KeyName,
        grantees: &[&str],
    ) -> Read<Vec<Arc<GrantRecord>>> {
        let mut found = Vec::new();
        for grantee in grantees {
            found.extend(self.grants_to(key, grantee)?.iter().cloned());
        }
        Ok(found)
    }

    fn grants_to(&self, key: &KeyName, grantee: &str) -> Read<Arc<[Arc<GrantRecord>]>> {
        let prefix = tree::grantee_prefix(key, grantee);
        let load = || -> Read<Arc<[Arc<GrantRecord>]>> {
            let grants = self.shared.led_to(prefix.clone(), None, listed!(Grant));
            let is_theirs = |grant: &Read<Arc<GrantRecord>>| {
                grant.as_ref().map_or(true, |grant| grantee_text(&grant.grantee) == grantee)
            };
            grants.filter(is_theirs).collect()
        };
        match self.shared.cache.get_value_or_guard(prefix.as_slice(), None) {
            GuardResult::Value(Held::Grants(list)) => Ok(list),
            GuardResult::Guard(guard) => {
                let list = load()?;
                let _ = guard.insert(Held::Grants(Arc::clone(&list)));
                Ok(list)
            }
            GuardResult::Value(_) | GuardResult::Timeout => load(),
        }
    }

    /// Grants that this principal may retire, by key and id.
    pub fn grants_retirable_by(
        &self,
        principal: &str,
        after: Option<(&KeyName, &GrantId)>,
        limit: usize,
    ) -> Read<Vec<Arc<GrantRecord>>> {
        let after = after.map(|(key, id)| {
            let mut bytes = tree::grants_prefix(key);
            bytes.extend_from_slice(id.as_str().as_bytes());
            bytes
        });
        let grants =
            self.shared.led_to(tree::retiring_prefix(principal), after.as_deref(), listed!(Grant));
        let is_theirs = |grant: &Read<Arc<GrantRecord>>| {
            grant.as_ref().map_or(true, |grant| {
                grant.retiring.as_ref().is_some_and(|r| grantee_text(r) == principal)
            })
        };
        grants.filter(is_theirs).take(limit).collect()
    }

    /// Grants of a key that bear this name, by id.
    pub fn grants_by_name(&self, key: &KeyName, name: &str) -> Read<Vec<Arc<GrantRecord>>> {
        let grants = self.shared.led_to(tree::grant_name_prefix(key, name), None, listed!(Grant));
        let is_named = |grant: &Read<Arc<GrantRecord>>| {
            grant.as_ref().map_or(true, |grant| grant.name.as_deref() == Some(name))
        };
        grants.filter(is_named).collect()
    }

    pub fn grant_count(&self, key: &KeyName) -> Read<u32> {
        let count = self.shared.raw(&tree::grant_count(key))?;
        Ok(count.and_then(|count| count.as_ref().try_into().ok()).map_or(0, u32::from_be_bytes))
    }

    pub fn user(&self, account: &AccountId, name: &str) -> Read<Option<Arc<UserRecord>>> {
        one!(self.shared, tree::principal(Kind::User, account, name), User)
    }

    pub fn role(&self, account: &AccountId, name: &str) -> Read<Option<Arc<RoleRecord>>> {
        one!(self.shared, tree::principal(Kind::Role, account, name), Role)
    }

    pub fn group(&self, account: &AccountId, name: &str) -> Read<Option<Arc<GroupRecord>>> {
        one!(self.shared, tree::principal(Kind::Group, account, name), Group)
    }

    pub fn managed_policy(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Read<Option<Arc<ManagedPolicyRecord>>> {
        one!(self.shared, tree::principal(Kind::ManagedPolicy, account, name), ManagedPolicy)
    }

    pub fn mfa_device(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Read<Option<Arc<MfaDeviceRecord>>> {
        one!(self.shared, tree::principal(Kind::MfaDevice, account, name), MfaDevice)
    }

    by_path!(
        /// Users of an account whose path begins with `path_prefix`, by name.
        users, UserRecord, User
    );
    by_path!(
        /// Roles of an account whose path begins with `path_prefix`, by name.
        roles, RoleRecord, Role
    );
    /// Every role, by account and name.
    pub fn roles_everywhere(&self) -> impl Iterator<Item = Read<Arc<RoleRecord>>> + '_ {
        self.shared.walk(vec![Kind::Role.number()], None, listed!(Role))
    }

    by_path!(
        /// Groups of an account whose path begins with `path_prefix`, by name.
        groups, GroupRecord, Group
    );
    by_path!(
        /// Customer managed policies of an account whose path begins with `path_prefix`, by name.
        managed_policies, ManagedPolicyRecord, ManagedPolicy
    );

    /// The MFA devices of an account, by name.
    pub fn mfa_devices(&self, account: &AccountId) -> Read<Vec<Arc<MfaDeviceRecord>>> {
        let prefix = tree::principals_prefix(Kind::MfaDevice, account);
        self.shared.walk(prefix, None, listed!(MfaDevice)).collect()
    }

    /// The MFA devices assigned to a user, by name; an empty user is the root user.
    pub fn mfa_devices_of(
        &self,
        account: &AccountId,
        user: &str,
    ) -> Read<Vec<Arc<MfaDeviceRecord>>> {
        let prefix = tree::mfa_devices_prefix(account, user);
        self.shared.led_to(prefix, None, listed!(MfaDevice)).collect()
    }

    /// The one organization.
    pub fn organization(&self) -> Read<Option<Arc<OrganizationRecord>>> {
        one!(self.shared, tree::organization(), Organization)
    }

    pub fn endpoint(&self, id: &str) -> Read<Option<Arc<EndpointRecord>>> {
        one!(self.shared, tree::endpoint(id), Endpoint)
    }

    /// Every endpoint, by id.
    pub fn endpoints(&self) -> Read<Vec<Arc<EndpointRecord>>> {
        self.shared.walk(vec![Kind::Endpoint.number()], None, listed!(Endpoint)).collect()
    }

    pub fn key_store(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
    ) -> Read<Option<Arc<KeyStoreRecord>>> {
        one!(self.shared, tree::key_store(account, region, id), KeyStore)
    }

    /// The freeze of a thing. Every decision asks, so that absence is cached too.
    pub fn freeze(&self, target: &FreezeTarget) -> Read<Option<Arc<FreezeRecord>>> {
        one!(self.shared, tree::freeze(target), Freeze)
    }

    /// Every freeze of an account: grants, keys, roles, users, each by name.
    pub fn freezes(&self, account: &AccountId) -> Read<Vec<Arc<FreezeRecord>>> {
        self.shared.walk(tree::freezes_prefix(account), None, listed!(Freeze)).collect()
    }

    /// What of an account is in observe. Every refusal asks, so that absence is cached too.
    pub fn observe(&self, account: &AccountId) -> Read<Option<Arc<ObserveRecord>>> {
        one!(self.shared, tree::observe(account), Observe)
    }

    /// What is in observe, of every account.
    pub fn observes(&self) -> Read<Vec<Arc<ObserveRecord>>> {
        self.shared.walk(tree::observes_prefix(), None, listed!(Observe)).collect()
    }

    /// What was stated about alerts, by its name.
    pub fn alert(&self, name: &AlertName) -> Read<Option<Arc<AlertRecord>>> {
        one!(self.shared, tree::alert(name), Alert)
    }

    /// Every silence of an account, also one that has ended, by id.
    pub fn silences(&self, account: &AccountId) -> Read<Vec<Arc<AlertRecord>>> {
        self.shared.walk(tree::silences_prefix(account), None, listed!(Alert)).collect()
    }

    /// Every acknowledgement of an account's alerts, by their ids.
    pub fn acknowledgements(&self, account: &AccountId) -> Read<Vec<Arc<AlertRecord>>> {
        self.shared.walk(tree::acknowledgements_prefix(account), None, listed!(Alert)).collect()
    }

    /// Everything that was stated about alerts, by account.
    pub fn alerts_everywhere(&self) -> impl Iterator<Item = Read<Arc<AlertRecord>>> + '_ {
        self.shared.walk(vec![Kind::Alert.number()], None, listed!(Alert))
    }

    /// Every custom key store of an account and Region, by id.
    pub fn key_stores(
        &self,
        account: &AccountId,
        region: &Region,
    ) -> Read<Vec<Arc<KeyStoreRecord>>> {
        let prefix = tree::key_stores_prefix(account, region);
        self.shared.walk(prefix, None, listed!(KeyStore)).collect()
    }

    /// The KMS key that has this external key.
    pub fn key_in_store(
        &self,
        account: &AccountId,
        region: &Region,
        place: &KeyInStore,
    ) -> Read<Option<Arc<KeyRecord>>> {
        let mut entry = tree::keys_in_store_prefix(account, region, &place.store);
        entry.extend_from_slice(place.external_key.as_bytes());
        // Longer ids begin so too, and stand behind it.
        let first = self.shared.led_to(entry, None, listed!(Key)).next().transpose()?;
        Ok(first.filter(|key| key.key_store.as_ref() == Some(place)))
    }

    /// Keys in a custom key store, by the id of the external key.
    pub fn keys_in_store(
        &self,
        account: &AccountId,
        region: &Region,
        store: &str,
        limit: usize,
    ) -> Read<Vec<Arc<KeyRecord>>> {
        let prefix = tree::keys_in_store_prefix(account, region, store);
        self.shared.led_to(prefix, None, listed!(Key)).take(limit).collect()
    }

    /// Users of a group, by name.
    pub fn members_of(
        &self,
        account: &AccountId,
        group: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Read<Vec<Arc<UserRecord>>> {
        let prefix = tree::members_prefix(account, group);
        self.shared.led_to(prefix, after.map(str::as_bytes), listed!(User)).take(limit).collect()
    }

    /// Users, groups and roles that attach a managed policy.
    pub fn attachments_of(&self, policy_arn: &str) -> Read<Identities> {
        self.identities(tree::attachments_prefix(policy_arn))
    }

    /// Users and roles that have a managed policy as their permissions boundary.
    pub fn bounded_by(&self, policy_arn: &str) -> Read<Identities> {
        self.identities(tree::boundaries_prefix(policy_arn))
    }

    fn identities(&self, prefix: Vec<u8>) -> Read<Identities> {
        let mut found = Identities::default();
        for held in self.shared.led_to(prefix, None, Some) {
            match held? {
                Held::User(user) => found.users.push(user),
                Held::Group(group) => found.groups.push(group),
                Held::Role(role) => found.roles.push(role),
                _ => {}
            }
        }
        Ok(found)
    }

    pub fn access_key(&self, id: &str) -> Read<Option<Arc<AccessKeyRecord>>> {
        one!(self.shared, tree::access_key(id), AccessKey)
    }

    /// Access keys of a user, or of the root user, by id.
    pub fn access_keys_of(
        &self,
        account: &AccountId,
        user: Option<&str>,
    ) -> Read<Vec<Arc<AccessKeyRecord>>> {
        self.shared
            .led_to(tree::access_keys_prefix(account, user), None, listed!(AccessKey))
            .collect()
    }
}

impl Shared {
    fn list<T>(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        pick: impl Fn(Held) -> Option<T> + 'static,
    ) -> Read<Vec<T>> {
        self.walk(prefix.to_vec(), after, pick).take(limit).collect()
    }

    /// Records under a prefix. A record that goes meanwhile is left out.
    fn walk<T>(
        &self,
        prefix: Vec<u8>,
        after: Option<&[u8]>,
        pick: impl Fn(Held) -> Option<T> + 'static,
    ) -> impl Iterator<Item = Read<T>> + '_ {
        self.entries(prefix, after).filter_map(move |entry| match entry {
            Ok((key, _)) => self.peek(&key).map(&pick).transpose(),
            Err(error) => Some(Err(error)),
        })
    }

    /// Records that index entries under a prefix lead to.
    fn led_to<T>(
        &self,
        prefix: Vec<u8>,
        after: Option<&[u8]>,
        pick: impl Fn(Held) -> Option<T> + 'static,
    ) -> impl Iterator<Item = Read<T>> + '_ {
        self.entries(prefix, after).filter_map(move |entry| match entry {
            Ok((_, key)) => self.peek(&key).map(&pick).transpose(),
            Err(error) => Some(Err(error)),
        })
    }

    fn entries(
        &self,
        prefix: Vec<u8>,
        after: Option<&[u8]>,
    ) -> impl Iterator<Item = Read<(sled::IVec, sled::IVec)>> + '_ {
        let start = match after {
            Some(after) => Bound::Excluded([prefix.as_slice(), after].concat()),
            None => Bound::Included(prefix.clone()),
        };
        let end = tree::after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let mut range = self.tree.range((start, end));
        std::iter::from_fn(move || self.sled(|_| range.next().transpose()).transpose())
    }

    /// A record from the cache, or from sled past the cache: a list does not push out what is hot.
    fn peek(&self, key: &[u8]) -> Read<Held> {
        match self.cache.peek(key) {
            Some(held) => Ok(held),
            None => self.load(key),
        }
    }
}
