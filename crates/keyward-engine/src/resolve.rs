//! From what a request wrote to the key it means.
//!
//! It looks up; it does not judge. A key of another account that is absent is not reported as absent
//! here: the caller learns that only through the same refusal that an existing key would give (P6).

use crate::{
    Engine, directory, managed_key,
    operation::{Service, Spec, Subject, Target},
    wording,
};
use keyward_crypto::ciphertext;
use keyward_types::{
    AccountId, AliasName, AliasRecord, Caller, ConnectionState, ErrorCode, KeyName, KeyRecord,
    KeyRef, KeyState, KmsError, MaterialId, Name, Region,
};
use std::{collections::BTreeMap, sync::Arc};

/// A key that a request means.
#[derive(Clone, Debug)]
pub(crate) struct FoundKey {
    pub(crate) record: Arc<KeyRecord>,
    /// Its state for everybody: that of the record, unless its key store is not connected.
    pub(crate) state: KeyState,
    /// The alias by which the request named it: `kms:RequestAlias`.
    pub(crate) alias: Option<AliasName>,
    /// The material that a ciphertext names.
    pub(crate) material: Option<MaterialId>,
    /// Whether the request claims this key, and another one made the ciphertext.
    pub(crate) wrongly_claimed: bool,
    /// Whether the ciphertext alone names it.
    pub(crate) by_ciphertext: bool,
    /// Whether it is an AWS managed key that does not exist before this request.
    pub(crate) unborn: bool,
}

impl FoundKey {
    /// A key as its own record says that it is, by no name in particular.
    pub(crate) fn plain(record: Arc<KeyRecord>, state: KeyState) -> Self {
        Self {
            record,
            state,
            alias: None,
            material: None,
            wrongly_claimed: false,
            by_ciphertext: false,
            unborn: false,
        }
    }

    /// The ARN that a caller may hear before it was allowed anything: which key another account's alias
    /// points to is not for outsiders, and a key that is not there yet has none.
    pub(crate) fn arn_for(&self, caller: &Caller) -> String {
        let KeyName { account, region, .. } = &self.record.name;
        match &self.alias {
            Some(alias) if self.unborn || *account != caller.account => alias.arn(account, region),
            _ => self.record.name.to_string(),
        }
    }
}

/// What a target turned out to be.
pub(crate) enum Found {
    Key(FoundKey),
    Alias {
        arn: String,
    },
    /// Tags fill `aws:ResourceTag/*`, the boundary of a user or role `iam:PermissionsBoundary`.
    Other {
        arn: String,
        tags: BTreeMap<String, String>,
        boundary: Option<String>,
    },
    Account,
    Unchecked,
    /// A key of another account that is not there.
    AbsentElsewhere {
        arn: String,
        account: AccountId,
        by_ciphertext: bool,
    },
}

impl Found {
    /// A resource of which nothing is known but its ARN.
    pub(crate) fn other(arn: String) -> Self {
        Self::Other { arn, tags: BTreeMap::new(), boundary: None }
    }

    /// Whose it is; `None` for what is no resource of an account.
    pub(crate) fn owner<'f>(&'f self, caller: &'f Caller) -> Option<&'f AccountId> {
        match self {
            Self::Key(key) => Some(&key.record.name.account),
            Self::AbsentElsewhere { account, .. } => Some(account),
            Self::Alias { .. } | Self::Other { .. } => Some(&caller.account),
            Self::Account | Self::Unchecked => None,
        }
    }
}

