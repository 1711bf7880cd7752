//! What the operations on custom key stores share: their members, how a proxy is described, and the rules
//! that keep two stores apart.
//!
//! This service knows external key stores. A store of the type AWS_CLOUDHSM needs a CloudHSM cluster, of
//! which there is none here: it is refused by AWS's own code for a cluster that is not found.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/create-xks-keystore.html>

pub(crate) use super::prelude::*;
use crate::{
    key_stores::for_store,
    shape::{Pattern, patterned, secret},
};
pub(crate) use keyward_types::{
    AccountId, ConnectionState, KeyStoreRecord, XksProxy, XksProxyConnectivity,
};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) const STORE_ID: Member = required("CustomKeyStoreId", text(1, 64));
pub(crate) const STORE_NAME_KIND: Kind = text(1, 256);
pub(crate) const PASSWORD: Member =
    optional("KeyStorePassword", Kind::Secret { min: 7, max: 32, pattern: None });
pub(crate) const CLUSTER_ID: Member = optional(
    "CloudHsmClusterId",
    patterned(19, 24, "cluster-[2-7a-zA-Z]{11,16}", |text| {
        text.strip_prefix("cluster-").is_some_and(|id| {
            (11..=16).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b))
        })
    }),
);
pub(crate) const URI_ENDPOINT: Member = optional(
    "XksProxyUriEndpoint",
    patterned(10, 128, "^https://[a-zA-Z0-9.-]+$", |text| {
        text.strip_prefix("https://").is_some_and(|host| only(host, ".-"))
    }),
);
pub(crate) const URI_PATH: Member = optional(
    "XksProxyUriPath",
    patterned(10, 128, "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$", |text| {
        let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else { return false };
        let version =
            (1..=2).contains(&version.len()) && version.bytes().all(|digit| digit.is_ascii_digit());
        let prefix =
            prefix.is_empty() || prefix.strip_prefix('/').is_some_and(|prefix| only(prefix, "/_-"));
        version && prefix
    }),
);
pub(crate) const VPC_SERVICE_NAME: Member = optional(
    "XksProxyVpcEndpointServiceName",
    Kind::Text {
        min: 20,
        max: 64,
        pattern: Some(Pattern {
            shown: "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$",
            matches: is_vpc_service,
        }),
    },
);
pub(crate) const VPC_SERVICE_OWNER: Member = optional(
    "XksProxyVpcEndpointServiceOwner",
    patterned(12, 12, "[0-9]{12}", |text| AccountId::parse(text).is_some()),
);
pub(crate) const CREDENTIAL: Member = optional(
    "XksProxyAuthenticationCredential",
    Kind::Structure(&[
        required(
            "AccessKeyId",
            secret(20, 30, "^[A-Z2-7]+$", |text| {
                !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b))
            }),
        ),
        required(
            "RawSecretAccessKey",
            secret(43, 64, "^[a-zA-Z0-9\\/+=]+$", |text| only(text, "/+=")),
        ),
    ]),
);
pub(crate) const CONNECTIVITY: Member =
    optional("XksProxyConnectivity", Kind::Enum(XksProxyConnectivity::NAMES));

/// Custom key stores of an account and Region. <https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html>
pub(crate) const STORES_MAX: usize = 10;

fn is_vpc_service(text: &str) -> bool {
    let rest = text.strip_prefix("com").or_else(|| text.strip_prefix("eu"));
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix(".amazonaws.vpce.")) else {
        return false;
    };
    let Some((region, id)) = rest.split_once(".vpce-svc-") else { return false };
    let id_fits =
        !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id_fits && is_region(region)
}

/// The input of what is done to one store as it is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OneStore {
    pub(crate) custom_key_store_id: String,
}

/// How a proxy knows us, as it is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credential {
    pub(crate) access_key_id: String,
    pub(crate) raw_secret_access_key: Zeroizing<String>,
}

/// The members that describe a proxy; what is not sent stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProxyMembers {
    pub(crate) xks_proxy_uri_endpoint: Option<String>,
    pub(crate) xks_proxy_uri_path: Option<String>,
    pub(crate) xks_proxy_vpc_endpoint_service_name: Option<String>,
    pub(crate) xks_proxy_vpc_endpoint_service_owner: Option<AccountId>,
    pub(crate) xks_proxy_authentication_credential: Option<Credential>,
    pub(crate) xks_proxy_connectivity: Option<XksProxyConnectivity>,
}

