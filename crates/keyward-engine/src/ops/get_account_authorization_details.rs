//! `GetAccountAuthorizationDetails` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

use super::identity_prelude::*;

pub(crate) struct GetAccountAuthorizationDetails;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    #[serde(default)]
    filter: Vec<String>,
    #[serde(flatten)]
    page: PageInput,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    user_detail_list: Vec<UserDetail>,
    group_detail_list: Vec<GroupDetail>,
    role_detail_list: Vec<RoleDetail>,
    policies: Vec<PolicyDetail>,
    #[serde(flatten)]
    page: IamPage,
}

impl Operation for GetAccountAuthorizationDetails {
    const SPEC: Spec = iam_read(
        "GetAccountAuthorizationDetails",
        "GET",
        "/v1/account/authorization-details",
        &[
            optional("Filter", Kind::List { of: &ENTITY_TYPE, min: 0, max: usize::MAX }),
            MAX_ITEMS,
            IAM_MARKER,
        ],
    );
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let all = input.all(call)?;
        let (some, page) =
            input.page.cut(call, "authorization-details", all, |(place, _)| place.clone())?;
        let mut output = Output {
            user_detail_list: Vec::new(),
            group_detail_list: Vec::new(),
            role_detail_list: Vec::new(),
            policies: Vec::new(),
            page,
        };
        for (_, one) in some {
            match one {
                One::User(user) => output.user_detail_list.push(UserDetail::of(&user)),
                One::Group(group) => output.group_detail_list.push(GroupDetail::of(&group)),
                One::Role(role) => output.role_detail_list.push(RoleDetail::of(&role)),
                One::Policy(policy, usage) => output.policies.push(PolicyDetail {
                    policy: policy.listed(usage),
                    policy_version_list: policy.versions(),
                }),
            }
        }
        Ok(output)
    }
}

/// One of the list, which goes over all kinds.
enum One {
    User(Arc<UserRecord>),
    Group(Arc<GroupRecord>),
    Role(Arc<RoleRecord>),
    Policy(Managed, Usage),
}

impl Input {
    fn wants(&self, kind: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|wanted| wanted == kind)
    }

    /// Everything that is wanted, by kind and name. Of AWS's policies, those that are attached.
    fn all(&self, call: &Call<'_>) -> Result<BTreeMap<String, One>, KmsError> {
        let (store, account) = (call.store(), &call.caller().account);
        let mut all = BTreeMap::new();
        if self.wants("User") {
            for user in store.users(account, "/", None, usize::MAX).map_err(KmsError::internal)? {
                all.insert(format!("user/{}", user.name), One::User(user));
            }
        }
        if self.wants("Group") {
            for group in store.groups(account, "/", None, usize::MAX).map_err(KmsError::internal)? {
                all.insert(format!("group/{}", group.name), One::Group(group));
            }
        }
        if self.wants("Role") {
            for role in store.roles(account, "/", None, usize::MAX).map_err(KmsError::internal)? {
                all.insert(format!("role/{}", role.name), One::Role(role));
            }
        }
        for policy in all_policies(call, None, "/")? {
            let usage = usage_of_policy(call, &policy.arn())?;
            let wanted = match policy {
                Managed::Own(_) => self.wants("LocalManagedPolicy"),
                Managed::Aws(_) => {
                    self.wants("AWSManagedPolicy") && 0 < usage.attached + usage.boundary
                }
            };
            if wanted {
                all.insert(format!("policy/{}", policy.arn()), One::Policy(policy, usage));
            }
        }
        Ok(all)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UserDetail {
    #[serde(flatten)]
    user: User,
    user_policy_list: Vec<InlinePolicy>,
    group_list: BTreeSet<String>,
    attached_managed_policies: Vec<AttachedPolicy>,
}

impl UserDetail {
    fn of(user: &UserRecord) -> Self {
        Self {
            user: User::of(user),
            user_policy_list: inline_policies(user),
            group_list: user.groups.clone(),
            attached_managed_policies: attached(user),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GroupDetail {
    #[serde(flatten)]
    group: Group,
    group_policy_list: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
}

impl GroupDetail {
    fn of(group: &GroupRecord) -> Self {
        Self {
            group: Group::of(group),
            group_policy_list: inline_policies(group),
            attached_managed_policies: attached(group),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RoleDetail {
    #[serde(flatten)]
    role: Role,
    role_policy_list: Vec<InlinePolicy>,
    attached_managed_policies: Vec<AttachedPolicy>,
    /// Instance profiles do not exist here.
    instance_profile_list: [(); 0],
}

impl RoleDetail {
    fn of(role: &RoleRecord) -> Self {
        Self {
            role: Role::of(role),
            role_policy_list: inline_policies(role),
            attached_managed_policies: attached(role),
            instance_profile_list: [],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PolicyDetail {
    #[serde(flatten)]
    policy: Policy,
    policy_version_list: Vec<Version>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InlinePolicy {
    policy_name: String,
    /// URL-encoded.
    policy_document: String,
}

fn inline_policies<E: PolicyHolder>(entity: &E) -> Vec<InlinePolicy> {
    let policies = entity.policies().iter();
    policies
        .map(|(name, document)| InlinePolicy {
            policy_name: name.clone(),
            policy_document: url_encoded(document.text()),
        })
        .collect()
}

fn attached<E: PolicyHolder>(entity: &E) -> Vec<AttachedPolicy> {
    entity.attached().iter().map(|arn| AttachedPolicy::of(arn)).collect()
}
