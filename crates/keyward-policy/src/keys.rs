//! TABLE: every condition key, its shape, and where its value comes from.
//!
//! Three kinds of source. Derived: follows from the caller and the resource, by the function in the row.
//! Stated: the engine states it in [`Facts`](crate::Facts), because only the operation knows it.
//! Front's: a front that configuration trusts states it (`Origin::trusted_facts`); of a service that calls, its
//! own signed headers do. Several values of one key are separated by commas.
//! A stated fact wins over a derived one.
//!
//! Key names compare without case, the part after the last fixed word included.
//! Presence follows AWS: `aws:username` for users alone, `aws:TokenIssueTime` and
//! `aws:MultiFactorAuthPresent` for temporary credentials alone, `aws:SourceIp` not through an endpoint.
//!
//! INVARIANT: what is not in the table under `aws:` or `kms:` is unknown, and a policy that uses it is refused.
//! INVARIANT: what follows from the caller, the resource or the request is never read from a front's statements.
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>

use crate::{
    facts::Values,
    front::{
        ATTESTATION, CALLED_VIA, by_front, grant_is_for_aws_resource, trusted, trusted_list,
        via_service,
    },
    question::{Question, Resource},
};
use keyward_types::CallerKind;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// What a key's value is, beyond text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Time,
    /// A time that is also a number: seconds since 1970.
    Epoch,
    Ip,
}

/// The value of a key in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen<'q> {
    One(Cow<'q, str>),
    Many(Vec<Cow<'q, str>>),
}

pub(crate) type Derive = for<'q> fn(&Question<'q>) -> Option<Seen<'q>>;

/// One condition key.
pub(crate) struct KeyRow {
    /// In lower case: the name of the context attribute in Cedar.
    pub(crate) name: &'static str,
    pub(crate) many: bool,
    pub(crate) kind: Kind,
    /// Whether a front may state it. Where it is derived all the same, the function says how.
    pub(crate) front: bool,
    pub(crate) derive: Option<Derive>,
}

const fn row(name: &'static str, kind: Kind) -> KeyRow {
    KeyRow { name, many: false, kind, front: false, derive: None }
}

const fn front(row: KeyRow) -> KeyRow {
    KeyRow { front: true, ..row }
}

const fn text(name: &'static str) -> KeyRow {
    row(name, Kind::Text)
}

const fn many(name: &'static str) -> KeyRow {
    KeyRow { many: true, ..text(name) }
}

const fn derived(name: &'static str, derive: Derive) -> KeyRow {
    KeyRow { derive: Some(derive), ..text(name) }
}

