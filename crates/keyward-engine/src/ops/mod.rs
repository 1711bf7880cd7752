//! THE TABLE: every operation that this service answers. Nobody else lists operations.
//!
//! A row makes an operation appear in both doors, in the OpenAPI document, in the metrics' label set and
//! in the tests that compare the table with AWS's service model.

use crate::operation::{AnyOperation, Row, Service};
use core::marker::PhantomData;

mod data_key;
pub(crate) mod identity_prelude;
pub(crate) mod prelude;
pub(crate) mod rotation;
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
    assume_role::AssumeRole,
    can_i::CanI,
    cancel_key_deletion::CancelKeyDeletion,
    create_access_key::CreateAccessKey,
    create_alias::CreateAlias,
    create_grant::CreateGrant,
    create_key::CreateKey,
    create_role::CreateRole,
    create_user::CreateUser,
    decrypt::Decrypt,
    delete_access_key::DeleteAccessKey,
    delete_alias::DeleteAlias,
    delete_role::DeleteRole,
    delete_role_policy::DeleteRolePolicy,
    delete_user::DeleteUser,
    delete_user_policy::DeleteUserPolicy,
    describe_key::DescribeKey,
    disable_key::DisableKey,
    disable_key_rotation::DisableKeyRotation,
    enable_key::EnableKey,
    enable_key_rotation::EnableKeyRotation,
    encrypt::Encrypt,
    generate_data_key::GenerateDataKey,
    generate_data_key_pair::GenerateDataKeyPair,
    generate_data_key_pair_without_plaintext::GenerateDataKeyPairWithoutPlaintext,
    generate_data_key_without_plaintext::GenerateDataKeyWithoutPlaintext,
    generate_mac::GenerateMac,
    generate_random::GenerateRandom,
    get_caller_identity::GetCallerIdentity,
    get_key_last_usage::GetKeyLastUsage,
    get_key_policy::GetKeyPolicy,
    get_key_rotation_status::GetKeyRotationStatus,
    get_public_key::GetPublicKey,
    get_role::GetRole,
    get_role_policy::GetRolePolicy,
    get_session_token::GetSessionToken,
    get_user::GetUser,
    get_user_policy::GetUserPolicy,
    list_access_keys::ListAccessKeys,
    list_aliases::ListAliases,
    list_attached_role_policies::ListAttachedRolePolicies,
    list_attached_user_policies::ListAttachedUserPolicies,
    list_grants::ListGrants,
    list_groups_for_user::ListGroupsForUser,
    list_instance_profiles_for_role::ListInstanceProfilesForRole,
    list_key_policies::ListKeyPolicies,
    list_key_rotations::ListKeyRotations,
    list_keys::ListKeys,
    list_mfa_devices::ListMFADevices,
    list_resource_tags::ListResourceTags,
    list_retirable_grants::ListRetirableGrants,
    list_role_policies::ListRolePolicies,
    list_role_tags::ListRoleTags,
    list_roles::ListRoles,
    list_user_policies::ListUserPolicies,
    list_user_tags::ListUserTags,
    list_users::ListUsers,
    principal_can::PrincipalCan,
    put_key_policy::PutKeyPolicy,
    put_role_policy::PutRolePolicy,
    put_user_policy::PutUserPolicy,
    re_encrypt::ReEncrypt,
    retire_grant::RetireGrant,
    revoke_grant::RevokeGrant,
    rotate_key_on_demand::RotateKeyOnDemand,
    schedule_key_deletion::ScheduleKeyDeletion,
    sign::Sign,
    simulate::Simulate,
    simulate_custom_policy::SimulateCustomPolicy,
    simulate_principal_policy::SimulatePrincipalPolicy,
    tag_resource::TagResource,
    tag_role::TagRole,
    tag_user::TagUser,
    untag_resource::UntagResource,
    untag_role::UntagRole,
    untag_user::UntagUser,
    update_access_key::UpdateAccessKey,
    update_alias::UpdateAlias,
    update_assume_role_policy::UpdateAssumeRolePolicy,
    update_key_description::UpdateKeyDescription,
    update_role::UpdateRole,
    verify::Verify,
    verify_mac::VerifyMac,
    who_can::WhoCan,
}

/// What a seed runs.
pub(crate) mod seeds {
    pub(crate) use super::{
        create_access_key::CreateAccessKey, create_alias::CreateAlias, create_grant::CreateGrant,
        create_key::CreateKey, create_role::CreateRole, create_user::CreateUser,
        disable_key::DisableKey, enable_key_rotation::EnableKeyRotation,
        put_role_policy::PutRolePolicy, put_user_policy::PutUserPolicy,
    };
}

/// The operation of a service by its name, exactly as AWS spells it.
pub fn find(service: Service, name: &str) -> Option<&'static dyn AnyOperation> {
    let found = OPERATIONS.binary_search_by(|operation| operation.spec().name.cmp(name)).ok()?;
    OPERATIONS.get(found).copied().filter(|operation| operation.spec().service == service)
}
