//! `UpdateCustomKeyStore` <https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateCustomKeyStore.html>
//!
//! The proxy is asked with the new settings before they are stored. Where a proxy is may change only while
//! the store is disconnected; its path and credential may change under a connection.

use super::key_store_prelude::*;

pub(crate) struct UpdateCustomKeyStore;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    custom_key_store_id: String,
    new_custom_key_store_name: Option<String>,
    key_store_password: Option<serde::de::IgnoredAny>,
    cloud_hsm_cluster_id: Option<String>,
    #[serde(flatten)]
    proxy: ProxyMembers,
}

impl Operation for UpdateCustomKeyStore {
    const SPEC: Spec = Spec {
        logged: &[
            "CustomKeyStoreId",
            "NewCustomKeyStoreName",
            "CloudHsmClusterId",
            "XksProxyUriEndpoint",
            "XksProxyUriPath",
            "XksProxyVpcEndpointServiceName",
            "XksProxyVpcEndpointServiceOwner",
            "XksProxyConnectivity",
        ],
        errors: &[
            ErrorCode::CustomKeyStoreNotFound,
            ErrorCode::CustomKeyStoreNameInUse,
            ErrorCode::CloudHsmClusterNotFound,
            ErrorCode::CloudHsmClusterNotRelated,
            ErrorCode::CustomKeyStoreInvalidState,
            ErrorCode::Internal,
            ErrorCode::CloudHsmClusterNotActive,
            ErrorCode::CloudHsmClusterInvalidConfiguration,
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
            "UpdateCustomKeyStore",
            "PUT",
            "/v1/custom-key-stores/{CustomKeyStoreId}",
            &[
                STORE_ID,
                optional("NewCustomKeyStoreName", STORE_NAME_KIND),
                PASSWORD,
                CLUSTER_ID,
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
    type Output = Nothing;

    fn targets(_input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Nothing, KmsError> {
        let before = call.key_store(&input.custom_key_store_id)?;
        if input.key_store_password.is_some() || input.cloud_hsm_cluster_id.is_some() {
            return Err(KmsError::validation(
                "KeyStorePassword and CloudHsmClusterId are for AWS CloudHSM key stores.",
            ));
        }
        let mut store = KeyStoreRecord::clone(&before);
        input.proxy.apply(&mut store.proxy);
        if let Some(name) = &input.new_custom_key_store_name {
            store.name.clone_from(name);
        }
        if store == *before {
            return Err(KmsError::validation(
                "Nothing in the request changes the custom key store.",
            ));
        }
        let others = others(call, Some(&store.id))?;
        check_name(&others, &store.name)?;
        if store.proxy != before.proxy {
            check_proxy(&others, &store.proxy)?;
            if moved(&before.proxy, &store.proxy) && store.state != ConnectionState::Disconnected {
                return Err(wrong_state(&store, "DISCONNECTED"));
            }
            check_health(call, &store.proxy)?;
        }
        call.note("customKeyStoreName", store.name.as_str());
        call.put(Record::KeyStore(store));
        Ok(Nothing {})
    }

    fn remote(_input: &Input) -> bool {
        true
    }
}

/// Whether another proxy is meant, or another way to it.
fn moved(old: &XksProxy, new: &XksProxy) -> bool {
    let way = |proxy: &XksProxy| {
        let service = proxy.vpc_endpoint_service_name.clone();
        (
            proxy.endpoint.clone(),
            proxy.connectivity,
            service,
            proxy.vpc_endpoint_service_owner.clone(),
        )
    };
    way(old) != way(new)
}

impl ProxyMembers {
    fn apply(&self, proxy: &mut XksProxy) {
        if let Some(endpoint) = &self.xks_proxy_uri_endpoint {
            proxy.endpoint.clone_from(endpoint);
        }
        if let Some(path) = &self.xks_proxy_uri_path {
            proxy.path.clone_from(path);
        }
        if let Some(connectivity) = self.xks_proxy_connectivity {
            proxy.connectivity = connectivity;
            if connectivity == XksProxyConnectivity::PublicEndpoint {
                proxy.vpc_endpoint_service_name = None;
                proxy.vpc_endpoint_service_owner = None;
            }
        }
        if let Some(name) = &self.xks_proxy_vpc_endpoint_service_name {
            proxy.vpc_endpoint_service_name = Some(name.clone());
        }
        if let Some(owner) = &self.xks_proxy_vpc_endpoint_service_owner {
            proxy.vpc_endpoint_service_owner = Some(owner.clone());
        }
        if let Some(credential) = &self.xks_proxy_authentication_credential {
            proxy.access_key_id.clone_from(&credential.access_key_id);
            proxy.secret_access_key = credential.raw_secret_access_key.clone();
        }
    }
}