/// Every key with a fixed name, sorted by name.
pub(crate) const KEYS: &[KeyRow] = &[
    text("aws:assumedroot"),
    front(many("aws:calledvia")),
    many("aws:calledviaawsmcp"),
    front(derived("aws:calledviafirst", |q| {
        trusted(q, "aws:calledviafirst").or_else(|| trusted_list(q, CALLED_VIA).next()).map(one)
    })),
    front(derived("aws:calledvialast", |q| {
        trusted(q, "aws:calledvialast").or_else(|| trusted_list(q, CALLED_VIA).last()).map(one)
    })),
    text("aws:chatbotsourcearn"),
    row("aws:currenttime", Kind::Time),
    front(text("aws:ec2instancesourceprivateipv4")),
    front(text("aws:ec2instancesourcevpc")),
    row("aws:epochtime", Kind::Epoch),
    text("aws:federatedprovider"),
    text("aws:ismcpserviceaction"),
    KeyRow { kind: Kind::Number, ..derived("aws:multifactorauthage", mfa_age) },
    derived("aws:multifactorauthpresent", |q| q.caller.mfa.map(flag)),
    derived("aws:principalaccount", |q| human(q).then(|| one(q.caller.account.as_str()))),
    derived("aws:principalarn", |q| human(q).then(|| one(&q.caller.principal_arn))),
    derived("aws:principalisawsservice", |q| Some(flag(q.is_service()))),
    text("aws:principalorgid"),
    text("aws:principalorgmasteraccountid"),
    many("aws:principalorgpaths"),
    derived("aws:principalservicename", |q| match &q.caller.kind {
        CallerKind::Service { name } => Some(one(name)),
        _ => None,
    }),
    KeyRow {
        many: true,
        ..derived("aws:principalservicenameslist", |q| match &q.caller.kind {
            CallerKind::Service { name } => Some(one(name)),
            _ => None,
        })
    },
    derived("aws:principaltype", principal_type),
    front(text("aws:referer")),
    derived("aws:requestedregion", |q| Some(one(q.caller.origin.region.as_str()))),
    derived("aws:resourceaccount", |q| q.resource.account().map(one)),
    text("aws:resourceorgid"),
    many("aws:resourceorgpaths"),
    derived("aws:securetransport", |q| Some(flag(q.caller.origin.secure_transport))),
    text("aws:signinsessionarn"),
    front(text("aws:sourceaccount")),
    front(text("aws:sourcearn")),
    derived("aws:sourceidentity", |q| q.caller.source_identity.as_deref().map(one)),
    KeyRow { kind: Kind::Ip, ..derived("aws:sourceip", source_ip) },
    front(text("aws:sourceorgid")),
    front(many("aws:sourceorgpaths")),
    front(text("aws:sourcevpc")),
    text("aws:sourcevpcarn"),
    front(text("aws:sourcevpce")),
    many("aws:tagkeys"),
    KeyRow {
        kind: Kind::Time,
        ..derived("aws:tokenissuetime", |q| {
            let issued = chrono::DateTime::from_timestamp(q.caller.issued?.seconds(), 0)?;
            Some(Seen::One(issued.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into()))
        })
    },
    derived("aws:useragent", |q| {
        Some(q.caller.origin.user_agent.as_str()).filter(|agent| !agent.is_empty()).map(one)
    }),
    derived("aws:userid", |q| human(q).then(|| one(&q.caller.user_id))),
    derived("aws:username", |q| match &q.caller.kind {
        CallerKind::User { name } => Some(one(name)),
        _ => None,
    }),
    text("aws:viaawsmcpservice"),
    front(derived("aws:viaawsservice", via_service)),
    text("aws:vpceaccount"),
    text("aws:vpceorgid"),
    many("aws:vpceorgpaths"),
    front(row("aws:vpcsourceip", Kind::Ip)),
    text("kms:bypasspolicylockoutsafetycheck"),
    derived("kms:calleraccount", |q| human(q).then(|| one(q.caller.account.as_str()))),
    derived("kms:customermasterkeyspec", key_spec),
    derived("kms:customermasterkeyusage", key_usage),
    text("kms:datakeypairspec"),
    text("kms:encryptionalgorithm"),
    KeyRow { many: true, ..derived("kms:encryptioncontextkeys", context_keys) },
    text("kms:expirationmodel"),
    text("kms:grantconstraintsourcearn"),
    many("kms:grantconstrainttype"),
    text("kms:granteeprincipal"),
    text("kms:granteeserviceprincipal"),
    front(derived("kms:grantisforawsresource", grant_is_for_aws_resource)),
    many("kms:grantoperations"),
    text("kms:keyagreementalgorithm"),
    derived("kms:keyorigin", |q| match q.resource {
        Resource::Key { origin, .. } => Some(one(origin.as_str())),
        _ => None,
    }),
    derived("kms:keyspec", key_spec),
    derived("kms:keyusage", key_usage),
    text("kms:macalgorithm"),
    text("kms:messagetype"),
    derived("kms:multiregion", |q| match q.resource {
        Resource::Key { multi_region, .. } => Some(flag(multi_region)),
        _ => None,
    }),
    text("kms:multiregionkeytype"),
    text("kms:policyname"),
    text("kms:primaryregion"),
    text("kms:reencryptonsamekey"),
    text("kms:replicaregion"),
    text("kms:requestalias"),
    KeyRow { many: true, ..derived(RESOURCE_ALIASES, resource_aliases) },
    text("kms:retiringprincipal"),
    text("kms:retiringserviceprincipal"),
    row("kms:rotationperiodindays", Kind::Number),
    row("kms:schedulekeydeletionpendingwindowindays", Kind::Number),
    text("kms:signingalgorithm"),
    row("kms:trailingdayswithoutkeyusage", Kind::Number),
    row("kms:validto", Kind::Time),
    front(text("kms:viaservice")),
    text("kms:wrappingalgorithm"),
    text("kms:wrappingkeyspec"),
];

