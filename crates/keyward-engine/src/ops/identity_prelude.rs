//! What every IAM and STS operation file starts from: row templates, shapes, sentences, and what users
//! and roles have in common.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>, and IAM's service model
//! (version 2010-05-08) for the constraints.

pub(crate) use super::prelude::*;
pub(crate) use crate::{
    identity::{self, iso},
    principal,
    session::{Holder, Session},
    shape::patterned,
};
use keyward_policy::PolicyError;
use keyward_store::{Store, StoreError};
pub(crate) use keyward_types::{
    AccountId, Caller, CallerKind, Change, RoleRecord, UserRecord, caller::Document,
};
use std::collections::BTreeSet;
pub(crate) use std::{collections::BTreeMap, sync::Arc};
use zeroize::Zeroizing;

/// Errors that every IAM operation may answer.
pub(crate) const IAM_ERRORS: &[ErrorCode] = &[
    ErrorCode::IamNoSuchEntity,
    ErrorCode::IamEntityAlreadyExists,
    ErrorCode::IamDeleteConflict,
    ErrorCode::IamLimitExceeded,
    ErrorCode::IamInvalidInput,
    ErrorCode::IamMalformedPolicyDocument,
    ErrorCode::Internal,
];

/// A row of IAM.
pub(crate) const fn iam(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        service: Service::Iam,
        states: &[],
        logged: LOGGED,
        errors: IAM_ERRORS,
        ..control(name, verb, path, members)
    }
}

/// A row of IAM that changes nothing.
pub(crate) const fn iam_read(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec { read_only: true, ..iam(name, verb, path, members) }
}

/// A row of STS.
pub(crate) const fn sts(
    name: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec { service: Service::Sts, ..iam_read(name, "POST", path, members) }
}

/// Members that stand in an event. The codes of MFA devices are secrets and are left out.
const LOGGED: &[&str] = &[
    "AccessKeyId",
    "AssumeRolePolicyDocument",
    "Description",
    "DurationSeconds",
    "ExternalId",
    "MaxItems",
    "MaxSessionDuration",
    "Name",
    "Path",
    "PathPrefix",
    "Policy",
    "PolicyArns",
    "PolicyDocument",
    "PolicyName",
    "RoleArn",
    "RoleName",
    "RoleSessionName",
    "SerialNumber",
    "SourceIdentity",
    "Status",
    "TagKeys",
    "Tags",
    "TransitiveTagKeys",
    "UserName",
    "VirtualMFADeviceName",
];

/// IAM's names: letters, digits and `_+=,.@-`.
pub(crate) const fn name_kind(max: usize) -> Kind {
    patterned(1, max, "[\\w+=,.@-]+", |text| only(text, "_+=,.@-"))
}

pub(crate) const USER_NAME: Member = required("UserName", name_kind(128));
pub(crate) const OWN_USER_NAME: Member = optional("UserName", name_kind(128));
pub(crate) const ROLE_NAME: Member = required("RoleName", name_kind(64));
pub(crate) const POLICY_NAME: Member = required("PolicyName", name_kind(128));
pub(crate) const POLICY_DOCUMENT: Member = required("PolicyDocument", POLICY_KIND);
pub(crate) const ACCESS_KEY_ID: Member =
    required("AccessKeyId", patterned(16, 128, "[\\w]+", |text| only(text, "_")));
pub(crate) const PATH: Member =
    optional("Path", patterned(1, 512, "(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)", is_path));
pub(crate) const PATH_PREFIX: Member = optional(
    "PathPrefix",
    patterned(1, 512, "\\u002F[\\u0021-\\u007F]*", |text| {
        text.starts_with('/') && text.chars().all(|c| ('\u{21}'..='\u{7f}').contains(&c))
    }),
);
pub(crate) const ROLE_DESCRIPTION_KIND: Kind =
    patterned(0, 1_000, "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*", |text| {
        text.chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}'))
    });
pub(crate) const PERMISSIONS_BOUNDARY: Member = optional("PermissionsBoundary", text(20, 2_048));
pub(crate) const MAX_ITEMS: Member = optional("MaxItems", Kind::Integer { min: 1, max: 1_000 });
pub(crate) const IAM_MARKER: Member = optional(
    "Marker",
    patterned(1, 320, "[\\u0020-\\u00FF]+", |text| {
        text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))
    }),
);
pub(crate) const IAM_TAGS_KIND: Kind =
    Kind::List { of: &Kind::Structure(IAM_TAG), min: 0, max: 50 };
