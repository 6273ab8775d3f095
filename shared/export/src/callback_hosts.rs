//! The servers that callbacks may be posted to. A user's URL must not lead into the operator's network.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use url::{Host, Url};

use crate::CallbackUrl;

/// The servers that callbacks may be posted to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CallbackHosts {
    /// Every server with a public address.
    #[default]
    Public,
    /// Only these hosts, as URLs write them, whatever their addresses.
    Listed(Vec<String>),
}

/// The reason why a server is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForbiddenHost {
    /// Its address is not public.
    #[error("callbacks are not posted to {0}: it is not a public address")]
    Address(IpAddr),
    /// The deployment has a list of hosts, and it is not on it.
    #[error(
        "callbacks are not posted to {0}: it is not among the hosts that this deployment allows"
    )]
    Host(String),
}

/// Reads the setting: hosts with commas between them.
impl FromStr for CallbackHosts {
    type Err = Infallible;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let hosts = s.split(',').map(str::trim).filter(|host| !host.is_empty());
        Ok(Self::Listed(hosts.map(str::to_owned).collect()))
    }
}

impl CallbackHosts {
    /// Checks the URL of a callback before its name is looked up.
    pub fn check(&self, callback: &CallbackUrl) -> Result<(), ForbiddenHost> {
        // A callback's URL was read before.
        callback.to_string().parse().map_or(Ok(()), |url| self.url(&url))
    }

    /// Checks a URL before its name is looked up.
    pub fn url(&self, url: &Url) -> Result<(), ForbiddenHost> {
        match (self, url.host()) {
            (Self::Listed(hosts), _) => {
                let host = url.host_str().unwrap_or_default();
                let listed = hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
                if listed { Ok(()) } else { Err(ForbiddenHost::Host(host.to_owned())) }
            }
            (Self::Public, Some(Host::Ipv4(address))) => self.address(address.into()),
            (Self::Public, Some(Host::Ipv6(address))) => self.address(address.into()),
            (Self::Public, Some(Host::Domain(_)) | None) => Ok(()),
        }
    }

    /// Returns the addresses of a name if all of them are allowed. A name that also has others could lead to them
    /// at the next look-up.
    pub fn all(
        &self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, ForbiddenHost> {
        found.map(|address| self.address(address.ip()).map(|()| address)).collect()
    }

    fn address(&self, address: IpAddr) -> Result<(), ForbiddenHost> {
        let allowed = match (self, address) {
            (Self::Listed(_), _) => true,
            (Self::Public, IpAddr::V4(address)) => is_public_v4(address),
            (Self::Public, IpAddr::V6(address)) => is_public_v6(address),
        };
        if allowed { Ok(()) } else { Err(ForbiddenHost::Address(address)) }
    }
}

/// Whether an address is public, by IANA's registry of special-purpose IPv4 addresses.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

/// Whether an address is public, by IANA's registries of IPv6: global unicast only. Addresses that carry an IPv4
/// address (mapped, compatible, translated, 6to4, Teredo) are not public.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let global = (0x2000..0x4000).contains(&a);
    let special = match a {
        // Teredo, benchmarks, ORCHID and others; documentation.
        0x2001 => b < 0x0200 || b == 0x0db8,
        // 6to4.
        0x2002 => true,
        // Documentation.
        0x3fff => b < 0x1000,
        _ => false,
    };
    global && !special
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(address: &str) -> bool {
        CallbackHosts::Public.address(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn only_public_addresses_are_called() {
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!check(private), "{private}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2001:200::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(check(public), "{public}");
        }
    }

    #[test]
    fn an_address_is_seen_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0",
            "169.254.169.254",
        ] {
            let url: Url = format!("http://{host}/").parse().unwrap();
            assert!(CallbackHosts::Public.url(&url).is_err(), "{host}");
            let callback: CallbackUrl = url.as_str().parse().unwrap();
            assert!(CallbackHosts::Public.check(&callback).is_err(), "{host}");
        }
    }

    #[test]
    fn a_name_that_also_leads_inside_is_not_called() {
        let of = |addresses: &[&str]| {
            let found = addresses.iter().map(|a| SocketAddr::new(a.parse().unwrap(), 0));
            CallbackHosts::Public.all(found)
        };
        assert_eq!(of(&["1.1.1.1", "8.8.8.8"]).unwrap().len(), 2);
        let inside = ForbiddenHost::Address("10.0.0.1".parse().unwrap());
        assert_eq!(of(&["1.1.1.1", "10.0.0.1"]), Err(inside));
    }

    #[test]
    fn a_list_of_hosts_allows_nothing_else() {
        let list = "127.0.0.1, hooks.example.com".parse::<CallbackHosts>().unwrap();
        for good in ["http://127.0.0.1:8/", "http://2130706433/", "https://HOOKS.example.com/a"] {
            assert_eq!(list.url(&good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "http://127.0.0.2",
            "http://[::ffff:127.0.0.1]",
            "https://example.com",
            "http://8.8.8.8",
        ] {
            assert!(list.url(&bad.parse().unwrap()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_ipv4_in_disguise_is_public(v4 in any::<u32>()) {
            let v4 = Ipv4Addr::from(v4);
            prop_assert!(!is_public_v6(v4.to_ipv6_mapped()));
            prop_assert!(!is_public_v6(v4.to_ipv6_compatible()));
            prop_assert!(!v4.is_private() || !is_public_v4(v4));
        }
    }
}