/// Present in identity policies alone; a key policy never sees it.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-resource-aliases>
pub(crate) const RESOURCE_ALIASES: &str = "kms:resourcealiases";

/// Keys whose second half the client chooses. In Cedar each is an entity with tags, by lower-cased name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    EncryptionContext,
    PrincipalTag,
    ResourceTag,
    RequestTag,
    /// Other vendors' keys and the attestation keys, by their whole name.
    Other,
}

/// Prefix of the condition key; `Other` takes what nothing else does.
const FAMILIES: &[(Family, &str)] = &[
    (Family::EncryptionContext, "kms:encryptioncontext:"),
    (Family::PrincipalTag, "aws:principaltag/"),
    (Family::ResourceTag, "aws:resourcetag/"),
    (Family::RequestTag, "aws:requesttag/"),
];

/// Where a key's value stands in Cedar's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The row in [`KEYS`].
    Fixed(usize),
    Tag(Family),
}

/// A condition key as a policy names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConditionKey {
    /// In lower case.
    pub(crate) name: String,
    pub(crate) place: Place,
}

impl ConditionKey {
    /// `None` for what is malformed, and for what is unknown under `aws:` and `kms:`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.to_lowercase();
        let (vendor, rest) = name.split_once(':')?;
        let vendor_ok =
            !vendor.is_empty() && vendor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !vendor_ok || rest.is_empty() || rest.contains("${") {
            return None;
        }
        let place = place_of(vendor, &name)?;
        Some(Self { name, place })
    }

    /// The same key where a document of this kind can never see it.
    pub(crate) fn unseen(mut self) -> Self {
        self.name.insert_str(0, "unseen ");
        self.place = Place::Tag(Family::Other);
        self
    }

    pub(crate) fn row(&self) -> Option<&'static KeyRow> {
        match self.place {
            Place::Fixed(row) => KEYS.get(row),
            Place::Tag(_) => None,
        }
    }

    pub(crate) fn is_multivalued(&self) -> bool {
        self.row().is_some_and(|row| row.many)
    }

    /// The name under which a tag entity carries the value.
    pub(crate) fn tag(&self) -> &str {
        let prefix = FAMILIES
            .iter()
            .find(|(family, _)| self.place == Place::Tag(*family))
            .map_or("", |(_, prefix)| prefix);
        self.name.strip_prefix(prefix).unwrap_or(&self.name)
    }
}

fn place_of(vendor: &str, name: &str) -> Option<Place> {
    if let Ok(row) = KEYS.binary_search_by(|row| row.name.cmp(name)) {
        return Some(Place::Fixed(row));
    }
    for (family, prefix) in FAMILIES {
        if let Some(rest) = name.strip_prefix(prefix) {
            return (!rest.is_empty()).then_some(Place::Tag(*family));
        }
    }
    let elsewhere = !matches!(vendor, "aws" | "kms") || name.starts_with(ATTESTATION);
    elsewhere.then_some(Place::Tag(Family::Other))
}

/// The value of `key` in this request; `None` when the key is absent.
///
/// A key that holds one value but was stated with several has no value anyone could rely on: `Err`.
pub(crate) fn look_up<'q>(
    question: &Question<'q>,
    key: &ConditionKey,
) -> Result<Option<Seen<'q>>, String> {
    look_up_at(question, &key.name, key.place, key.tag())
}

/// The value of a key with a fixed name.
pub(crate) fn look_up_row<'q>(
    question: &Question<'q>,
    row: usize,
) -> Result<Option<Seen<'q>>, String> {
    let name = KEYS.get(row).map_or("", |row| row.name);
    look_up_at(question, name, Place::Fixed(row), "")
}