const IAM_TAG: &[Member] = &[
    required("Key", TAG_KEY_KIND),
    required(
        "Value",
        patterned(0, 256, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", |text| text.chars().all(is_tag_char)),
    ),
];
pub(crate) const TAG_KEY_KIND: Kind =
    patterned(1, 128, "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", |text| text.chars().all(is_tag_char));
pub(crate) const TAG_KEYS: Member =
    required("TagKeys", Kind::List { of: &TAG_KEY_KIND, min: 0, max: 50 });

fn is_path(text: &str) -> bool {
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    text == "/"
        || inner
            .is_some_and(|inner| !inner.is_empty() && inner.chars().all(|c| c.is_ascii_graphic()))
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// A tag as IAM and STS spell it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IamTag {
    pub(crate) key: String,
    pub(crate) value: String,
}

pub(crate) fn iam_tags(tags: &BTreeMap<String, String>) -> Vec<IamTag> {
    tags.iter().map(|(key, value)| IamTag { key: key.clone(), value: value.clone() }).collect()
}

pub(crate) fn iam_tag_map(tags: &[IamTag]) -> BTreeMap<String, String> {
    tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// `aws:RequestTag/*` and `aws:TagKeys`.
pub(crate) fn iam_tag_facts(tags: &[IamTag], facts: &mut Facts<'_>) {
    for tag in tags {
        facts.add(&format!("aws:RequestTag/{}", tag.key), tag.value.as_str());
    }
    if !tags.is_empty() {
        facts.add_many("aws:TagKeys", tags.iter().map(|tag| tag.key.as_str()));
    }
}

/// What IAM and STS demand of tags in one request: no name twice, in any case, and none of AWS's own.
pub(crate) fn check_iam_tags(tags: &[IamTag]) -> Result<(), KmsError> {
    let folded: BTreeSet<String> = tags.iter().map(|tag| tag.key.to_lowercase()).collect();
    if folded.len() < tags.len() {
        return Err(invalid_input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    if folded.iter().any(|key| key.starts_with("aws:")) {
        return Err(invalid_input("Tag keys that start with aws: are reserved"));
    }
    Ok(())
}

/// Refuses a member that names something this service does not have.
pub(crate) fn refuse_member<T>(name: &str, member: Option<&T>) -> Result<(), KmsError> {
    match member {
        Some(_) => Err(invalid_input(format!("{name} is not supported by this service"))),
        None => Ok(()),
    }
}

pub(crate) fn invalid_input(message: impl Into<String>) -> KmsError {
    KmsError::new(ErrorCode::IamInvalidInput, message)
}

pub(crate) fn delete_conflict(first: &str) -> KmsError {
    KmsError::new(
        ErrorCode::IamDeleteConflict,
        format!("Cannot delete entity, must {first} first."),
    )
}

pub(crate) fn no_such_entity(what: &str, by: &str, name: &str) -> KmsError {
    KmsError::new(
        ErrorCode::IamNoSuchEntity,
        format!("The {what} with {by} {name} cannot be found."),
    )
}

/// A document that IAM refuses to keep.
pub(crate) fn malformed(error: PolicyError) -> KmsError {
    KmsError::new(ErrorCode::IamMalformedPolicyDocument, error.to_string())
}

/// What users and roles have in common.
pub(crate) trait Entity: Clone + 'static {
    /// `user` or `role`, as messages say.
    const KIND: &'static str;
    /// Characters of all inline policies, white space not counted.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
    const INLINE_CHARS_MAX: usize;

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
    fn name(&self) -> &str;
    fn policies(&self) -> &BTreeMap<String, Document>;
    fn policies_mut(&mut self) -> &mut BTreeMap<String, Document>;
    fn tags_mut(&mut self) -> &mut BTreeMap<String, String>;
    fn into_record(self) -> Record;
    fn of_record(record: &Record) -> Option<&Self>;
}

macro_rules! entity {
    ($record:ident, $kind:literal, $chars:literal, $load:ident, $list:ident, $name:ident) => {
        impl Entity for $record {
            const KIND: &'static str = $kind;
            const INLINE_CHARS_MAX: usize = $chars;

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
            fn name(&self) -> &str {
                &self.name
            }
            fn policies(&self) -> &BTreeMap<String, Document> {
                &self.policies
            }
            fn policies_mut(&mut self) -> &mut BTreeMap<String, Document> {
                &mut self.policies
            }
            fn tags_mut(&mut self) -> &mut BTreeMap<String, String> {
                &mut self.tags
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
        }
    };
}

entity!(UserRecord, "user", 2_048, user, users, User);
entity!(RoleRecord, "role", 10_240, role, roles, Role);

/// The user or role of this name in the caller's account; the request rests on it.
pub(crate) fn known<E: Entity>(call: &mut Call<'_>, name: &str) -> Result<Arc<E>, KmsError> {
    let account = &call.caller().account;
    call.rest_on(E::record_name(account, name));
    let proposed = call.proposed.record(&E::record_name(account, name));
    let found = match proposed.and_then(|record| record.and_then(E::of_record)) {
        Some(entity) => Some(Arc::new(entity.clone())),
        None => E::load(call.store(), account, name).map_err(KmsError::internal)?,
    };
    found.ok_or_else(|| no_such_entity(E::KIND, "name", name))
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
        return Err(already_exists::<E>(name));
    }
    Ok(())
}

pub(crate) fn already_exists<E: Entity>(name: &str) -> KmsError {
    let (first, rest) = E::KIND.split_at(1);
    KmsError::new(
        ErrorCode::IamEntityAlreadyExists,
        format!("{}{rest} with name {name} already exists.", first.to_ascii_uppercase()),
    )
}

/// Whether a user or role has this name in any case.
pub(crate) fn is_taken<E: Entity>(
    store: &Store,
    account: &AccountId,
    name: &str,
) -> Result<bool, KmsError> {
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

/// Checks an identity policy, and that the entity has room for it.
pub(crate) fn admit_policy<E: Entity>(
    call: &Call<'_>,
    entity: &E,
    policy_name: &str,
    text: &str,
) -> Result<Document, KmsError> {
    check_identity_policy(call, text)?;
    let others = entity
        .policies()
        .iter()
        .filter(|(name, _)| *name != policy_name)
        .map(|(_, document)| document.text());
    if E::INLINE_CHARS_MAX < others.chain([text]).map(counted_chars).sum() {
        return Err(KmsError::new(
            ErrorCode::IamLimitExceeded,
            format!(
                "Maximum policy size of {} bytes exceeded for {} {}",
                E::INLINE_CHARS_MAX,
                E::KIND,
                entity.name()
            ),
        ));
    }
    Ok(Document::new(text))
}

pub(crate) fn check_identity_policy(call: &Call<'_>, text: &str) -> Result<(), KmsError> {
    call.policies().validate_identity_policy(text).map_err(malformed)
}

/// Characters as IAM counts them for its limits.
pub(crate) fn counted_chars(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

pub(crate) fn put_policy<E: Entity>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
    text: &str,
) -> Result<Empty, KmsError> {
    let entity = known::<E>(call, name)?;
    let document = admit_policy(call, &*entity, policy_name, text)?;
    let mut entity = E::clone(&entity);
    entity.policies_mut().insert(policy_name.to_owned(), document);
    call.put(entity.into_record());
    Ok(Empty)
}

pub(crate) fn policy_text<E: Entity>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
) -> Result<String, KmsError> {
    let entity = known::<E>(call, name)?;
    let document = entity.policies().get(policy_name);
    document
        .map(|document| url_encoded(document.text()))
        .ok_or_else(|| no_such_policy::<E>(policy_name))
}

pub(crate) fn delete_policy<E: Entity>(
    call: &mut Call<'_>,
    name: &str,
    policy_name: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    if entity.policies_mut().remove(policy_name).is_none() {
        return Err(no_such_policy::<E>(policy_name));
    }
    call.put(entity.into_record());
    Ok(Empty)
}

fn no_such_policy<E: Entity>(policy_name: &str) -> KmsError {
    no_such_entity(&format!("{} policy", E::KIND), "name", policy_name)
}

/// Tags a user or role. A name that is there already, in any case, is replaced.
pub(crate) fn put_tags<E: Entity>(
    call: &mut Call<'_>,
    name: &str,
    tags: &[IamTag],
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    let all = entity.tags_mut();
    all.retain(|key, _| !tags.iter().any(|tag| tag.key.to_lowercase() == key.to_lowercase()));
    all.extend(iam_tag_map(tags));
    check_tag_count(all.len())?;
    call.put(entity.into_record());
    Ok(Empty)
}

pub(crate) fn check_tag_count(count: usize) -> Result<(), KmsError> {
    if 50 < count {
        return Err(KmsError::new(
            ErrorCode::IamLimitExceeded,
            "The number of tags has reached the maximum limit.",
        ));
    }
    Ok(())
}

pub(crate) fn remove_tags<E: Entity>(
    call: &mut Call<'_>,
    name: &str,
    keys: &[String],
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    entity
        .tags_mut()
        .retain(|key, _| !keys.iter().any(|gone| gone.to_lowercase() == key.to_lowercase()));
    call.put(entity.into_record());
    Ok(Empty)
}

/// The part of an IAM answer that says whether there is more.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IamPage {
    pub(crate) is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
}

/// Where a page starts, and how long it is: 100 items unless the request says otherwise.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PageInput {
    max_items: Option<usize>,
    marker: Option<String>,
}

impl PageInput {
    pub(crate) fn limit(&self) -> usize {
        self.max_items.unwrap_or(100)
    }

    /// The name of the last item of the page before.
    pub(crate) fn after(&self, call: &Call<'_>, list: &str) -> Result<Option<String>, KmsError> {
        let open = |marker: &String| {
            call.open_marker(list, marker)
                .map_err(|_| KmsError::new(ErrorCode::IamValidationError, "Invalid Marker"))
        };
        self.marker.as_ref().map(open).transpose()
    }

    /// The page of a list that is short enough to be at hand as a whole, in the order of its names.
    pub(crate) fn cut<T>(
        &self,
        call: &mut Call<'_>,
        list: &str,
        items: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, IamPage), KmsError> {
        let after = self.after(call, list)?;
        let rest =
            items.into_iter().filter(|item| after.as_ref().is_none_or(|after| *after < name(item)));
        let some: Vec<T> = rest.take(self.limit() + 1).collect();
        iam_page(call, list, some, self.limit(), name)
    }
}

/// Cuts `items`, of which one more than `limit` was read, and makes the marker of the next page.
pub(crate) fn iam_page<T>(
    call: &mut Call<'_>,
    list: &str,
    items: Vec<T>,
    limit: usize,
    name: impl Fn(&T) -> String,
) -> Result<(Vec<T>, IamPage), KmsError> {
    let (items, page) = page(call, list, items, limit, name)?;
    Ok((items, IamPage { is_truncated: page.truncated, marker: page.next_marker }))
}

/// A page of users or roles, in the order of names, of those whose path starts with the prefix.
pub(crate) fn entities<E: Entity>(
    call: &mut Call<'_>,
    list: &str,
    input: &PageInput,
    path_prefix: Option<&str>,
) -> Result<(Vec<Arc<E>>, IamPage), KmsError> {
    let limit = input.limit();
    let after = input.after(call, list)?;
    let chosen = E::list(
        call.store(),
        &call.caller().account,
        path_prefix.unwrap_or("/"),
        after.as_deref(),
        limit + 1,
    );
    let chosen = chosen.map_err(KmsError::internal)?;
    iam_page(call, list, chosen, limit, |entity| entity.name().to_owned())
}

/// A user as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct User {
    path: String,
    /// The root user has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    user_id: String,
    arn: String,
    create_date: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<IamTag>,
}