/// What changes a store, and answers nothing.
#[derive(Serialize)]
pub(crate) struct Nothing {}

/// The error of a store in a state that does not fit.
pub(crate) fn wrong_state(store: &KeyStoreRecord, wanted: &str) -> KmsError {
    KmsError::new(
        ErrorCode::CustomKeyStoreInvalidState,
        format!("Custom key store {} is {}. It must be {wanted}.", store.id, store.state),
    )
}

/// Every other store of the account and Region. The commit rests on which there are.
pub(crate) fn others(
    call: &mut Call<'_>,
    id: Option<&str>,
) -> Result<Vec<Arc<KeyStoreRecord>>, KmsError> {
    let caller = call.caller();
    let (account, region) = (&caller.account, &caller.origin.region);
    call.rest_on(Name::KeyStores(account.clone(), region.clone()));
    let mut all = call.store().key_stores(account, region).map_err(KmsError::internal)?;
    all.retain(|store| Some(store.id.as_str()) != id);
    Ok(all)
}

/// A name that no other store has.
pub(crate) fn check_name(others: &[Arc<KeyStoreRecord>], name: &str) -> Result<(), KmsError> {
    if others.iter().any(|store| store.name == name) {
        return Err(KmsError::new(
            ErrorCode::CustomKeyStoreNameInUse,
            format!(
                "A custom key store with the name {name} already exists in this account and Region."
            ),
        ));
    }
    Ok(())
}

/// A proxy that no other store has: a path of its own, and for a VPC endpoint service a service and a host
/// of its own.
/// <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateCustomKeyStore.html#KMS-CreateCustomKeyStore-request-XksProxyUriEndpoint>
pub(crate) fn check_proxy(
    others: &[Arc<KeyStoreRecord>],
    proxy: &XksProxy,
) -> Result<(), KmsError> {
    let refuse = |code, what: &str| Err(KmsError::new(code, what));
    let vpc = |proxy: &XksProxy| proxy.connectivity == XksProxyConnectivity::VpcEndpointService;
    if vpc(proxy) != proxy.vpc_endpoint_service_name.is_some() {
        return Err(KmsError::validation(
            "XksProxyVpcEndpointServiceName goes with the XksProxyConnectivity VPC_ENDPOINT_SERVICE, and with no other.",
        ));
    }
    for other in others.iter().map(|store| &store.proxy) {
        if proxy.vpc_endpoint_service_name.is_some()
            && other.vpc_endpoint_service_name == proxy.vpc_endpoint_service_name
        {
            return refuse(
                ErrorCode::XksProxyVpcEndpointServiceInUse,
                "Another external key store in this Region uses this VPC endpoint service.",
            );
        }
        if other.endpoint == proxy.endpoint && other.path == proxy.path {
            return refuse(
                ErrorCode::XksProxyUriInUse,
                "Another external key store in this Region uses this endpoint and path.",
            );
        }
        if other.endpoint == proxy.endpoint && (vpc(proxy) || vpc(other)) {
            return refuse(
                ErrorCode::XksProxyUriEndpointInUse,
                "Another external key store in this Region uses this endpoint.",
            );
        }
    }
    Ok(())
}

/// Whether the proxy answers and knows us.
pub(crate) fn check_health(call: &Call<'_>, proxy: &XksProxy) -> Result<(), KmsError> {
    let engine = call.engine();
    call.with_request(None, |request| engine.world.proxies.health(proxy, request))
        .map_err(for_store)
}

/// The errors of operations that name a store and change its connection.
pub(crate) const STORE_ERRORS: &[ErrorCode] = &[
    ErrorCode::CustomKeyStoreInvalidState,
    ErrorCode::CustomKeyStoreNotFound,
    ErrorCode::Internal,
];

/// A row of the control plane, about a custom key store.
pub(crate) const fn store_row(
    name: &'static str,
    verb: &'static str,
    path: &'static str,
    members: &'static [Member],
) -> Spec {
    Spec {
        states: &[],
        logged: &["CustomKeyStoreId"],
        errors: STORE_ERRORS,
        ..control(name, verb, path, members)
    }
}
