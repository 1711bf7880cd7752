//! `GetAccountSummary` <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountSummary.html>

use super::identity_prelude::*;

pub(crate) struct GetAccountSummary;

#[derive(Deserialize)]
pub(crate) struct Input {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    summary_map: BTreeMap<&'static str, usize>,
}

impl Operation for GetAccountSummary {
    const SPEC: Spec = iam_read("GetAccountSummary", "GET", "/v1/account/summary", &[]);
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, _input: &Input) -> Result<Output, KmsError> {
        let (store, account) = (call.store(), &call.caller().account);
        let internal = KmsError::internal;
        let own_policies =
            store.managed_policies(account, "/", None, usize::MAX).map_err(internal)?;
        let devices = store.mfa_devices(account).map_err(internal)?;
        let of_root = store.mfa_devices_of(account, "").map_err(internal)?;
        let root_keys = store.access_keys_of(account, None).map_err(internal)?;
        let mut summary_map = BTreeMap::from(QUOTAS);
        summary_map.extend([
            ("Users", store.users(account, "/", None, usize::MAX).map_err(internal)?.len()),
            ("Groups", store.groups(account, "/", None, usize::MAX).map_err(internal)?.len()),
            ("Roles", store.roles(account, "/", None, usize::MAX).map_err(internal)?.len()),
            ("Policies", own_policies.len()),
            ("PolicyVersionsInUse", own_policies.iter().map(|policy| policy.versions.len()).sum()),
            ("MFADevices", devices.len()),
            ("MFADevicesInUse", devices.iter().filter(|device| device.user.is_some()).count()),
            ("AccountMFAEnabled", usize::from(!of_root.is_empty())),
            ("AccountAccessKeysPresent", usize::from(!root_keys.is_empty())),
        ]);
        Ok(Output { summary_map })
    }
}

/// The quotas that hold here. How many users, groups, roles and policies there may be is not limited.
const QUOTAS: [(&str, usize); 11] = [
    ("AccessKeysPerUserQuota", limits::ACCESS_KEYS_PER_USER_MAX),
    ("AssumeRolePolicySizeQuota", limits::TRUST_POLICY_CHARS_MAX),
    ("AttachedPoliciesPerGroupQuota", limits::ATTACHED_POLICIES_MAX),
    ("AttachedPoliciesPerRoleQuota", limits::ATTACHED_POLICIES_MAX),
    ("AttachedPoliciesPerUserQuota", limits::ATTACHED_POLICIES_MAX),
    ("GroupPolicySizeQuota", GroupRecord::INLINE_CHARS_MAX),
    ("GroupsPerUserQuota", limits::GROUPS_PER_USER_MAX),
    ("PolicySizeQuota", limits::MANAGED_POLICY_CHARS_MAX),
    ("RolePolicySizeQuota", RoleRecord::INLINE_CHARS_MAX),
    ("UserPolicySizeQuota", UserRecord::INLINE_CHARS_MAX),
    ("VersionsPerPolicyQuota", limits::POLICY_VERSIONS_MAX),
];
