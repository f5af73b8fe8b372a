//! Which client a request is from, where a proxy stands between.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

use crate::shares::ClientNet;

/// What proxies put clients' addresses in, each behind those that were there.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies that are believed when they say whom a request is from.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpAddr>);

impl TrustedProxies {
    /// The proxies at these addresses.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self(addresses.into_iter().map(|it| it.to_canonical()).collect())
    }

    /// Whether a proxy that is believed has this address.
    pub(super) fn include(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The network that a request counts for. Of the addresses in `X-Forwarded-For` the last one that
    /// is no trusted proxy's is the client's: those before it are what the client itself wrote. A
    /// proxy that says nothing that can be read is taken for the client.
    pub(super) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> ClientNet {
        let mut client = peer;
        let values = headers.get_all(X_FORWARDED_FOR).iter().rev();
        let mut said = values.flat_map(|value| {
            let text = value.to_str().unwrap_or("");
            text.rsplit(',').map(|part| part.trim().parse::<IpAddr>())
        });
        while self.include(client)
            && let Some(Ok(address)) = said.next()
        {
            client = address;
        }
        ClientNet::of(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_who_the_last_trusted_proxy_saw() {
        let proxies = TrustedProxies::new(["127.0.0.1", "10.0.0.7"].map(|it| it.parse().unwrap()));
        let client_of = |peer: &str, values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_FORWARDED_FOR, value.parse().unwrap());
            }
            let net = proxies.client_of(peer.parse().unwrap(), &headers);
            net.to_string()
        };
        // Who is no proxy says nothing about itself.
        assert_eq!(client_of("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(client_of("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            client_of("::ffff:127.0.0.1", &["198.51.100.1"]),
            "198.51.100.1"
        );
        // What a client wrote stands before what the proxy saw.
        let spoofed = ["203.0.113.5, 198.51.100.1"];
        assert_eq!(client_of("127.0.0.1", &spoofed), "198.51.100.1");
        assert_eq!(
            client_of("127.0.0.1", &["203.0.113.5", "198.51.100.1"]),
            "198.51.100.1"
        );
        // Two proxies, one behind the other.
        let through = ["203.0.113.5, 198.51.100.1, 10.0.0.7"];
        assert_eq!(client_of("127.0.0.1", &through), "198.51.100.1");
        // Nothing that can be read: the nearest that is known.
        assert_eq!(client_of("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client_of("127.0.0.1", &["unknown"]), "127.0.0.1");
        assert_eq!(
            client_of("127.0.0.1", &["198.51.100.1, junk, 10.0.0.7"]),
            "10.0.0.7"
        );
        assert_eq!(
            client_of("127.0.0.1", &["2001:db8:1:2::9"]),
            "2001:db8:1:2::/64"
        );
    }
}
