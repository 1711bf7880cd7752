//! `DescribeCustomKeyStores` <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeCustomKeyStores.html>

use super::key_store_prelude::*;
use keyward_types::{ConnectionErrorCode, CustomKeyStoreType};

pub(crate) struct DescribeCustomKeyStores;

const LIST: &str = "custom key stores";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Input {
    custom_key_store_id: Option<String>,
    custom_key_store_name: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Output {
    custom_key_stores: Vec<CustomKeyStoresListEntry>,
    #[serde(flatten)]
    page: Page,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CustomKeyStoresListEntry.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CustomKeyStoresListEntry {
    custom_key_store_id: String,
    custom_key_store_name: String,
    connection_state: ConnectionState,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_error_code: Option<ConnectionErrorCode>,
    creation_date: serde_json::Number,
    custom_key_store_type: CustomKeyStoreType,
    xks_proxy_configuration: XksProxyConfiguration,
}

/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_XksProxyConfigurationType.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct XksProxyConfiguration {
    connectivity: XksProxyConnectivity,
    access_key_id: String,
    uri_endpoint: String,
    uri_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_endpoint_service_owner: Option<AccountId>,
}

impl From<&KeyStoreRecord> for CustomKeyStoresListEntry {
    fn from(store: &KeyStoreRecord) -> Self {
        let proxy = &store.proxy;
        Self {
            custom_key_store_id: store.id.clone(),
            custom_key_store_name: store.name.clone(),
            connection_state: store.state,
            connection_error_code: store.error,
            creation_date: store.created.wire(),
            custom_key_store_type: CustomKeyStoreType::ExternalKeyStore,
            xks_proxy_configuration: XksProxyConfiguration {
                connectivity: proxy.connectivity,
                access_key_id: proxy.access_key_id.clone(),
                uri_endpoint: proxy.endpoint.clone(),
                uri_path: proxy.path.clone(),
                vpc_endpoint_service_name: proxy.vpc_endpoint_service_name.clone(),
                vpc_endpoint_service_owner: proxy.vpc_endpoint_service_owner.clone(),
            },
        }
    }
}

impl Operation for DescribeCustomKeyStores {
    const SPEC: Spec = Spec {
        read_only: true,
        logged: &["CustomKeyStoreId", "CustomKeyStoreName", "Limit", "Marker"],
        errors: &[ErrorCode::CustomKeyStoreNotFound, ErrorCode::InvalidMarker, ErrorCode::Internal],
        ..store_row(
            "DescribeCustomKeyStores",
            "GET",
            "/v1/custom-key-stores",
            &[
                optional("CustomKeyStoreId", text(1, 64)),
                optional("CustomKeyStoreName", STORE_NAME_KIND),
                LIMIT,
                MARKER,
            ],
        )
    };
    type Input = Input;
    type Output = Output;

    fn targets(input: &Input) -> Result<Vec<Target<'_>>, KmsError> {
        if input.custom_key_store_id.is_some() && input.custom_key_store_name.is_some() {
            return Err(KmsError::validation(
                "You cannot specify both CustomKeyStoreId and CustomKeyStoreName.",
            ));
        }
        Ok(vec![Target::of(Subject::Account)])
    }

    fn run(call: &mut Call<'_>, input: &Input) -> Result<Output, KmsError> {
        let mut stores = others(call, None)?;
        if let Some(id) = &input.custom_key_store_id {
            stores = vec![call.key_store(id)?];
        }
        if let Some(name) = &input.custom_key_store_name {
            stores.retain(|store| store.name == *name);
            if stores.is_empty() {
                return Err(wording::no_such_key_store(name));
            }
        }
        let limit = page_limit(input.limit, 100, 1_000);
        let after =
            input.marker.as_deref().map(|marker| call.open_marker(LIST, marker)).transpose()?;
        stores.retain(|store| after.as_ref().is_none_or(|after| *after < store.id));
        let (stores, page) = page(call, LIST, stores, limit, |store| store.id.clone())?;
        let entries = stores.iter().map(|store| CustomKeyStoresListEntry::from(&**store));
        Ok(Output { custom_key_stores: entries.collect(), page })
    }
}