/// Looks a target up, and notes every record that the answer rests on.
pub(crate) fn resolve(
    engine: &Engine,
    caller: &Caller,
    spec: &Spec,
    target: &Target<'_>,
    rested_on: &mut Vec<Name>,
) -> Result<Found, KmsError> {
    if spec.service == Service::Iam {
        directory::refuse_plain_session(caller)?;
    }
    let mut lookup = Lookup { engine, caller, operation: spec.name, rested_on };
    match &target.subject {
        Subject::Key(reference) if reference.is_alias() && !spec.aliases => {
            Err(lookup.alias_refused(reference))
        }
        Subject::Key(reference) => lookup.key(reference),
        Subject::Related { key, region } => lookup.related(key, region),
        Subject::Ciphertext { blob, claimed } => lookup.ciphertext(blob, *claimed),
        Subject::Alias(name) => {
            Ok(Found::Alias { arn: name.arn(&caller.account, &caller.origin.region) })
        }
        Subject::AliasTarget(name) => {
            let target = lookup.alias(&caller.account, &caller.origin.region, name)?.target.clone();
            lookup.named(target, None)
        }
        Subject::User(_)
        | Subject::Role(_)
        | Subject::Group(_)
        | Subject::ManagedPolicy(_)
        | Subject::Renamed { .. }
        | Subject::NewPrincipal { .. } => {
            engine.find_principal(caller, &target.subject, lookup.rested_on)
        }
        Subject::OwnFederated(name) => {
            Ok(Found::other(crate::session::federated_arn(&caller.account, name)))
        }
        Subject::Freezable(named) => named.resolve(engine, caller, lookup.rested_on),
        Subject::Observable(named) => named.resolve(engine, caller, lookup.rested_on),
        Subject::Other(arn) => Ok(Found::other(arn.clone())),
        Subject::Account => Ok(Found::Account),
        Subject::Unchecked => Ok(Found::Unchecked),
    }
}

/// A key's state as everybody sees it. One in a custom key store that is not connected is unavailable,
/// unless it is about to be deleted.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
pub(crate) fn state(
    engine: &Engine,
    key: &KeyRecord,
    rested_on: &mut Vec<Name>,
) -> Result<KeyState, KmsError> {
    let Some(place) = &key.key_store else { return Ok(key.state) };
    let KeyName { account, region, .. } = &key.name;
    rested_on.push(Name::KeyStore(account.clone(), region.clone(), place.store.clone()));
    let store = engine.world.store.key_store(account, region, &place.store);
    let connected = store
        .map_err(KmsError::internal)?
        .is_some_and(|store| store.state == ConnectionState::Connected);
    let unavailable = !connected && !key.state.is_pending_deletion();
    Ok(if unavailable { KeyState::Unavailable } else { key.state })
}

struct Lookup<'l> {
    engine: &'l Engine,
    caller: &'l Caller,
    operation: &'static str,
    rested_on: &'l mut Vec<Name>,
}

