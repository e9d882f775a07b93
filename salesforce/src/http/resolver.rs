//! Names that lead into a private network are not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Asks the system's resolver, and refuses an answer that holds an address outside the public internet.
///
/// The host rules alone do not protect: whoever controls a DNS answer could otherwise point an admitted name at a
/// metadata endpoint. The proxy's own name is exempt, for it is usually internal.
pub(super) struct PublicAddresses {
    pub(super) proxy_host: Option<String>,
}

/// The name service has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnknownName(std::io::Error);

/// The refused answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name resolves to {0}, which is not a public address")]
pub(super) struct PrivateAddress(pub(super) IpAddr);

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let exempt = self.proxy_host.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(UnknownName)?;
            let found: Vec<SocketAddr> = found.collect();
            match found.iter().find(|address| !exempt && !is_public(address.ip())) {
                Some(address) => Err(PrivateAddress(address.ip()).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// False for private, loopback, link-local (with the metadata address 169.254.169.254), shared, reserved, and
/// documentation ranges, and for IPv6 addresses that carry such an IPv4 address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried_v4(address) {
            Some(carried) => is_public_v4(carried),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0))
}

/// The IPv4 address inside a mapped, translated (NAT64) or 6to4 address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, ..] | [0, 0, 0, 0, 0, 0xffff, ..] => {
            let [.., a, b, c, d] = address.octets();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Global unicast is 2000::/3; documentation, benchmarking and Teredo inside it are not for use.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0xdb8, ..] | [0x2001, 0 | 2, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_a_network_are_not_public() {
        for inside in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a00:1::",
            "2001:db8::1",
            "::10.0.0.1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for outside in ["85.222.140.6", "13.110.0.1", "2a00:1450:4001::1", "::ffff:85.222.140.6", "100.128.0.1"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused() {
        let resolver = PublicAddresses { proxy_host: None };
        let Err(error) = resolver.resolve("localhost".parse().unwrap()).await else { panic!("resolved") };
        assert!(error.downcast_ref::<PrivateAddress>().is_some(), "{error}");
        let proxied = PublicAddresses { proxy_host: Some("localhost".to_owned()) };
        assert!(proxied.resolve("localhost".parse().unwrap()).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_a_name_is_unknown_and_not_merely_unreachable() {
        let resolver = PublicAddresses { proxy_host: None };
        // An empty label: the resolver refuses it without asking anybody.
        let Err(error) = resolver.resolve("no..name".parse().unwrap()).await else { panic!("resolved") };
        assert!(error.downcast_ref::<UnknownName>().is_some(), "{error}");
    }
}