fn look_up_at<'q>(
    question: &Question<'q>,
    name: &str,
    place: Place,
    tag: &str,
) -> Result<Option<Seen<'q>>, String> {
    let seen = match question.facts.stated(name) {
        Some(Values::One(value)) => Some(one(value)),
        Some(Values::Many(values)) => {
            Some(Seen::Many(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect()))
        }
        None => derive(question, place, tag).or_else(|| by_front(question, name, place)),
    };
    let many = matches!(place, Place::Fixed(row) if KEYS.get(row).is_some_and(|row| row.many));
    match seen {
        Some(Seen::One(value)) if many => Ok(Some(Seen::Many(vec![value]))),
        Some(Seen::Many(values)) if !many => match <[_; 1]>::try_from(values) {
            Ok([value]) => Ok(Some(Seen::One(value))),
            Err(values) if values.is_empty() => Ok(None),
            Err(_) => Err(format!("{name} holds one value and was stated with several")),
        },
        other => Ok(other),
    }
}

fn derive<'q>(question: &Question<'q>, place: Place, tag: &str) -> Option<Seen<'q>> {
    match place {
        Place::Fixed(row) => KEYS.get(row)?.derive.and_then(|derive| derive(question)),
        Place::Tag(family) => pairs(question, family)?
            .iter()
            .find(|(name, _)| folds_to(name, tag))
            .map(|(_, value)| one(value)),
    }
}

/// What a family's entity carries, in the client's spelling.
fn pairs<'q>(question: &Question<'q>, family: Family) -> Option<&'q BTreeMap<String, String>> {
    match (family, question.resource) {
        (Family::EncryptionContext, _) => question.facts.context(),
        (Family::PrincipalTag, _) => Some(&question.caller.tags),
        (Family::ResourceTag, Resource::Key { tags, .. }) => Some(tags),
        _ => None,
    }
}

/// Everything of a family that the request carries, by the name under which a tag entity has it.
///
/// What is stated wins over what is derived, and that over what a trusted front states, as in [`look_up`].
pub(crate) fn of_family(
    question: &Question<'_>,
    family: Family,
) -> Result<BTreeMap<String, String>, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs(question, family).into_iter().flatten() {
        found.entry(name.to_lowercase()).or_insert_with(|| value.clone());
    }
    for (name, value) in &question.caller.origin.trusted_facts {
        if let Some(tag) = tag_in(family, name) {
            found.entry(tag.to_owned()).or_insert_with(|| value.clone());
        }
    }
    for (name, values) in question.facts.all() {
        let Some(tag) = tag_in(family, name) else { continue };
        match values {
            Values::One(value) => found.insert(tag.to_owned(), value.clone()),
            Values::Many(values) => match values.as_slice() {
                [] => found.remove(tag),
                [value] => found.insert(tag.to_owned(), value.clone()),
                _ => return Err(format!("{name} holds one value and was stated with several")),
            },
        };
    }
    Ok(found)
}

/// The tag's name, where a key's whole name in lower case is of the family.
fn tag_in(family: Family, name: &str) -> Option<&str> {
    match FAMILIES.iter().find(|(of, _)| *of == family) {
        Some((_, prefix)) => name.strip_prefix(prefix).filter(|tag| !tag.is_empty()),
        None => ConditionKey::parse(name)
            .is_some_and(|key| key.place == Place::Tag(Family::Other))
            .then_some(name),
    }
}

/// Names so few that comparing each with each is quicker than sorting them.
const FEW: usize = 16;

/// Full names, in lower case, of keys that the request carries in two spellings.
///
/// AWS leaves their value undefined. Here a statement that looks at one never allows and always denies.
pub(crate) fn ambiguous_names(question: &Question<'_>) -> BTreeSet<String> {
    let mut ambiguous = question.facts.ambiguous().clone();
    for (family, prefix) in FAMILIES {
        let Some(pairs) = pairs(question, *family) else { continue };
        let alike = |(place, name): (usize, &String)| {
            pairs.keys().skip(place + 1).any(|other| same_folded(name, other))
        };
        if pairs.len() < 2 || pairs.len() <= FEW && !pairs.keys().enumerate().any(alike) {
            continue;
        }
        let mut seen = BTreeSet::new();
        for name in pairs.keys() {
            let folded = name.to_lowercase();
            if !seen.insert(folded.clone()) {
                ambiguous.insert(format!("{prefix}{folded}"));
            }
        }
    }
    ambiguous
}

