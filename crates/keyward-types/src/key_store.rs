//! Custom key stores as they are stored, and the port to an external key store proxy.
//!
//! A proxy is asked over the network; who does that is not known here. The names of its failures are those of
//! the published proxy API; what a client of KMS hears of them is the engine's.
//!
//! INVARIANT: the secret of a proxy credential, and bytes that are sealed or opened, are never printed.
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/key-store-overview.html>,
//! <https://github.com/aws/aws-kms-xksproxy-api-spec> (External Key Store Proxy API Specification, v1).

use crate::{AccountId, Region, Timestamp, aws_enum};
use core::fmt;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateCustomKeyStore.html#KMS-CreateCustomKeyStore-request-CustomKeyStoreType>
    CustomKeyStoreType { AwsCloudHsm = "AWS_CLOUDHSM", ExternalKeyStore = "EXTERNAL_KEY_STORE", }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateCustomKeyStore.html#KMS-CreateCustomKeyStore-request-XksProxyConnectivity>
    XksProxyConnectivity {
        PublicEndpoint = "PUBLIC_ENDPOINT",
        VpcEndpointService = "VPC_ENDPOINT_SERVICE",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html#KMS-Type-CustomKeyStoresListEntry-ConnectionState>
    ConnectionState {
        Connected = "CONNECTED",
        Connecting = "CONNECTING",
        Failed = "FAILED",
        Disconnected = "DISCONNECTED",
        Disconnecting = "DISCONNECTING",
    }
);

aws_enum!(
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html#KMS-Type-CustomKeyStoresListEntry-ConnectionErrorCode>
    ConnectionErrorCode {
        InternalError = "INTERNAL_ERROR",
        XksProxyAccessDenied = "XKS_PROXY_ACCESS_DENIED",
        XksProxyNotReachable = "XKS_PROXY_NOT_REACHABLE",
        XksProxyInvalidResponse = "XKS_PROXY_INVALID_RESPONSE",
        XksProxyInvalidConfiguration = "XKS_PROXY_INVALID_CONFIGURATION",
        XksProxyTimedOut = "XKS_PROXY_TIMED_OUT",
        XksProxyInvalidTlsConfiguration = "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    }
);

/// A custom key store. This service knows one kind: an external key store behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStoreRecord {
    pub account: AccountId,
    pub region: Region,
    /// `cks-` and 17 hexadecimal digits.
    pub id: String,
    /// Unique in the account and Region.
    pub name: String,
    pub created: Timestamp,
    pub state: ConnectionState,
    /// Why the last connection failed; present in the state `FAILED` alone.
    #[serde(default)]
    pub error: Option<ConnectionErrorCode>,
    pub proxy: XksProxy,
}

/// Where an external key store proxy is, and how it knows us.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XksProxy {
    /// `https://` and a host.
    pub endpoint: String,
    /// Ends with `/kms/xks/v1`.
    pub path: String,
    pub connectivity: XksProxyConnectivity,
    #[serde(default)]
    pub vpc_endpoint_service_name: Option<String>,
    #[serde(default)]
    pub vpc_endpoint_service_owner: Option<AccountId>,
    pub access_key_id: String,
    /// Readable, because requests are signed with it; sealed at rest like every stored value.
    pub secret_access_key: Zeroizing<String>,
}

impl fmt::Debug for XksProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XksProxy")
            .field("endpoint", &self.endpoint)
            .field("path", &self.path)
            .field("connectivity", &self.connectivity)
            .finish_non_exhaustive()
    }
}

/// On whose behalf a proxy is asked: the proxy API's `requestMetadata`, and the Region that signs.
#[derive(Clone, Copy, Debug)]
pub struct ProxyRequest<'r> {
    pub region: &'r Region,
    /// The KMS operation, or `KmsHealthCheck`.
    pub operation: &'r str,
    /// As in CloudTrail, so that both logs can be laid side by side.
    pub request_id: uuid::Uuid,
    pub principal_arn: &'r str,
    /// `None` while the KMS key does not exist yet.
    pub key_arn: Option<&'r str>,
    pub source_vpc: Option<&'r str>,
    pub source_vpce: Option<&'r str>,
    pub via_service: Option<&'r str>,
}

/// What a proxy tells of an external key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyKey {
    pub is_aes_256: bool,
    pub encrypts: bool,
    pub decrypts: bool,
    pub enabled: bool,
}

/// What a proxy made of a plaintext. The ciphertext is as long as the plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySealed {
    /// 12 or 16 bytes.
    pub initialization_vector: Vec<u8>,
    /// 16 bytes.
    pub authentication_tag: Vec<u8>,
    /// The proxy's own, at most 20 bytes; empty for none.
    pub metadata: Vec<u8>,
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for ProxySealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxySealed({} bytes)", self.ciphertext.len())
    }
}

/// Why a proxy did not do what it was asked. The first twelve are its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyFailure {
    Validation,
    InvalidState,
    InvalidCiphertext,
    InvalidKeyUsage,
    AuthenticationFailed,
    AccessDenied,
    KeyNotFound,
    InvalidUriPath,
    Throttling,
    UnsupportedOperation,
    DependencyTimeout,
    Internal,
    /// No connection.
    Unreachable,
    /// A connection, but no TLS: an unknown certificate, another name.
    Tls,
    /// No answer in time.
    TimedOut,
    /// An answer that is none of the proxy API, or that contradicts itself.
    Malformed,
}

/// Asks external key store proxies. Each call may take as long as the port's own time limit.
pub trait KeyStoreProxy: Send + Sync {
    /// Whether the proxy answers, knows our credential, and can serve.
    ///
    /// # Errors
    /// [`ProxyFailure::Unreachable`] also when every key manager behind it is unavailable.
    fn health(&self, proxy: &XksProxy, request: &ProxyRequest<'_>) -> Result<(), ProxyFailure>;

    /// # Errors
    /// The proxy's own, and those of the way to it.
    fn metadata(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
    ) -> Result<ProxyKey, ProxyFailure>;

    /// Encrypts at most 4300 bytes; `associated` is authenticated with them, at most 8192 bytes.
    ///
    /// # Errors
    /// As above; [`ProxyFailure::Malformed`] when the integrity value does not fit the answer.
    fn encrypt(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
        associated: &[u8],
        plaintext: &[u8],
    ) -> Result<ProxySealed, ProxyFailure>;

    /// # Errors
    /// As above; [`ProxyFailure::InvalidCiphertext`] when it does not open.
    fn decrypt(
        &self,
        proxy: &XksProxy,
        external_key: &str,
        request: &ProxyRequest<'_>,
        associated: &[u8],
        sealed: &ProxySealed,
    ) -> Result<Zeroizing<Vec<u8>>, ProxyFailure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_of_a_proxy_is_not_printed() {
        let proxy = XksProxy {
            endpoint: "https://xks.example".to_owned(),
            path: "/kms/xks/v1".to_owned(),
            connectivity: XksProxyConnectivity::PublicEndpoint,
            vpc_endpoint_service_name: None,
            vpc_endpoint_service_owner: None,
            access_key_id: "ABCDEFGHIJKLMNOPQRST".to_owned(),
            secret_access_key: Zeroizing::new("hidden".to_owned()),
        };
        let printed = format!("{proxy:?}");
        assert!(!printed.contains("hidden") && !printed.contains("ABCDEF"), "{printed}");
    }
}
