//! Which addresses a webhook may be sent to.
//!
//! An address is given by whoever sets up a sync, and the request comes from inside the vendor's network: without a
//! policy, it would reach what the network keeps from the outside (server-side request forgery). So the name is resolved
//! here, every address that comes out is judged, and the connection goes to one of exactly these: a name that answers
//! otherwise a moment later gains nothing.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The port of HTTPS.
const HTTPS: u16 = 443;

/// What the configuration admits beyond the public internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks that may be reached, on any port.
    pub allow: Vec<Network>,
    /// Plain HTTP, to this machine alone.
    pub allow_http: bool,
}

/// Addresses with a prefix in common: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// No network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write an address or a network, such as 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| NotANetwork)?;
        if prefix > longest {
            return Err(NotANetwork);
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    fn holds(&self, address: IpAddr) -> bool {
        let same = |one: u128, other: u128, bits: u32| {
            let shift = bits - u32::from(self.prefix);
            // All bits shifted out: every address.
            one.checked_shr(shift).unwrap_or(0) == other.checked_shr(shift).unwrap_or(0)
        };
        match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => same(one.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(other)) => same(one.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Why an address is not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "{0} is no public address. If the receiver is meant to be inside your network, admit it in the configuration: \
         webhook.allow = [\"{0}\"]"
    )]
    Inside(IpAddr),
    #[error(
        "port {port} is not 443. If that is meant, admit the receiver's address in the configuration: webhook.allow = \
         [\"{address}\"]"
    )]
    Port { port: u16, address: IpAddr },
    #[error("a proxy is set for webhooks, and through a proxy port {0} is not reached, but 443 alone")]
    PortBehindProxy(u16),
    #[error("http:// is not encrypted: write https://. For a receiver on this machine, webhook.allow_http admits it")]
    Plain,
}

/// The name service has no answer.
#[derive(Debug, thiserror::Error)]
#[error("its name is not known: {0}")]
struct UnknownName(std::io::Error);

impl Policy {
    /// Judges an address that a URL leads to.
    fn admit(&self, url: &Url, address: IpAddr) -> Result<(), Refused> {
        let address = canonical(address);
        let port = url.port_or_known_default().unwrap_or(HTTPS);
        if url.scheme() != "https" {
            return if self.allow_http && address.is_loopback() { Ok(()) } else { Err(Refused::Plain) };
        }
        if self.allow.iter().any(|network| network.holds(address)) {
            return Ok(());
        }
        if !is_public(address) {
            return Err(Refused::Inside(address));
        }
        if port != HTTPS { Err(Refused::Port { port, address }) } else { Ok(()) }
    }

    /// Judges what can be judged of a URL before its name is resolved: an address in the place of a name is never asked
    /// for from a resolver.
    pub(super) fn admit_url(&self, url: &Url, has_proxy: bool) -> Result<(), Refused> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.admit(url, address.into()),
            Some(Host::Ipv6(address)) => self.admit(url, address.into()),
            Some(Host::Domain(_)) | None if url.scheme() != "https" && (has_proxy || !self.allow_http) => {
                Err(Refused::Plain)
            }
            Some(Host::Domain(_)) | None => match url.port() {
                Some(port) if has_proxy => Err(Refused::PortBehindProxy(port)),
                _ => Ok(()),
            },
        }
    }
}

/// Resolves the receiver's name, and refuses an answer with an address that the policy does not admit.
pub(super) struct Admitted {
    pub(super) policy: Policy,
    pub(super) url: Url,
    /// The proxy's own name is not judged: it is usually internal.
    pub(super) proxy_host: Option<String>,
}

impl Resolve for Admitted {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy_host.as_deref() == Some(name.as_str());
        let (policy, url) = (self.policy.clone(), self.url.clone());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(UnknownName)?;
            let found: Vec<SocketAddr> = found.collect();
            if !is_proxy {
                found.iter().try_for_each(|address| policy.admit(&url, address.ip()))?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// An IPv4 address in its own form, however it was written.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// False for everything that the IANA registries of special-purpose addresses name, and for IPv6 addresses that carry such
/// an IPv4 address: private, loopback, link-local (with the metadata address 169.254.169.254), shared, benchmarking,
/// documentation, reserved and multicast ones, and everything outside 2000::/3.
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
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99))
}

/// The IPv4 address inside a mapped, translated (NAT64, RFC 6052) or 6to4 address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0xffff, high, low] | [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    }
}