impl User {
    /// Lists leave tags out.
    pub(crate) fn listed(user: &UserRecord) -> Self {
        Self {
            path: user.path.clone(),
            user_name: Some(user.name.clone()),
            user_id: user.user_id.clone(),
            arn: user.arn(),
            create_date: iso(user.created),
            tags: Vec::new(),
        }
    }

    pub(crate) fn of(user: &UserRecord) -> Self {
        Self { tags: iam_tags(&user.tags), ..Self::listed(user) }
    }

    pub(crate) fn root(account: &AccountId, created: Timestamp) -> Self {
        Self {
            path: "/".to_owned(),
            user_name: None,
            user_id: account.to_string(),
            arn: account.root_arn(),
            create_date: iso(created),
            tags: Vec::new(),
        }
    }
}

/// A role as IAM answers it. The trust policy is URL-encoded, as IAM does.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Role {
    path: String,
    role_name: String,
    role_id: String,
    arn: String,
    create_date: String,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    max_session_duration: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<IamTag>,
}

impl Role {
    /// Lists leave tags out.
    pub(crate) fn listed(role: &RoleRecord) -> Self {
        Self {
            path: role.path.clone(),
            role_name: role.name.clone(),
            role_id: role.role_id.clone(),
            arn: role.arn(),
            create_date: iso(role.created),
            assume_role_policy_document: url_encoded(role.trust.text()),
            description: role.description.clone(),
            max_session_duration: role.max_session_seconds,
            tags: Vec::new(),
        }
    }

