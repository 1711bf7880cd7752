//! Managed policies: found by ARN, attached to users, roles and groups, changed by versions.
//!
//! AWS's own are read and attached, and never changed. A policy of another account is refused in the same words whether or
//! not it is there.
//!
//! INVARIANT: attaching rests on the policy's record, and deleting on [`Name::Attachments`]; of two at once, one
//! is decided again, so that nothing that is attached is ever missing.

use super::*;
use crate::aws_managed::{self, AwsManaged};

/// A managed policy of either kind.
pub(crate) enum Managed {
    Aws(&'static AwsManaged),
    Own(Arc<ManagedPolicyRecord>),
}

/// How many users, roles and groups of the account attach a policy, and how many have it as boundary.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) attached: usize,
    pub(crate) boundary: usize,
}

/// A managed policy as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Policy {
    policy_name: String,
    policy_id: String,
    arn: String,
    path: String,
    default_version_id: String,
    attachment_count: usize,
    permissions_boundary_usage_count: usize,
    is_attachable: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    create_date: String,
    update_date: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<IamTag>,
}

/// A version as IAM answers it. The document is URL-encoded, and left out where it is not asked for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Version {
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    version_id: String,
    is_default_version: bool,
    create_date: String,
}

impl Version {
    pub(crate) fn without_document(self) -> Self {
        Self { document: None, ..self }
    }
}

impl Managed {
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Aws(policy) => policy.arn(),
            Self::Own(policy) => policy.arn(),
        }
    }

    pub(crate) fn answer(&self, usage: Usage) -> Policy {
        match self {
            Self::Aws(policy) => Policy {
                policy_name: policy.name.to_owned(),
                policy_id: policy.policy_id.to_owned(),
                arn: policy.arn(),
                path: "/".to_owned(),
                default_version_id: version_id(1),
                attachment_count: usage.attached,
                permissions_boundary_usage_count: usage.boundary,
                is_attachable: true,
                description: policy.description.to_owned(),
                create_date: iso(aws_managed::CREATED),
                update_date: iso(aws_managed::CREATED),
                tags: Vec::new(),
            },
            Self::Own(policy) => Policy {
                policy_name: policy.name.clone(),
                policy_id: policy.policy_id.clone(),
                arn: policy.arn(),
                path: policy.path.clone(),
                default_version_id: version_id(policy.default_version),
                attachment_count: usage.attached,
                permissions_boundary_usage_count: usage.boundary,
                is_attachable: true,
                description: policy.description.clone(),
                create_date: iso(policy.created),
                update_date: iso(policy.updated),
                tags: iam_tags(&policy.tags),
            },
        }
    }

    /// Lists leave the description and tags out.
    pub(crate) fn listed(&self, usage: Usage) -> Policy {
        Policy { description: String::new(), tags: Vec::new(), ..self.answer(usage) }
    }

    /// Its versions, newest first.
    pub(crate) fn versions(&self) -> Vec<Version> {
        match self {
            Self::Aws(policy) => vec![Version {
                document: Some(url_encoded(policy.document)),
                version_id: version_id(1),
                is_default_version: true,
                create_date: iso(aws_managed::CREATED),
            }],
            Self::Own(policy) => {
                policy.versions.iter().rev().map(|version| of_own(policy, version)).collect()
            }
        }
    }

    pub(crate) fn version(&self, id: &str) -> Result<Version, KmsError> {
        let found = self.versions().into_iter().find(|version| version.version_id == id);
        found.ok_or_else(|| no_such_version(&self.arn(), id))
    }
}

pub(crate) fn of_own(policy: &ManagedPolicyRecord, version: &PolicyVersion) -> Version {
    Version {
        document: Some(url_encoded(version.document.text())),
        version_id: version_id(version.number),
        is_default_version: version.number == policy.default_version,
        create_date: iso(version.created),
    }
}

fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// The number of a version that the policy has.
pub(crate) fn version_number(policy: &ManagedPolicyRecord, id: &str) -> Result<u32, KmsError> {
    let found = policy.versions.iter().find(|version| version_id(version.number) == id);
    found.map(|version| version.number).ok_or_else(|| no_such_version(&policy.arn(), id))
}

fn no_such_version(arn: &str, id: &str) -> KmsError {
    KmsError::new(
        ErrorCode::IamNoSuchEntity,
        format!("Policy {arn} version {id} does not exist or is not attachable."),
    )
}

fn no_such_policy_arn(arn: &str) -> KmsError {
    KmsError::new(ErrorCode::IamNoSuchEntity, format!("Policy {arn} was not found."))
}

/// The target of a request about a managed policy.
pub(crate) fn policy_target(arn: &str) -> Result<Vec<Target<'_>>, KmsError> {
    check_policy_arn(arn)?;
    Ok(vec![Target::of(Subject::ManagedPolicy(arn))])
}

/// Refuses what is no ARN of a managed policy.
pub(crate) fn check_policy_arn(arn: &str) -> Result<(), KmsError> {
    if aws_managed::is_arn(arn) || identity::managed_policy_name(arn).is_some() {
        Ok(())
    } else {
        Err(invalid_input(format!("ARN {arn} is not valid.")))
    }
}

/// The policy of an ARN, AWS's or the account's own; the request rests on it.
pub(crate) fn find_managed(call: &mut Call<'_>, arn: &str) -> Result<Option<Managed>, KmsError> {
    if let Some(policy) = aws_managed::find(arn) {
        return Ok(Some(Managed::Aws(policy)));
    }
    let named = identity::managed_policy_name(arn);
    let Some((account, name)) = named.filter(|(account, _)| *account == call.caller().account)
    else {
        return Ok(None);
    };
    let found = find::<ManagedPolicyRecord>(call, &account, &name)?;
    Ok(found.filter(|policy| policy.arn() == arn).map(Managed::Own))
}