impl Lookup<'_> {
    fn key(&mut self, reference: &KeyRef) -> Result<Found, KmsError> {
        let Caller { account, origin, .. } = self.caller;
        match reference {
            KeyRef::Malformed(text) => Err(wording::invalid_key_id(text)),
            KeyRef::Id(key_id) => {
                let name = KeyName {
                    account: account.clone(),
                    region: origin.region.clone(),
                    key_id: key_id.clone(),
                };
                self.named(name, None)
            }
            KeyRef::Arn(name) => {
                self.check_region(&name.region)?;
                self.named(name.clone(), None)
            }
            KeyRef::Alias(alias) => self.aliased(account, &origin.region, alias),
            KeyRef::AliasArn { account, region, name } => {
                self.check_region(region)?;
                self.aliased(account, region, name)
            }
        }
    }

    /// The key of another Region that is related to the one named.
    fn related(&mut self, reference: &KeyRef, region: &Region) -> Result<Found, KmsError> {
        match self.key(reference)? {
            // That it has no relations is for those to hear who may act on it.
            Found::Key(key) if key.record.multi_region.is_none() => Ok(Found::Key(key)),
            Found::Key(key) => {
                self.named(KeyName { region: region.clone(), ..key.record.name.clone() }, None)
            }
            absent => Ok(absent),
        }
    }

    fn check_region(&self, region: &Region) -> Result<(), KmsError> {
        if *region == self.caller.origin.region {
            Ok(())
        } else {
            Err(wording::other_region(region))
        }
    }

    fn aliased(
        &mut self,
        account: &AccountId,
        region: &Region,
        alias: &AliasName,
    ) -> Result<Found, KmsError> {
        match self.alias(account, region, alias) {
            Ok(record) => self.named(record.target.clone(), Some(alias.clone())),
            Err(error) if error.code == ErrorCode::NotFound && *account != self.caller.account => {
                Ok(Found::AbsentElsewhere {
                    arn: alias.arn(account, region),
                    account: account.clone(),
                    by_ciphertext: false,
                })
            }
            Err(error) => self.first_used(alias).ok_or(error),
        }
    }

    /// The AWS managed key that a request by this missing alias is the first to use.
    fn first_used(&self, alias: &AliasName) -> Option<Found> {
        let record = managed_key::first_used(self.engine, self.caller, self.operation, alias)?;
        let state = record.state;
        let found = FoundKey::plain(Arc::new(record), state);
        Some(Found::Key(FoundKey { alias: Some(alias.clone()), unborn: true, ..found }))
    }

    fn alias(
        &mut self,
        account: &AccountId,
        region: &Region,
        alias: &AliasName,
    ) -> Result<Arc<AliasRecord>, KmsError> {
        self.rested_on.push(Name::Alias(account.clone(), region.clone(), alias.clone()));
        let record =
            self.engine.world.store.alias(account, region, alias).map_err(KmsError::internal)?;
        record.ok_or_else(|| wording::no_such_alias(account, region, alias))
    }

    fn named(&mut self, name: KeyName, alias: Option<AliasName>) -> Result<Found, KmsError> {
        let record = self.engine.world.store.key(&name).map_err(KmsError::internal)?;
        self.rested_on.push(Name::Key(name.clone()));
        match record {
            Some(record) => {
                let state = state(self.engine, &record, self.rested_on)?;
                Ok(Found::Key(FoundKey { alias, ..FoundKey::plain(record, state) }))
            }
            None if name.account == self.caller.account => Err(wording::no_such_key(&name)),
            None => Ok(Found::AbsentElsewhere {
                arn: name.to_string(),
                account: name.account,
                by_ciphertext: false,
            }),
        }
    }

    /// The key named in a symmetric ciphertext. A blob of no known form, or one of another Region, is
    /// not authentic, whatever key the request claims.
    fn ciphertext(&mut self, blob: &[u8], claimed: Option<&KeyRef>) -> Result<Found, KmsError> {
        let mut header =
            ciphertext::parse(blob).map_err(|_| KmsError::bare(ErrorCode::InvalidCiphertext))?;
        // Related keys have the same material: each opens what another sealed.
        if header.key.key_id.is_multi_region() {
            header.key.region = self.caller.origin.region.clone();
        }
        let alias = match claimed {
            None => None,
            // A key id alone may be short for a key of another account.
            Some(KeyRef::Id(id)) if *id == header.key.key_id => None,
            Some(claimed) => match self.key(claimed)? {
                // Whether it is the wrong one is for those to hear who may use it.
                Found::Key(found) if found.record.name != header.key => {
                    return Ok(Found::Key(FoundKey { wrongly_claimed: true, ..found }));
                }
                Found::Key(found) => found.alias,
                absent => return Ok(absent),
            },
        };
        if header.key.region != self.caller.origin.region {
            return Err(KmsError::bare(ErrorCode::InvalidCiphertext));
        }
        match self.named(header.key, None) {
            Ok(Found::Key(found)) => Ok(Found::Key(FoundKey {
                material: Some(header.material),
                alias,
                by_ciphertext: claimed.is_none(),
                ..found
            })),
            Ok(Found::AbsentElsewhere { arn, account, .. }) => {
                Ok(Found::AbsentElsewhere { arn, account, by_ciphertext: claimed.is_none() })
            }
            // A key of this account that was deleted: its ciphertexts open no more.
            Err(error) if error.code == ErrorCode::NotFound => {
                Err(KmsError::bare(ErrorCode::InvalidCiphertext))
            }
            other => other,
        }
    }

    fn alias_refused(&self, reference: &KeyRef) -> KmsError {
        let text = match reference {
            KeyRef::Alias(name) => name.to_string(),
            KeyRef::AliasArn { account, region, name } => name.arn(account, region),
            KeyRef::Id(_) | KeyRef::Arn(_) | KeyRef::Malformed(_) => String::new(),
        };
        wording::invalid_key_id(&text)
    }
}
