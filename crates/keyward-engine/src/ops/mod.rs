//! THE TABLE: every operation that this service answers. Nobody else lists operations.
//!
//! A row makes an operation appear in both doors, in the OpenAPI document, in the metrics' label set and
//! in the tests that compare the table with AWS's service model.

use crate::operation::{AnyOperation, Row, Service};
use core::marker::PhantomData;

mod alert_prelude;
mod analyzer_prelude;
mod data_key;
pub(crate) mod identity_prelude;
pub(crate) mod imported;
mod key_store_prelude;
mod mfa_prelude;
pub(crate) mod organization_prelude;
pub(crate) mod prelude;
pub(crate) mod rotation;
mod session_prelude;
pub(crate) mod shapes;

macro_rules! operations {
    ($($module:ident::$name:ident,)*) => {
        $(mod $module;)*

        /// Every operation, in alphabetical order.
        pub static OPERATIONS: &[&dyn AnyOperation] = &[
            $(&Row::<$module::$name>(PhantomData),)*
        ];
    };
}

operations! {
    ack_alert::AckAlert,
    add_user_to_group::AddUserToGroup,
    assume_role::AssumeRole,
    attach_group_policy::AttachGroupPolicy,
    attach_role_policy::AttachRolePolicy,
    attach_user_policy::AttachUserPolicy,
    can_i::CanI,
    cancel_key_deletion::CancelKeyDeletion,
    check_access_not_granted::CheckAccessNotGranted,
    check_no_new_access::CheckNoNewAccess,
    check_no_public_access::CheckNoPublicAccess,
    connect_custom_key_store::ConnectCustomKeyStore,
    create_access_key::CreateAccessKey,
    create_alert_silence::CreateAlertSilence,
    create_alias::CreateAlias,
    create_custom_key_store::CreateCustomKeyStore,
    create_grant::CreateGrant,
    create_group::CreateGroup,
    create_key::CreateKey,
    create_policy::CreatePolicy,
    create_policy_version::CreatePolicyVersion,
    create_role::CreateRole,
    create_user::CreateUser,
    create_virtual_mfa_device::CreateVirtualMFADevice,
    deactivate_mfa_device::DeactivateMFADevice,
    decapsulate::Decapsulate,
    decrypt::Decrypt,
    delete_access_key::DeleteAccessKey,
    delete_alias::DeleteAlias,
    delete_custom_key_store::DeleteCustomKeyStore,
    delete_group::DeleteGroup,
    delete_group_policy::DeleteGroupPolicy,
    delete_imported_key_material::DeleteImportedKeyMaterial,
    delete_organization::DeleteOrganization,
    delete_policy::DeletePolicy,
    delete_policy_version::DeletePolicyVersion,
    delete_role::DeleteRole,
    delete_role_permissions_boundary::DeleteRolePermissionsBoundary,
    delete_role_policy::DeleteRolePolicy,
    delete_user::DeleteUser,
    delete_user_permissions_boundary::DeleteUserPermissionsBoundary,
    delete_user_policy::DeleteUserPolicy,
    delete_virtual_mfa_device::DeleteVirtualMFADevice,
    delete_vpc_endpoint::DeleteVpcEndpoint,
    derive_shared_secret::DeriveSharedSecret,
    describe_custom_key_stores::DescribeCustomKeyStores,
    describe_key::DescribeKey,
    describe_organization::DescribeOrganization,
    describe_vpc_endpoint::DescribeVpcEndpoint,
    detach_group_policy::DetachGroupPolicy,
    detach_role_policy::DetachRolePolicy,
    detach_user_policy::DetachUserPolicy,
    disable_key::DisableKey,
    disable_key_rotation::DisableKeyRotation,
    disconnect_custom_key_store::DisconnectCustomKeyStore,
    enable_key::EnableKey,
    enable_key_rotation::EnableKeyRotation,
    enable_mfa_device::EnableMFADevice,
    encapsulate::Encapsulate,
    encrypt::Encrypt,
    end_observe_mode::EndObserveMode,
    expire_alert_silence::ExpireAlertSilence,
    find_unused::FindUnused,
    freeze::Freeze,
    generate_data_key::GenerateDataKey,
    generate_data_key_pair::GenerateDataKeyPair,
    generate_data_key_pair_without_plaintext::GenerateDataKeyPairWithoutPlaintext,
    generate_data_key_without_plaintext::GenerateDataKeyWithoutPlaintext,
    generate_mac::GenerateMac,
    generate_policies::GeneratePolicies,
    generate_random::GenerateRandom,
    get_access_key_info::GetAccessKeyInfo,
    get_account_authorization_details::GetAccountAuthorizationDetails,
    get_account_summary::GetAccountSummary,
    get_caller_identity::GetCallerIdentity,
    get_federation_token::GetFederationToken,
    get_group::GetGroup,
    get_group_policy::GetGroupPolicy,
    get_key_last_usage::GetKeyLastUsage,
    get_key_policy::GetKeyPolicy,
    get_key_rotation_status::GetKeyRotationStatus,
    get_observe_report::GetObserveReport,
    get_parameters_for_import::GetParametersForImport,
    get_policy::GetPolicy,
    get_policy_version::GetPolicyVersion,
    get_public_key::GetPublicKey,
    get_role::GetRole,
    get_role_policy::GetRolePolicy,
    get_session_token::GetSessionToken,
    get_user::GetUser,
    get_user_policy::GetUserPolicy,
    import_key_material::ImportKeyMaterial,
    inspect_ciphertext::InspectCiphertext,
    list_access_keys::ListAccessKeys,
    list_aliases::ListAliases,
    list_attached_group_policies::ListAttachedGroupPolicies,
    list_attached_role_policies::ListAttachedRolePolicies,
    list_attached_user_policies::ListAttachedUserPolicies,
    list_entities_for_policy::ListEntitiesForPolicy,
    list_frozen::ListFrozen,
    list_grants::ListGrants,
    list_group_policies::ListGroupPolicies,
    list_groups::ListGroups,
    list_groups_for_user::ListGroupsForUser,
    list_instance_profiles_for_role::ListInstanceProfilesForRole,
    list_key_policies::ListKeyPolicies,
    list_key_rotations::ListKeyRotations,
    list_key_versions::ListKeyVersions,
    list_keys::ListKeys,
    list_mfa_devices::ListMFADevices,
    list_policies::ListPolicies,
    list_policy_tags::ListPolicyTags,
    list_policy_versions::ListPolicyVersions,
    list_resource_tags::ListResourceTags,
    list_retirable_grants::ListRetirableGrants,
    list_role_policies::ListRolePolicies,
    list_role_tags::ListRoleTags,
    list_roles::ListRoles,
    list_user_policies::ListUserPolicies,
    list_user_tags::ListUserTags,
    list_users::ListUsers,
    list_virtual_mfa_devices::ListVirtualMFADevices,
    list_vpc_endpoints::ListVpcEndpoints,
    principal_can::PrincipalCan,
    put_alert_settings::PutAlertSettings,
    put_group_policy::PutGroupPolicy,
    put_key_policy::PutKeyPolicy,
    put_observe_mode::PutObserveMode,
    put_organization::PutOrganization,
    put_role_permissions_boundary::PutRolePermissionsBoundary,
    put_role_policy::PutRolePolicy,
    put_user_permissions_boundary::PutUserPermissionsBoundary,
    put_user_policy::PutUserPolicy,
    put_vpc_endpoint::PutVpcEndpoint,
    re_encrypt::ReEncrypt,
    remove_user_from_group::RemoveUserFromGroup,
    replay_policies::ReplayPolicies,
    replicate_key::ReplicateKey,
    resync_mfa_device::ResyncMFADevice,
    retire_grant::RetireGrant,
    revoke_grant::RevokeGrant,
    rotate_key_on_demand::RotateKeyOnDemand,
    schedule_key_deletion::ScheduleKeyDeletion,
    set_default_policy_version::SetDefaultPolicyVersion,
    sign::Sign,
    simulate::Simulate,
    simulate_custom_policy::SimulateCustomPolicy,
    simulate_principal_policy::SimulatePrincipalPolicy,
    tag_policy::TagPolicy,
    tag_resource::TagResource,
    tag_role::TagRole,
    tag_user::TagUser,
    thaw::Thaw,
    untag_policy::UntagPolicy,
    untag_resource::UntagResource,
    untag_role::UntagRole,
    untag_user::UntagUser,
    update_access_key::UpdateAccessKey,
    update_alias::UpdateAlias,
    update_assume_role_policy::UpdateAssumeRolePolicy,
    update_custom_key_store::UpdateCustomKeyStore,
    update_group::UpdateGroup,
    update_key_description::UpdateKeyDescription,
    update_primary_region::UpdatePrimaryRegion,
    update_role::UpdateRole,
    update_role_description::UpdateRoleDescription,
    update_user::UpdateUser,
    validate_policy::ValidatePolicy,
    verify::Verify,
    verify_mac::VerifyMac,
    who_can::WhoCan,
}