    pub(crate) fn of(role: &RoleRecord) -> Self {
        Self { tags: iam_tags(&role.tags), ..Self::listed(role) }
    }
}

/// Everything but RFC 3986's unreserved characters is escaped.
pub(crate) fn url_encoded(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

/// An answer's members as CloudTrail spells them. Only for answers without secrets.
pub(crate) fn elements<T: Serialize>(output: &T) -> Option<Value> {
    serde_json::to_value(output).ok().map(lower_camel_all)
}

fn lower_camel_all(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (keyward_trail::lower_camel(&name), lower_camel_all(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(lower_camel_all).collect(),
        other => other,
    }
}

/// Temporary credentials, and with [`secret`] the only way in which their secret leaves.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    #[serde(serialize_with = "secret")]
    pub(crate) secret_access_key: Zeroizing<String>,
    #[serde(serialize_with = "secret")]
    pub(crate) session_token: Zeroizing<String>,
    pub(crate) expiration: String,
}

impl Credentials {
    /// Draws a key, fills it into the session and seals that. The caller has filled in the rest.
    pub(crate) fn issue(call: &mut Call<'_>, mut session: Session) -> Result<Self, KmsError> {
        let engine = call.engine();
        session.access_key_id = identity::access_key_id("ASIA", call.generator());
        session.secret = identity::secret_access_key(call.generator()).to_string();
        let token = engine.seal_session(&session, call.generator())?;
        Ok(Self {
            access_key_id: session.access_key_id.clone(),
            secret_access_key: Zeroizing::new(std::mem::take(&mut session.secret)),
            session_token: Zeroizing::new(token),
            expiration: iso(session.expires),
        })
    }

    /// What an event may say of them.
    pub(crate) fn element(&self) -> Value {
        json!({"accessKeyId": self.access_key_id, "expiration": self.expiration})
    }
}

/// Writes a secret into an answer.
pub(crate) fn secret<S: serde::Serializer>(
    text: &Zeroizing<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// The parts of a role's trust policy that a record keeps: the document, and who its ARNs meant.
pub(crate) struct Trust {
    pub(crate) document: Document,
    pub(crate) principals: BTreeMap<String, String>,
}

/// Characters of a trust policy, white space not counted.
const TRUST_CHARS_MAX: usize = 2_048;

/// Checks a trust policy: its form, its size, and that the users and roles it names exist.
/// The request rests on those.
pub(crate) fn admit_trust(call: &mut Call<'_>, text: &str) -> Result<Trust, KmsError> {
    let named = call.policies().validate_trust_policy(text).map_err(malformed)?;
    if TRUST_CHARS_MAX < counted_chars(text) {
        return Err(KmsError::new(
            ErrorCode::IamLimitExceeded,
            format!("Cannot exceed quota for ACLSizePerRole: {TRUST_CHARS_MAX}"),
        ));
    }
    let mut principals = BTreeMap::new();
    for arn in named.arns {
        let known = principal::look_up(call, &arn)?.ok_or_else(|| {
            KmsError::new(
                ErrorCode::IamMalformedPolicyDocument,
                format!("Invalid principal in policy: \"AWS\":\"{arn}\""),
            )
        })?;
        principals.extend(known.unique_id.map(|id| (arn, id)));
    }
    Ok(Trust { document: Document::new(text), principals })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_names_and_tags_follow_iam_patterns() {
        for (path, fits) in [
            ("/", true),
            ("/a/", true),
            ("/a/b/", true),
            ("", false),
            ("a/", false),
            ("/a", false),
            ("/a b/", false),
        ] {
            assert_eq!(is_path(path), fits, "{path}");
        }
        assert!("Größe 1/2 + a@b:c=d_e-f.g".chars().all(is_tag_char));
        assert!(!"a;b".chars().all(is_tag_char) && !"a\nb".chars().all(is_tag_char));
    }

    #[test]
    fn white_space_does_not_count_and_documents_are_encoded_whole() {
        assert_eq!(counted_chars("{ \"a\" :\n1 }"), 7);
        assert_eq!(url_encoded("{\"A\": \"x/*-_.~\"}"), "%7B%22A%22%3A%20%22x%2F%2A-_.~%22%7D");
    }

    #[test]
    fn tags_that_differ_by_case_are_one() {
        let tag = |key: &str| IamTag { key: key.to_owned(), value: String::new() };
        assert!(check_iam_tags(&[tag("a"), tag("b")]).is_ok());
        assert!(check_iam_tags(&[tag("a"), tag("A")]).is_err());
        assert!(check_iam_tags(&[tag("AWS:x")]).is_err());
    }
}
