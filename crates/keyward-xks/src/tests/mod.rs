//! What the tests share. `bodies` needs no connection, `sockets` speaks real TLS to a `server` in the process,
//! `independent` speaks to a proxy that somebody else could have written.

mod bodies;
mod independent;
mod server;
mod sockets;

use keyward_types::{ProxyRequest, Region, XksProxy, XksProxyConnectivity};
use zeroize::Zeroizing;

pub(crate) const ACCESS_KEY_ID: &str = "AAAABBBBCCCCDDDD2345";
pub(crate) const SECRET: &str = "01234567890123456789012345678901234567890123";

pub(crate) fn proxy(endpoint: &str, path: &str) -> XksProxy {
    XksProxy {
        endpoint: endpoint.to_owned(),
        path: path.to_owned(),
        connectivity: XksProxyConnectivity::PublicEndpoint,
        vpc_endpoint_service_name: None,
        vpc_endpoint_service_owner: None,
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: Zeroizing::new(SECRET.to_owned()),
    }
}

pub(crate) fn region() -> Region {
    Region::parse("eu-west-1").unwrap()
}

pub(crate) fn request<'r>(region: &'r Region, operation: &'r str) -> ProxyRequest<'r> {
    ProxyRequest {
        region,
        operation,
        request_id: uuid::Uuid::from_u128(0x4112_f4d6_db54_4af4_ae30_c55a_22a8_dfae),
        principal_arn: "arn:aws:iam::123456789012:user/Alice",
        key_arn: None,
        source_vpc: None,
        source_vpce: None,
        via_service: None,
    }
}