/// Global unicast is 2000::/3; protocol assignments (with Teredo and benchmarking) and documentation inside it are not for use.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, second, ..] if second < 0x200 => false,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn allowing(networks: &[&str]) -> Policy {
        Policy { allow: networks.iter().map(|text| text.parse().unwrap()).collect(), allow_http: false }
    }

    const INSIDE: &[&str] = &[
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:a00:1::",
        "2001:db8::1",
        "2001::1",
        "2001:2::1",
        "3fff::1",
        "5f00::1",
        "100::1",
    ];

    #[test]
    fn no_address_of_a_network_or_of_a_machine_itself_is_reached() {
        for inside in INSIDE {
            let address: IpAddr = inside.parse().unwrap();
            let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
            let url = url(&format!("https://{host}/hook"));
            assert!(matches!(Policy::default().admit_url(&url, false), Err(Refused::Inside(_))), "{inside}");
            assert!(matches!(Policy::default().admit(&url, address), Err(Refused::Inside(_))), "{inside}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_reached_on_443_alone() {
        for outside in ["85.222.140.6", "[2a00:1450:4001::1]", "[::ffff:85.222.140.6]", "100.128.0.1"] {
            let admit = |port: &str| Policy::default().admit_url(&url(&format!("https://{outside}{port}/")), false);
            assert_eq!((admit(""), admit(":443")), (Ok(()), Ok(())), "{outside}");
            for port in [":8443", ":22", ":80"] {
                assert!(matches!(admit(port), Err(Refused::Port { .. })), "{outside}{port}");
            }
        }
    }

    #[test]
    fn an_address_that_is_spelt_as_a_number_is_the_address_that_it_is() {
        for spelling in ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1.", "①②⑦.0.0.1"] {
            let url = url(&format!("https://{spelling}/"));
            let refused = Policy::default().admit_url(&url, false);
            assert_eq!(refused, Err(Refused::Inside(Ipv4Addr::LOCALHOST.into())), "{spelling}: {url}");
        }
    }

    #[test]
    fn what_the_configuration_names_is_reached_on_any_port_and_nothing_beside_it() {
        let policy = allowing(&["10.0.0.0/8", "fd00::/16", "192.168.1.7"]);
        for admitted in ["10.9.9.9", "10.9.9.9:8080", "[fd00:1::2]:9", "192.168.1.7", "[::ffff:10.1.1.1]:81"] {
            assert_eq!(policy.admit_url(&url(&format!("https://{admitted}/")), false), Ok(()), "{admitted}");
        }
        for refused in ["11.9.9.9:8080", "[fd01::2]", "192.168.1.8", "127.0.0.1"] {
            assert!(policy.admit_url(&url(&format!("https://{refused}/")), false).is_err(), "{refused}");
        }
        assert_eq!(allowing(&["0.0.0.0/0"]).admit_url(&url("https://127.0.0.1/"), false), Ok(()));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "example.com", "10.0.0.0/-1", "10.0.0.0/"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }

    #[test]
    fn plain_http_reaches_this_machine_alone_and_only_where_it_is_admitted() {
        let plain = Policy { allow: vec!["10.0.0.0/8".parse().unwrap()], allow_http: true };
        assert_eq!(plain.admit_url(&url("http://127.0.0.1:8080/"), false), Ok(()));
        assert_eq!(plain.admit_url(&url("http://[::1]:8080/"), false), Ok(()));
        assert_eq!(plain.admit_url(&url("http://10.0.0.1/"), false), Err(Refused::Plain));
        assert_eq!(plain.admit_url(&url("http://85.222.140.6/"), false), Err(Refused::Plain));
        assert_eq!(Policy::default().admit_url(&url("http://127.0.0.1/"), false), Err(Refused::Plain));
        assert_eq!(Policy::default().admit_url(&url("http://example.com/"), false), Err(Refused::Plain));
        assert_eq!(plain.admit_url(&url("http://example.com/"), true), Err(Refused::Plain));
    }

    #[test]
    fn through_a_proxy_that_resolves_names_itself_only_443_is_reached() {
        let admit = |text: &str| Policy::default().admit_url(&url(text), true);
        assert_eq!(admit("https://example.com/"), Ok(()));
        assert_eq!(admit("https://example.com:8443/"), Err(Refused::PortBehindProxy(8443)));
        assert!(matches!(admit("https://169.254.169.254/"), Err(Refused::Inside(_))));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_and_the_proxys_is_not() {
        let admitted = |proxy: Option<&str>| Admitted {
            policy: Policy::default(),
            url: url("https://localhost/"),
            proxy_host: proxy.map(str::to_owned),
        };
        let Err(error) = admitted(None).resolve("localhost".parse().unwrap()).await else { panic!("resolved") };
        assert!(matches!(error.downcast_ref(), Some(Refused::Inside(_))), "{error}");
        assert!(admitted(Some("localhost")).resolve("localhost".parse().unwrap()).await.is_ok());
    }

    proptest! {
        #[test]
        fn an_address_is_judged_alike_in_every_spelling(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = address.octets();
            let policy = Policy::default();
            let judged = policy.admit_url(&url(&format!("https://{address}/")), false).is_ok();
            for spelling in [
                format!("{bits}"),
                format!("0x{bits:x}"),
                format!("0{bits:o}"),
                format!("0{a:o}.0{b:o}.0x{c:x}.{d}"),
                format!("{a}.{}", bits & 0xff_ffff),
                format!("[::ffff:{address}]"),
            ] {
                let is_admitted = policy.admit_url(&url(&format!("https://{spelling}/")), false).is_ok();
                prop_assert_eq!(is_admitted, judged, "{}", spelling);
            }
            for carrier in [format!("64:ff9b::{address}"), format!("2002:{:x}:{:x}::1", bits >> 16, bits & 0xffff)] {
                prop_assert_eq!(is_public(carrier.parse().unwrap()), judged, "{}", carrier);
            }
        }

        #[test]
        fn a_network_holds_what_has_its_prefix_and_nothing_else(bits: u32, other: u32, prefix in 0u8..=32) {
            let network: Network = format!("{}/{prefix}", Ipv4Addr::from_bits(bits)).parse().unwrap();
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            prop_assert_eq!(network.holds(Ipv4Addr::from_bits(other).into()), bits & mask == other & mask);
            prop_assert!(network.holds(Ipv4Addr::from_bits((bits & mask) | (other & !mask)).into()));
        }
    }
}