fn same_folded(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        one.eq_ignore_ascii_case(other)
    } else {
        one.to_lowercase() == other.to_lowercase()
    }
}

/// Whether `name` is `folded` in lower case.
fn folds_to(name: &str, folded: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(folded) } else { name.to_lowercase() == folded }
}

pub(crate) fn one(value: &str) -> Seen<'_> {
    Seen::One(Cow::Borrowed(value))
}

pub(crate) fn flag(value: bool) -> Seen<'static> {
    one(if value { "true" } else { "false" })
}

/// Whether the caller is of an account, rather than a service.
fn human(question: &Question<'_>) -> bool {
    !question.is_service()
}

/// Seconds since MFA was shown, which is when the credentials were issued.
fn mfa_age<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    let issued = question.caller.issued.filter(|_| question.caller.mfa == Some(true))?;
    let Some(Values::One(now)) = question.facts.stated("aws:epochtime") else { return None };
    let age = now.parse::<i64>().ok()?.saturating_sub(issued.seconds());
    Some(Seen::One(age.max(0).to_string().into()))
}

fn principal_type<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    Some(one(match question.caller.kind {
        CallerKind::Root => "Account",
        CallerKind::User { .. } => "User",
        CallerKind::RoleSession { .. } => "AssumedRole",
        CallerKind::Federated { .. } => "FederatedUser",
        CallerKind::Service { .. } => return None,
    }))
}

fn source_ip<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    let endpoint = question.vpc_endpoint.is_some()
        || question.facts.stated("aws:sourcevpce").is_some()
        || trusted(question, "aws:sourcevpce").is_some();
    let address = question.caller.origin.source_ip.as_str();
    (!endpoint && !address.is_empty() && human(question)).then(|| one(address))
}

fn key_spec<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    match question.resource {
        Resource::Key { spec, .. } => Some(one(spec.as_str())),
        _ => None,
    }
}

fn key_usage<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    match question.resource {
        Resource::Key { usage, .. } => Some(one(usage.as_str())),
        _ => None,
    }
}

fn context_keys<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    let names: Vec<Cow<'q, str>> = question
        .facts
        .context()
        .into_iter()
        .flatten()
        .map(|(name, _)| Cow::Borrowed(name.as_str()))
        .collect();
    (!names.is_empty()).then_some(Seen::Many(names))
}

fn resource_aliases<'q>(question: &Question<'q>) -> Option<Seen<'q>> {
    match question.resource {
        Resource::Key { aliases, .. } if !aliases.is_empty() => {
            Some(Seen::Many(aliases.iter().map(|alias| Cow::Borrowed(alias.as_str())).collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_folded_and_without_twins() {
        assert!(KEYS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(
            KEYS.iter().all(|row| row.name == row.name.to_lowercase() && !row.name.contains('#'))
        );
    }

    #[test]
    fn names_are_understood_without_case_and_unknown_ones_refused() {
        let key = ConditionKey::parse("kms:EncryptionContext:aws:s3:ARN").unwrap();
        assert_eq!((key.tag(), key.place), ("aws:s3:arn", Place::Tag(Family::EncryptionContext)));
        assert_eq!(ConditionKey::parse("AWS:ResourceTag/Team").unwrap().tag(), "team");
        assert_eq!(ConditionKey::parse("s3:prefix").unwrap().tag(), "s3:prefix");
        assert!(ConditionKey::parse("kms:GrantOperations").unwrap().is_multivalued());
        for bad in [
            "",
            "nokey",
            ":x",
            "kms:",
            "kms:ViaServices",
            "aws:Unknown",
            "kms:EncryptionContext:",
            "kms:EncryptionContext:${aws:username}",
        ] {
            assert!(ConditionKey::parse(bad).is_none(), "{bad}");
        }
    }
}
