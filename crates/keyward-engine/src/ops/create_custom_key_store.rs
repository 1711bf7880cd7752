//! `CreateCustomKeyStore` <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateCustomKeyStore.html>
//!
//! The proxy is asked before anything is stored. The store is not connected yet.

use super::key_store_prelude::*;
use keyward_types::CustomKeyStoreType;

pub(crate) struct CreateCustomKeyStore;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    custom_key_store_name: String,
    cloud_hsm_cluster_id: Option<String>,
    custom_key_store_type: Option<CustomKeyStoreType>,
    #[serde(flatten)]
    proxy: ProxyMembers,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    custom_key_store_id: String,
}

impl Operation for CreateCustomKeyStore {
    const SPEC: Spec = Spec {
        logged: &[
            "CustomKeyStoreName",
            "CloudHsmClusterId",
            "CustomKeyStoreType",
            "XksProxyUriEndpoint",
            "XksProxyUriPath",
            "XksProxyVpcEndpointServiceName",
            "XksProxyVpcEndpointServiceOwner",
            "XksProxyConnectivity",
        ],
        errors: &[
            ErrorCode::CloudHsmClusterInUse,
            ErrorCode::CustomKeyStoreNameInUse,
            ErrorCode::CloudHsmClusterNotFound,
            ErrorCode::Internal,
            ErrorCode::CloudHsmClusterNotActive,
            ErrorCode::IncorrectTrustAnchor,
            ErrorCode::CloudHsmClusterInvalidConfiguration,
            ErrorCode::LimitExceeded,
            ErrorCode::XksProxyUriInUse,
            ErrorCode::XksProxyUriEndpointInUse,
            ErrorCode::XksProxyUriUnreachable,
            ErrorCode::XksProxyIncorrectAuthenticationCredential,
            ErrorCode::XksProxyVpcEndpointServiceInUse,
            ErrorCode::XksProxyVpcEndpointServiceNotFound,
            ErrorCode::XksProxyVpcEndpointServiceInvalidConfiguration,
            ErrorCode::XksProxyInvalidResponse,
            ErrorCode::XksProxyInvalidConfiguration,
        ],
        ..store_row(
            "CreateCustomKeyStore",
            "POST",
            "/v1/custom-key-stores",
            &[
                required("CustomKeyStoreName", STORE_NAME_KIND),
                CLUSTER_ID,
                optional("TrustAnchorCertificate", text(1, 5_000)),
                PASSWORD,
                optional("CustomKeyStoreType", Kind::Enum(CustomKeyStoreType::NAMES)),
                URI_ENDPOINT,
                URI_PATH,
                VPC_SERVICE_NAME,
                VPC_SERVICE_OWNER,
                CREDENTIAL,
                CONNECTIVITY,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let proxy = input.proxy()?;
        let others = others(call, None)?;
        check_name(&others, &input.custom_key_store_name)?;
        check_proxy(&others, &proxy)?;
        if STORES_MAX <= others.len() {
            return Err(KmsError::new(
                ErrorCode::LimitExceeded,
                format!("An account may have at most {STORES_MAX} custom key stores in a Region"),
            ));
        }
        check_health(call, &proxy)?;
        let caller = call.caller();
        // 17 hexadecimal digits.
        let id = hex::encode(call.random::<9>());
        let store = KeyStoreRecord {
            account: caller.account.clone(),
            region: caller.origin.region.clone(),
            id: format!("cks-{}", id.get(..17).unwrap_or(&id)),
            name: input.custom_key_store_name.clone(),
            created: call.now(),
            state: ConnectionState::Disconnected,
            error: None,
            proxy,
        };
        let custom_key_store_id = store.id.clone();
        call.put(Record::KeyStore(store));
        Ok(Output { custom_key_store_id })
    }

    fn response_elements(_call: &Call<'_>, output: &Output) -> Option<Value> {
        Some(json!({"customKeyStoreId": output.custom_key_store_id}))
    }

    fn remote(_input: &Input) -> bool {
        true
    }
}

impl Input {
    fn proxy(&self) -> Result<XksProxy, KmsError> {
        if self.custom_key_store_type != Some(CustomKeyStoreType::ExternalKeyStore) {
            let Some(cluster) = &self.cloud_hsm_cluster_id else {
                return Err(KmsError::validation(
                    "You must specify a CloudHsmClusterId for an AWS CloudHSM key store, or the CustomKeyStoreType EXTERNAL_KEY_STORE.",
                ));
            };
            return Err(KmsError::new(
                ErrorCode::CloudHsmClusterNotFound,
                format!(
                    "This service has no AWS CloudHSM clusters, so that {cluster} was not found. Use the CustomKeyStoreType EXTERNAL_KEY_STORE."
                ),
            ));
        }
        let missing = |name: &str| {
            KmsError::validation(format!("You must specify {name} for an external key store."))
        };
        let ProxyMembers {
            xks_proxy_uri_endpoint,
            xks_proxy_uri_path,
            xks_proxy_vpc_endpoint_service_name,
            xks_proxy_vpc_endpoint_service_owner,
            xks_proxy_authentication_credential,
            xks_proxy_connectivity,
        } = &self.proxy;
        let credential = xks_proxy_authentication_credential
            .as_ref()
            .ok_or_else(|| missing("XksProxyAuthenticationCredential"))?;
        Ok(XksProxy {
            endpoint: xks_proxy_uri_endpoint
                .clone()
                .ok_or_else(|| missing("XksProxyUriEndpoint"))?,
            path: xks_proxy_uri_path.clone().ok_or_else(|| missing("XksProxyUriPath"))?,
            connectivity: xks_proxy_connectivity.ok_or_else(|| missing("XksProxyConnectivity"))?,
            vpc_endpoint_service_name: xks_proxy_vpc_endpoint_service_name.clone(),
            vpc_endpoint_service_owner: xks_proxy_vpc_endpoint_service_owner.clone(),
            access_key_id: credential.access_key_id.clone(),
            secret_access_key: credential.raw_secret_access_key.clone(),
        })
    }
}
