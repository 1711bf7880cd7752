//! Addresses that only something on this machine or its link has business with: who can have a URL called must not
//! reach a cloud's metadata by it.
//!
//! Sources: <https://www.rfc-editor.org/rfc/rfc3927>, <https://www.rfc-editor.org/rfc/rfc4291#section-2.5.6>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metadata services that are not on a local link: AWS's by IPv6, Azure's, Alibaba Cloud's, Google's by IPv6.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether an address is link-local, unspecified or multicast, or that of a metadata service.
pub fn is_guarded(address: IpAddr) -> bool {
    let address = inner(address);
    let local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    local || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address)
}

/// The IPv4 address that an IPv6 address stands for: mapped, or behind the well-known prefix of NAT64.
fn inner(address: IpAddr) -> IpAddr {
    if let IpAddr::V6(v6) = address {
        let [a, b, c, d, e, f, high, low] = v6.segments();
        if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
            let bits = u32::from(high) << 16 | u32::from(low);
            return Ipv4Addr::from_bits(bits).into();
        }
    }
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_own_link_is_guarded_and_the_world_is_not() {
        for guarded in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "168.63.129.16",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(is_guarded(guarded.parse().unwrap()), "{guarded}");
        }
        for free in ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "203.0.113.7", "2001:db8::1"] {
            assert!(!is_guarded(free.parse().unwrap()), "{free}");
        }
    }
}