pub(crate) fn managed(call: &mut Call<'_>, arn: &str) -> Result<Managed, KmsError> {
    find_managed(call, arn)?.ok_or_else(|| no_such_policy_arn(arn))
}

/// A policy that the request may change.
pub(crate) fn own_policy(
    call: &mut Call<'_>,
    arn: &str,
) -> Result<Arc<ManagedPolicyRecord>, KmsError> {
    match managed(call, arn)? {
        Managed::Own(policy) => Ok(policy),
        Managed::Aws(_) => Err(invalid_input("Policy is outside your own account.")),
    }
}

/// Checks the document of a managed policy.
pub(crate) fn admit_managed_document(call: &Call<'_>, text: &str) -> Result<Document, KmsError> {
    check_identity_policy(call, text)?;
    if limits::MANAGED_POLICY_CHARS_MAX < counted_chars(text) {
        return Err(over_quota("PolicySize", limits::MANAGED_POLICY_CHARS_MAX));
    }
    Ok(Document::new(text))
}

/// Users, groups and roles of the caller's account that attach a policy, and those that have it as boundary:
/// AWS's own policies are attached in many accounts.
pub(crate) fn users_of_policy(
    call: &Call<'_>,
    arn: &str,
) -> Result<(keyward_store::Identities, keyward_store::Identities), KmsError> {
    let account = &call.caller().account;
    let own = |mut found: keyward_store::Identities| {
        found.users.retain(|user| user.account == *account);
        found.groups.retain(|group| group.account == *account);
        found.roles.retain(|role| role.account == *account);
        found
    };
    let attached = call.store().attachments_of(arn).map_err(KmsError::internal)?;
    let bounded = call.store().bounded_by(arn).map_err(KmsError::internal)?;
    Ok((own(attached), own(bounded)))
}

pub(crate) fn usage_of_policy(call: &Call<'_>, arn: &str) -> Result<Usage, KmsError> {
    let (attached, bounded) = users_of_policy(call, arn)?;
    Ok(Usage { attached: attached.len(), boundary: bounded.len() })
}

/// `iam:PolicyARN`.
pub(crate) fn policy_arn_fact(arn: &str, facts: &mut Facts<'_>) {
    facts.add("iam:PolicyARN", arn);
}

/// Attaches a policy. One that is attached already stays so.
pub(crate) fn attach<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    arn: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    if find_managed(call, arn)?.is_none() {
        return Err(KmsError::new(
            ErrorCode::IamNoSuchEntity,
            format!("Policy {arn} does not exist or is not attachable."),
        ));
    }
    if entity.attached_mut().insert(arn.to_owned()) {
        if limits::ATTACHED_POLICIES_MAX < entity.attached().len() {
            return Err(over_quota(E::ATTACHED_QUOTA, limits::ATTACHED_POLICIES_MAX));
        }
        call.put(entity.into_record());
    }
    Ok(Empty)
}

pub(crate) fn detach<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    arn: &str,
) -> Result<Empty, KmsError> {
    let mut entity = E::clone(&*known::<E>(call, name)?);
    if !entity.attached_mut().remove(arn) {
        return Err(no_such_policy_arn(arn));
    }
    call.put(entity.into_record());
    Ok(Empty)
}

/// An attached policy as IAM answers it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttachedPolicy {
    policy_name: String,
    policy_arn: String,
}

impl AttachedPolicy {
    pub(crate) fn of(arn: &str) -> Self {
        let name = arn.rsplit('/').next().unwrap_or_default();
        Self { policy_name: name.to_owned(), policy_arn: arn.to_owned() }
    }
}

/// The request for a page of what is attached.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttachedInput {
    path_prefix: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer to it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AttachedOutput {
    attached_policies: Vec<AttachedPolicy>,
    #[serde(flatten)]
    page: IamPage,
}

/// A page of what is attached, in the order of ARNs, of those policies whose path starts with the prefix.
pub(crate) fn attached_policies<E: PolicyHolder>(
    call: &mut Call<'_>,
    name: &str,
    input: &AttachedInput,
) -> Result<AttachedOutput, KmsError> {
    let entity = known::<E>(call, name)?;
    let prefix = input.path_prefix.as_deref().unwrap_or("/");
    let fits =
        |arn: &&String| arn.split_once(":policy").is_some_and(|(_, path)| path.starts_with(prefix));
    let attached = entity
        .attached()
        .iter()
        .filter(fits)
        .map(|arn| AttachedPolicy::of(arn))
        .collect::<Vec<_>>();
    let list = format!("attached-{}-policies", E::KIND);
    let (attached_policies, page) =
        input.page.cut(call, &list, attached, |policy| policy.policy_arn.clone())?;
    Ok(AttachedOutput { attached_policies, page })
}

/// Managed policies of a scope (`AWS`, `Local` or both) whose path starts with the prefix.
pub(crate) fn all_policies(
    call: &Call<'_>,
    scope: Option<&str>,
    path_prefix: &str,
) -> Result<Vec<Managed>, KmsError> {
    let mut all = Vec::new();
    if scope != Some("AWS") {
        let account = &call.caller().account;
        let own = call.store().managed_policies(account, path_prefix, None, usize::MAX);
        all.extend(own.map_err(KmsError::internal)?.into_iter().map(Managed::Own));
    }
    if scope != Some("Local") && path_prefix == "/" {
        all.extend(aws_managed::ALL.iter().map(Managed::Aws));
    }
    Ok(all)
}
