//! Makes what a seed says, by the operations' own code, as one commit.
//!
//! It does not decide: no policy stands between an operator and the file.
//!
//! INVARIANT: proposals are read back, so that what comes later in a file may rest on what came before.

use super::{
    AccessKey, Constraints, Existing, Grant, Key, Policy, Role, Seed, SeedError, Seeded, User,
};
use crate::{
    Engine,
    call::{Call, Preset, Proposed},
    credential::same_secret,
    fitness,
    operation::{Operation, Spec},
    ops::seeds::{
        AttachRolePolicy, AttachUserPolicy, CreateAccessKey, CreateAlias, CreateGrant, CreateKey,
        CreateRole, CreateUser, DisableKey, EnableKeyRotation, PutRolePolicy, PutUserPolicy,
    },
    resolve::FoundKey,
    shape,
    trace::Trace,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keyward_store::Commit;
use keyward_types::{
    AccessKeyOwner, AccessKeyRecord, AccountId, AliasName, Caller, CallerKind, ErrorCode, Event,
    GrantRecord, Grantee, KeyId, KeyName, KeyRecord, KeyRef, KeySpec, KeyState, KeyUsage, KmsError,
    Name, Origin, Record, Region, RoleRecord, Timestamp, UserRecord, caller::Document,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

pub(super) type Sown = Result<(), SeedError>;

/// A seed on its way: what it will change, and the events of that.
pub(super) struct Sower<'e> {
    pub(super) engine: &'e Arc<Engine>,
    existing: Existing,
    snapshot: u64,
    pub(super) now: Timestamp,
    proposed: Proposed,
    events: Vec<Event>,
    pub(super) seeded: Seeded,
}

/// Puts a place before an error.
pub(super) fn at(place: impl Into<String>) -> impl FnOnce(KmsError) -> SeedError {
    let at = place.into();
    move |error| SeedError { at, error }
}

impl<'e> Sower<'e> {
    pub(super) fn new(engine: &'e Arc<Engine>, existing: Existing) -> Self {
        Self {
            engine,
            existing,
            // Read before any record, so that a change meanwhile is noticed.
            snapshot: engine.store().snapshot(),
            now: engine.now(),
            proposed: Proposed::default(),
            events: Vec::new(),
            seeded: Seeded::default(),
        }
    }

    pub(super) fn sow(&mut self, seed: &Seed) -> Sown {
        for (i, account) in seed.accounts.iter().enumerate() {
            for (j, key) in account.root_access_keys.iter().enumerate() {
                self.access_key(&account.id, &AccessKeyOwner::Root, key)
                    .map_err(at(format!("accounts[{i}].rootAccessKeys[{j}]")))?;
            }
        }
        // What identities attach comes before them.
        for (i, policy) in seed.managed_policies.iter().enumerate() {
            self.managed_policy(policy).map_err(at(format!("managedPolicies[{i}]")))?;
        }
        for (i, group) in seed.groups.iter().enumerate() {
            self.group(group, &format!("groups[{i}]"))?;
        }
        // Principals first and their policies' principals with them: a role may trust one that comes later.
        for (i, user) in seed.users.iter().enumerate() {
            self.user(user, &format!("users[{i}]"))?;
        }
        for (i, role) in in_order_of_trust(&seed.roles) {
            self.role(role, &format!("roles[{i}]"))?;
        }
        for (i, key) in seed.keys.iter().enumerate() {
            self.key(key, &format!("keys[{i}]"))?;
        }
        for (i, alias) in seed.aliases.iter().enumerate() {
            let (account, region) = self
                .home(alias.account.as_ref(), alias.region.as_deref())
                .map_err(at(format!("aliases[{i}].region")))?;
            self.alias(&account, &region, &alias.name, &alias.key)
                .map_err(at(format!("aliases[{i}]")))?;
        }
        for (i, grant) in seed.grants.iter().enumerate() {
            self.grant(grant).map_err(at(format!("grants[{i}]")))?;
        }
        self.surroundings(seed)
    }

    fn surroundings(&mut self, seed: &Seed) -> Sown {
        if let Some(organization) = &seed.organization {
            self.organization(organization).map_err(at("organization"))?;
        }
        for (i, endpoint) in seed.vpc_endpoints.iter().enumerate() {
            self.vpc_endpoint(endpoint).map_err(at(format!("vpcEndpoints[{i}]")))?;
        }
        for (i, service) in seed.services.iter().enumerate() {
            self.service(service, &format!("services[{i}]"))?;
        }
        Ok(())
    }

    pub(super) fn commit(self) -> Result<Seeded, KmsError> {
        let Proposed { changes, rested_on, .. } = self.proposed;
        if !changes.is_empty() {
            let commit =
                Commit { snapshot: self.snapshot, rested_on, changes, events: self.events };
            self.engine.store().commit(commit).wait().map_err(KmsError::internal)?;
        }
        Ok(self.seeded)
    }

    /// Whose, and where, when the file does not say.
    pub(super) fn home(
        &self,
        account: Option<&AccountId>,
        region: Option<&str>,
    ) -> Result<(AccountId, Region), KmsError> {
        let settings = self.engine.settings();
        let region = match region {
            Some(text) => Region::parse(text).ok_or_else(|| {
                KmsError::validation(format!("{text} is not the name of a Region"))
            })?,
            None => settings.region.clone(),
        };
        Ok((account.unwrap_or(&settings.account).clone(), region))
    }

    /// Something that exists: kept when it is the same, or when the file says so.
    pub(super) fn there_already(
        &mut self,
        what: &str,
        differs_in: Option<&str>,
    ) -> Result<(), KmsError> {
        match differs_in {
            Some(member) if self.existing == Existing::Refuse => Err(KmsError::new(
                ErrorCode::Conflict,
                format!(
                    "{what} exists and differs in {member}; `existing: keep` leaves such things as they are"
                ),
            )),
            _ => {
                self.seeded.kept += 1;
                Ok(())
            }
        }
    }

    fn user(&mut self, user: &User, place: &str) -> Sown {
        let (account, region) = self.home(user.account.as_ref(), None).map_err(at(place))?;
        self.rest_on(Name::User(account.clone(), user.name.clone()));
        let found = self
            .engine
            .store()
            .user(&account, &user.name)
            .map_err(|error| at(place)(KmsError::internal(error)))?;
        if let Some(found) = found {
            self.there_already(&found.arn(), user_differs(user, &found)).map_err(at(place))?;
        } else {
            let body = json!({"UserName": user.name, "Path": user.path, "PermissionsBoundary": user.boundary, "Tags": tag_list(&user.tags, "Key", "Value")});
            self.run::<CreateUser>(&account, &region, None, body).map_err(at(place))?;
            for (name, policy) in &user.policies {
                let body = json!({"UserName": user.name, "PolicyName": name, "PolicyDocument": policy.text()});
                self.run::<PutUserPolicy>(&account, &region, None, body)
                    .map_err(at(format!("{place}.policies.{name}")))?;
            }
            self.attach::<AttachUserPolicy>(
                &account,
                "UserName",
                &user.name,
                &user.attached,
                place,
            )?;
            self.join(&account, user, place)?;
            self.seeded.users += 1;
            self.seeded.made.push(format!("arn:aws:iam::{account}:user{}{}", user.path, user.name));
        }
        let owner = AccessKeyOwner::User(user.name.clone());
        for (j, key) in user.access_keys.iter().enumerate() {
            self.access_key(&account, &owner, key)
                .map_err(at(format!("{place}.accessKeys[{j}]")))?;
        }
        Ok(())
    }

    fn role(&mut self, role: &Role, place: &str) -> Sown {
        let (account, region) = self.home(role.account.as_ref(), None).map_err(at(place))?;
        self.rest_on(Name::Role(account.clone(), role.name.clone()));
        let found = self
            .engine
            .store()
            .role(&account, &role.name)
            .map_err(|error| at(place)(KmsError::internal(error)))?;
        if let Some(found) = found {
            return self.there_already(&found.arn(), role_differs(role, &found)).map_err(at(place));
        }
        let body = json!({
            "RoleName": role.name,
            "Path": role.path,
            "AssumeRolePolicyDocument": role.trust.text(),
            "Description": role.description,
            "MaxSessionDuration": role.max_session_seconds,
            "PermissionsBoundary": role.boundary,
            "Tags": tag_list(&role.tags, "Key", "Value"),
        });
        self.run::<CreateRole>(&account, &region, None, body).map_err(at(place))?;
        for (name, policy) in &role.policies {
            let body =
                json!({"RoleName": role.name, "PolicyName": name, "PolicyDocument": policy.text()});
            self.run::<PutRolePolicy>(&account, &region, None, body)
                .map_err(at(format!("{place}.policies.{name}")))?;
        }
        self.attach::<AttachRolePolicy>(&account, "RoleName", &role.name, &role.attached, place)?;
        self.seeded.roles += 1;
        self.seeded.made.push(format!("arn:aws:iam::{account}:role{}{}", role.path, role.name));
        Ok(())
    }

    /// An access key with an id and a secret of the file's own.
    pub(super) fn access_key(
        &mut self,
        account: &AccountId,
        owner: &AccessKeyOwner,
        key: &AccessKey,
    ) -> Result<(), KmsError> {
        let fits = |text: &str, max: usize| {
            (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        if !fits(&key.id, 128)
            || !key.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        {
            return Err(KmsError::validation(
                "an access key id is 1 to 128 letters, digits and _-.",
            ));
        }
        if !fits(&key.secret.0, 128) {
            return Err(KmsError::validation(
                "a secret access key is 1 to 128 printable ASCII characters",
            ));
        }
        self.rest_on(Name::AccessKey(key.id.clone()));
        let proposed = |change: &keyward_types::Change| matches!(change, keyward_types::Change::Put(record) if record.name() == Name::AccessKey(key.id.clone()));
        if self.proposed.changes.iter().any(proposed) {
            return Err(KmsError::validation(format!(
                "the access key id {} stands twice in the file",
                key.id
            )));
        }
        if let Some(found) = self.engine.store().access_key(&key.id).map_err(KmsError::internal)? {
            let differs = if found.account != *account || found.owner != *owner {
                Some("its owner")
            } else if !same_secret(&found.secret, &key.secret.0) {
                Some("its secret")
            } else {
                (found.active != key.active).then_some("active")
            };
            return self.there_already(&format!("the access key {}", key.id), differs);
        }
        let record = AccessKeyRecord {
            access_key_id: key.id.clone(),
            secret: key.secret.0.to_string(),
            account: account.clone(),
            owner: owner.clone(),
            active: key.active,
            created: self.now,
        };
        let mut body = Map::new();
        if let AccessKeyOwner::User(name) = owner {
            body.insert("UserName".to_owned(), name.as_str().into());
        }
        let elements =
            json!({"accessKey": {"accessKeyId": key.id, "userName": body.get("UserName")}});
        let caller = self.caller(account, &self.engine.settings().region.clone());
        self.proposed.changes.push(keyward_types::Change::Put(Box::new(Record::AccessKey(record))));
        self.record(&CreateAccessKey::SPEC, &caller, &body, Some(elements), Vec::new());
        self.seeded.access_keys += 1;
        self.seeded.made.push(key.id.clone());
        Ok(())
    }

    fn key(&mut self, key: &Key, place: &str) -> Sown {
        let here = |member: &str| at(format!("{place}.{member}"));
        let (account, region) =
            self.home(key.account.as_ref(), key.region.as_deref()).map_err(here("region"))?;
        let key_id = KeyId::parse(&key.id).filter(|id| !id.is_multi_region());
        let key_id =
            key_id.ok_or_else(|| here("id")(KmsError::validation("a key's id is a UUID")))?;
        let name = KeyName { account: account.clone(), region: region.clone(), key_id };
        self.rest_on(Name::Key(name.clone()));
        match self.find(&name).map_err(at(place))? {
            Some(found) => self
                .there_already(&name.to_string(), key_differs(key, &found))
                .map_err(at(place))?,
            None => self.new_key(key, &name, place)?,
        }
        for (j, alias) in key.aliases.iter().enumerate() {
            self.alias(&account, &region, alias, &name.to_string())
                .map_err(here(&format!("aliases[{j}]")))?;
        }
        Ok(())
    }

    fn new_key(&mut self, key: &Key, name: &KeyName, place: &str) -> Sown {
        let here = |member: &str| at(format!("{place}.{member}"));
        let KeyName { account, region, key_id } = name;
        let material = key
            .material
            .as_ref()
            .map(|text| material(&text.0))
            .transpose()
            .map_err(here("material"))?;
        if material.is_some() && key.spec.is_some_and(KeySpec::is_asymmetric) {
            return Err(here("material")(KmsError::validation(
                "material is taken for symmetric and HMAC keys",
            )));
        }
        let preset = Preset { key_id: Some(key_id.clone()), material };
        let body = json!({
            "Policy": key.policy.as_ref().map(Policy::text),
            "Description": key.description,
            "KeySpec": key.spec,
            "KeyUsage": key.usage,
            "Tags": tag_list(&key.tags, "TagKey", "TagValue"),
            "BypassPolicyLockoutSafetyCheck": true,
        });
        self.run_preset::<CreateKey>(account, region, None, body, preset).map_err(at(place))?;
        let body = |more: Value| match (json!({"KeyId": name.to_string()}), more) {
            (Value::Object(mut body), Value::Object(more)) => {
                body.extend(more);
                Value::Object(body)
            }
            (body, _) => body,
        };
        if let Some(days) = key.rotation_days {
            let body = body(json!({"RotationPeriodInDays": days}));
            self.run::<EnableKeyRotation>(account, region, Some(name), body)
                .map_err(here("rotationDays"))?;
        }
        if !key.enabled {
            self.run::<DisableKey>(account, region, Some(name), body(json!({})))
                .map_err(here("enabled"))?;
        }
        self.seeded.keys += 1;
        self.seeded.made.push(name.to_string());
        Ok(())
    }

    fn alias(
        &mut self,
        account: &AccountId,
        region: &Region,
        alias: &str,
        key: &str,
    ) -> Result<(), KmsError> {
        let target = self.named(account, region, key)?;
        if let Some(alias_name) = AliasName::parse(alias) {
            self.rest_on(Name::Alias(account.clone(), region.clone(), alias_name.clone()));
            let found = self
                .engine
                .store()
                .alias(account, region, &alias_name)
                .map_err(KmsError::internal)?;
            if let Some(found) = found {
                let differs = (found.target != target).then_some("its key");
                return self.there_already(&alias_name.arn(account, region), differs);
            }
            if self.proposal(&Name::Alias(account.clone(), region.clone(), alias_name)).is_some() {
                return Err(KmsError::validation(format!("{alias} stands twice in the file")));
            }
        }
        let body = json!({"AliasName": alias, "TargetKeyId": target.to_string()});
        self.run::<CreateAlias>(account, region, Some(&target), body)?;
        self.seeded.aliases += 1;
        self.seeded.made.push(format!("arn:{}:kms:{region}:{account}:{alias}", region.partition()));
        Ok(())
    }

    fn grant(&mut self, grant: &Grant) -> Result<(), KmsError> {
        let (account, region) = self.home(grant.account.as_ref(), grant.region.as_deref())?;
        let key = self.named(&account, &region, &grant.key)?;
        if self.has_grant(grant, &key)? {
            self.seeded.kept += 1;
            return Ok(());
        }
        let Constraints { encryption_context_equals, encryption_context_subset, source_arn } =
            &grant.constraints;
        let mut constraints = Map::new();
        let mut constrain = |name: &str, value: Option<Value>| {
            value.map(|value| constraints.insert(name.to_owned(), value))
        };
        constrain(
            "EncryptionContextEquals",
            encryption_context_equals.as_ref().map(|pairs| json!(pairs)),
        );
        constrain(
            "EncryptionContextSubset",
            encryption_context_subset.as_ref().map(|pairs| json!(pairs)),
        );
        constrain("SourceArn", source_arn.as_ref().map(|arn| json!(arn)));
        let mut body = json!({
            "KeyId": key.to_string(),
            "GranteePrincipal": grant.grantee,
            "Operations": grant.operations,
        });
        if let Some(body) = body.as_object_mut() {
            body.extend(
                grant.retiring.iter().map(|arn| ("RetiringPrincipal".to_owned(), json!(arn))),
            );
            body.extend(grant.name.iter().map(|name| ("Name".to_owned(), json!(name))));
            if !constraints.is_empty() {
                body.insert("Constraints".to_owned(), constraints.into());
            }
        }
        self.run::<CreateGrant>(&account, &region, Some(&key), body)?;
        self.seeded.grants += 1;
        self.seeded.made.push(format!("{key} grant to {}", grant.grantee));
        Ok(())
    }

    /// Whether the same grant exists. Grants have no name of their own, so the same one twice is one.
    fn has_grant(&mut self, wanted: &Grant, key: &KeyName) -> Result<bool, KmsError> {
        self.rest_on(Name::Grants(key.clone()));
        let stored = self
            .engine
            .store()
            .grant_candidates(key, &[&wanted.grantee])
            .map_err(KmsError::internal)?;
        let same = |grant: &GrantRecord| {
            let Constraints { encryption_context_equals, encryption_context_subset, source_arn } =
                &wanted.constraints;
            grant.key == *key
                && grant.grantee == Grantee::Principal(wanted.grantee.clone())
                && grant.operations == wanted.operations
                && grant.name == wanted.name
                && grant.retiring == wanted.retiring.clone().map(Grantee::Principal)
                && grant.constraints.encryption_context_equals == *encryption_context_equals
                && grant.constraints.encryption_context_subset == *encryption_context_subset
                && grant.constraints.source_arn == *source_arn
        };
        let proposed = self.proposed.changes.iter().any(|change| {
            matches!(change, keyward_types::Change::Put(record) if matches!(&**record, Record::Grant(grant) if same(grant)))
        });
        Ok(proposed || stored.iter().any(|grant| same(grant)))
    }

    /// The key that the file means by an id, ARN or alias.
    fn named(
        &mut self,
        account: &AccountId,
        region: &Region,
        text: &str,
    ) -> Result<KeyName, KmsError> {
        let name = match KeyRef::parse(text) {
            KeyRef::Id(key_id) => {
                KeyName { account: account.clone(), region: region.clone(), key_id }
            }
            KeyRef::Arn(name) => name,
            KeyRef::Alias(alias) => self.target(account, region, &alias)?,
            KeyRef::AliasArn { account, region, name } => self.target(&account, &region, &name)?,
            KeyRef::Malformed(text) => return Err(crate::wording::invalid_key_id(&text)),
        };
        match self.find(&name)? {
            Some(_) => Ok(name),
            None => Err(crate::wording::no_such_key(&name)),
        }
    }

    fn target(
        &mut self,
        account: &AccountId,
        region: &Region,
        alias: &AliasName,
    ) -> Result<KeyName, KmsError> {
        let name = Name::Alias(account.clone(), region.clone(), alias.clone());
        self.rest_on(name.clone());
        if let Some(Record::Alias(found)) = self.proposal(&name) {
            return Ok(found.target.clone());
        }
        let found =
            self.engine.store().alias(account, region, alias).map_err(KmsError::internal)?;
        found
            .map(|found| found.target.clone())
            .ok_or_else(|| crate::wording::no_such_alias(account, region, alias))
    }

    /// A key as it will be.
    fn find(&mut self, name: &KeyName) -> Result<Option<Arc<KeyRecord>>, KmsError> {
        self.rest_on(Name::Key(name.clone()));
        if let Some(Record::Key(key)) = self.proposal(&Name::Key(name.clone())) {
            return Ok(Some(Arc::new(key.clone())));
        }
        self.engine.store().key(name).map_err(KmsError::internal)
    }

    pub(super) fn proposal(&self, name: &Name) -> Option<&Record> {
        self.proposed.record(name).flatten()
    }

    pub(super) fn rest_on(&mut self, name: Name) {
        self.proposed.rested_on.push(name);
    }

    pub(super) fn run<O: Operation>(
        &mut self,
        account: &AccountId,
        region: &Region,
        key: Option<&KeyName>,
        body: Value,
    ) -> Result<(), KmsError> {
        self.run_preset::<O>(account, region, key, body, Preset::default())
    }

    /// Runs an operation as the pipeline does, but for the decision: the file is the operator's.
    fn run_preset<O: Operation>(
        &mut self,
        account: &AccountId,
        region: &Region,
        key: Option<&KeyName>,
        body: Value,
        preset: Preset,
    ) -> Result<(), KmsError> {
        let Value::Object(body) = body else {
            return Err(KmsError::internal("a seed's request is an object"));
        };
        let body: Map<String, Value> =
            body.into_iter().filter(|(_, value)| !value.is_null()).collect();
        shape::check(O::SPEC.members, &body)?;
        let input: O::Input =
            serde_json::from_value(Value::Object(body.clone())).map_err(KmsError::internal)?;
        O::targets(&input)?;
        let mut keys = Vec::new();
        if let Some(name) = key {
            let record = self.find(name)?.ok_or_else(|| crate::wording::no_such_key(name))?;
            let state = record.state;
            let found = FoundKey::plain(record, state);
            fitness::check(&O::SPEC, &found)?;
            keys.push(found);
        }
        let (engine, caller) = (Arc::clone(self.engine), self.caller(account, region));
        let mut call = Call::new(&engine, &caller, O::SPEC.name, &keys, self.now);
        call.preset = preset;
        call.proposed = std::mem::take(&mut self.proposed);
        let outcome = O::run(&mut call, &input).map(|output| O::response_elements(&call, &output));
        self.proposed = call.proposed;
        let resources = std::mem::take(&mut self.proposed.resources);
        let elements = outcome?;
        let resources =
            keys.iter().map(|found| found.record.name.to_string()).chain(resources).collect();
        self.record(&O::SPEC, &caller, &body, elements, resources);
        Ok(())
    }

    fn record(
        &mut self,
        spec: &'static Spec,
        caller: &Caller,
        body: &Map<String, Value>,
        elements: Option<Value>,
        resources: Vec<String>,
    ) {
        let mut trace = Trace { response_elements: elements, ..Trace::default() };
        trace.parameters(spec, body);
        trace.additional = std::mem::take(&mut self.proposed.additional);
        trace.additional.insert("origin".to_owned(), "seed".into());
        resources.iter().for_each(|arn| trace.resource(arn));
        let events = trace.events(self.engine, spec, caller, self.engine.fresh_id(), None);
        self.events.extend(events);
    }

    /// The service itself, acting in an account and Region.
    pub(super) fn caller(&self, account: &AccountId, region: &Region) -> Arc<Caller> {
        Arc::new(Caller {
            kind: CallerKind::Service { name: keyward_trail::INTERNAL.to_owned() },
            account: account.clone(),
            arn: String::new(),
            principal_arn: String::new(),
            user_id: String::new(),
            access_key_id: String::new(),
            tags: BTreeMap::new(),
            transitive_tags: Default::default(),
            issued: None,
            mfa: None,
            source_identity: None,
            session_policies: Vec::new(),
            origin: Origin {
                request_id: self.engine.fresh_id(),
                source_ip: String::new(),
                user_agent: String::new(),
                region: region.clone(),
                secure_transport: false,
                host: String::new(),
                trusted_facts: BTreeMap::new(),
            },
        })
    }
}

pub(super) fn tag_list(tags: &BTreeMap<String, String>, key: &str, value: &str) -> Value {
    tags.iter().map(|(name, text)| json!({key: name, value: text})).collect()
}

fn material(text: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
    STANDARD
        .decode(text.trim())
        .map(Zeroizing::new)
        .map_err(|_| KmsError::validation("material is base64 text"))
}

/// Roles that name no other role of the file first, so that a trusted role exists before the one that trusts it.
/// Two roles that trust each other cannot be made in one request either.
fn in_order_of_trust(roles: &[Role]) -> Vec<(usize, &Role)> {
    let mut waiting: Vec<(usize, &Role, String)> =
        roles.iter().enumerate().map(|(i, role)| (i, role, role.trust.text())).collect();
    let mut ordered = Vec::with_capacity(roles.len());
    while !waiting.is_empty() {
        let names: Vec<String> = waiting
            .iter()
            .map(|(_, role, _)| format!("role{}{}\"", role.path, role.name))
            .collect();
        let free = waiting.iter().enumerate().position(|(at, (_, _, trust))| {
            names
                .iter()
                .enumerate()
                .all(|(other, name)| other == at || !trust.contains(name.as_str()))
        });
        let (i, role, _) = waiting.remove(free.unwrap_or(0));
        ordered.push((i, role));
    }
    ordered
}

pub(super) fn policies_differ(
    wanted: &BTreeMap<String, Policy>,
    found: &BTreeMap<String, Document>,
) -> bool {
    wanted.len() != found.len()
        || !wanted
            .iter()
            .all(|(name, policy)| found.get(name).is_some_and(|document| policy.is(document)))
}

fn user_differs(wanted: &User, found: &UserRecord) -> Option<&'static str> {
    first(&[
        ("path", wanted.path != found.path),
        ("tags", wanted.tags != found.tags),
        ("policies", policies_differ(&wanted.policies, &found.policies)),
        ("attached", wanted.attached != found.attached),
        ("groups", wanted.groups != found.groups),
        ("boundary", wanted.boundary != found.boundary),
    ])
}

fn role_differs(wanted: &Role, found: &RoleRecord) -> Option<&'static str> {
    first(&[
        ("path", wanted.path != found.path),
        ("description", wanted.description != found.description),
        ("trust", !wanted.trust.is(&found.trust)),
        (
            "maxSessionSeconds",
            wanted.max_session_seconds.unwrap_or(3_600) != found.max_session_seconds,
        ),
        ("tags", wanted.tags != found.tags),
        ("policies", policies_differ(&wanted.policies, &found.policies)),
        ("attached", wanted.attached != found.attached),
        ("boundary", wanted.boundary != found.boundary),
    ])
}

/// Material is not compared: a key of the same id that was made elsewhere is told apart by its ciphertexts.
fn key_differs(wanted: &Key, found: &KeyRecord) -> Option<&'static str> {
    let enabled = found.state != KeyState::Disabled;
    first(&[
        ("spec", wanted.spec.unwrap_or(KeySpec::SymmetricDefault) != found.spec),
        ("usage", wanted.usage.unwrap_or(KeyUsage::EncryptDecrypt) != found.usage),
        ("description", wanted.description != found.description),
        ("policy", wanted.policy.as_ref().is_some_and(|policy| !policy.is(&found.policy))),
        ("tags", wanted.tags != found.tags),
        ("enabled", wanted.enabled != enabled),
        (
            "rotationDays",
            wanted.rotation_days != found.rotation.enabled.then_some(found.rotation.period_days),
        ),
    ])
}

pub(super) fn first(members: &[(&'static str, bool)]) -> Option<&'static str> {
    members.iter().find(|(_, differs)| *differs).map(|(member, _)| *member)
}
