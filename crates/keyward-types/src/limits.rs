//! Every number that AWS fixes, each with the page it comes from.

/// Bytes of plaintext to Encrypt. <https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html#KMS-Encrypt-request-Plaintext>
pub const PLAINTEXT_BYTES_MAX: usize = 4_096;
/// Bytes of ciphertext to Decrypt. <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html#KMS-Decrypt-request-CiphertextBlob>
pub const CIPHERTEXT_BYTES_MAX: usize = 6_144;
/// Bytes of a key policy. <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const KEY_POLICY_BYTES_MAX: usize = 32_768;
/// Customer managed keys of an account in a Region. <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const KEYS_PER_REGION_MAX: u64 = 100_000;
/// Aliases on one key. <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const ALIASES_PER_KEY_MAX: usize = 50;
/// Grants on one key. <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub const GRANTS_PER_KEY_MAX: usize = 50_000;
/// Tags on one key. <https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html>
pub const TAGS_PER_KEY_MAX: usize = 50;
/// RotateKeyOnDemand on one key. <https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html>
pub const ON_DEMAND_ROTATIONS_MAX: u16 = 25;
/// Pairs in a grant constraint. <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html>
pub const GRANT_CONSTRAINT_PAIRS_MAX: usize = 8;
/// Characters of a value in a grant constraint. <https://docs.aws.amazon.com/kms/latest/developerguide/create-grant-overview.html>
pub const GRANT_CONSTRAINT_VALUE_CHARS_MAX: usize = 384;
/// Days between ScheduleKeyDeletion and deletion. <https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html>
pub const PENDING_WINDOW_DAYS: core::ops::RangeInclusive<u16> = 7..=30;
/// Seconds that a request's time may differ from ours, either way. <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>
pub const SIGNATURE_WINDOW_SECONDS: i64 = 300;
/// Access keys of one user. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const ACCESS_KEYS_PER_USER_MAX: usize = 2;
/// Groups of one user. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const GROUPS_PER_USER_MAX: usize = 10;
/// Managed policies attached to one user, role or group. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const ATTACHED_POLICIES_MAX: usize = 10;
/// Versions of one managed policy. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const POLICY_VERSIONS_MAX: usize = 5;
/// Characters of a managed policy, white space not counted. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const MANAGED_POLICY_CHARS_MAX: usize = 6_144;
/// Characters of a trust policy, white space not counted. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const TRUST_POLICY_CHARS_MAX: usize = 2_048;