pub(crate) use schedule_key_deletion::WINDOW_DAYS_DEFAULT;

/// What a seed runs.
pub(crate) mod seeds {
    pub(crate) use super::{
        add_user_to_group::AddUserToGroup, attach_group_policy::AttachGroupPolicy,
        attach_role_policy::AttachRolePolicy, attach_user_policy::AttachUserPolicy,
        create_access_key::CreateAccessKey, create_alias::CreateAlias, create_grant::CreateGrant,
        create_group::CreateGroup, create_key::CreateKey, create_policy::CreatePolicy,
        create_role::CreateRole, create_user::CreateUser, disable_key::DisableKey,
        enable_key_rotation::EnableKeyRotation, organization_prelude::Stated,
        put_group_policy::PutGroupPolicy, put_organization::PutOrganization,
        put_role_policy::PutRolePolicy, put_user_policy::PutUserPolicy,
        put_vpc_endpoint::PutVpcEndpoint,
    };
}

/// The operation of a service by its name, exactly as AWS spells it.
pub fn find(service: Service, name: &str) -> Option<&'static dyn AnyOperation> {
    let found = OPERATIONS.binary_search_by(|operation| operation.spec().name.cmp(name)).ok()?;
    OPERATIONS.get(found).copied().filter(|operation| operation.spec().service == service)
}
