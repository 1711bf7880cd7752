//! The vocabulary that every room shares: ids, records, decisions, events, errors, limits and ports.
//!
//! Data, and the checks that make a value valid; no behaviour beyond that.
//! It knows no transport, no storage engine, no policy engine and no primitive.

pub mod alert;
pub mod blob;
pub mod caller;
pub mod check;
pub mod context;
pub mod decision;
pub mod error;
pub mod event;
pub mod freeze;
pub mod grant;
pub mod id;
pub mod key;
pub mod key_store;
pub mod limits;
pub mod observe;
pub mod organization;
pub mod ports;
pub mod principal;
pub mod record;
pub mod remedy;
pub mod top;

pub use alert::{
    AcknowledgementRecord, AlertName, AlertRecord, AlertSettingsRecord, SilenceRecord,
};
pub use blob::Blob;
pub use caller::{Caller, CallerKind, IdentityDocument, Origin};
pub use check::{Check, CheckEffect, CheckKind};
pub use context::EncryptionContext;
pub use decision::{
    Clause, Decision, Effect, Layer, LayerEffect, LayerOutcome, MatchKind, Matched, NearMiss,
    Reason,
};
pub use error::{ErrorCode, Fault, KmsError};
pub use event::{Event, EventSummary, Outcome};
pub use freeze::{FreezeRecord, FreezeTarget};
pub use grant::{GrantConstraints, GrantOperation, GrantRecord, Grantee};
pub use id::{AccountId, AliasName, Arn, GrantId, KeyArn, KeyId, KeyName, KeyRef, Region};
pub use key::{
    AliasRecord, ExpirationModel, Imported, KeyInStore, KeyManager, KeyRecord, KeySpec, KeyState,
    KeyUsage, LastUsage, MaterialId, MaterialOrigin, MaterialRecord, MaterialState, MultiRegion,
    MultiRegionKeyType, Rotation, RotationType,
};
pub use key_store::{
    ConnectionErrorCode, ConnectionState, CustomKeyStoreType, KeyStoreProxy, KeyStoreRecord,
    ProxyFailure, ProxyKey, ProxyRequest, ProxySealed, XksProxy, XksProxyConnectivity,
};
pub use observe::{ObserveEntry, ObserveRecord, ObserveTarget};
pub use organization::{
    EndpointRecord, OrganizationPolicy, OrganizationPolicyKind, OrganizationRecord,
    OrganizationalUnit,
};
pub use ports::{Clock, Entropy, Generator, Sealer, Timestamp};
pub use principal::{
    AccessKeyOwner, AccessKeyRecord, GroupRecord, ManagedPolicyRecord, MfaDeviceRecord,
    PolicyVersion, RoleRecord, UserRecord,
};
pub use record::{Change, Name, Record};
pub use remedy::{Blast, ChangeKind, Extent, PolicyChange, Reach, Remedy};
pub use top::Top;
