//! Which hosts and web pages may talk to us. Loopback is not trusted: a page in the user's browser can
//! reach it (DNS rebinding), so `Host` and `Origin` are checked on every request.

use super::WebError;
use crate::config::ServerConfig;
use crate::mcp::Reach;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;

/// The hosts and origins that are allowed.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    hosts: Arc<[Place]>,
    origins: Arc<[Origin]>,
    reach: Reach,
}

/// A host, and a port where one is demanded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    place: Place,
    any_port: bool,
}

impl Guard {
    /// Loopback names, the address that is bound where it is one, and what the operator added. An entry
    /// that cannot be read allows nothing. `reach` names the host of a tunnel, as long as there is one.
    pub(crate) fn new(config: &ServerConfig, reach: Reach) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        let bound = Some(config.host.clone()).filter(|h| h != "0.0.0.0" && h != "::");
        let hosts = loopback.into_iter().chain(bound).chain(config.allowed_hosts.iter().cloned());
        Self {
            hosts: hosts.filter_map(|h| place(&h)).collect(),
            origins: config.allowed_origins.iter().filter_map(|o| allowed_origin(o)).collect(),
            reach,
        }
    }

    /// Checks a request's `Host` and `Origin`.
    ///
    /// # Errors
    /// [`WebError::Host`] when it is missing, unreadable or not allowed; [`WebError::Origin`] when one is
    /// there that is neither allowed nor our own loopback page.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), WebError> {
        let host = match headers.get(header::HOST) {
            Some(value) => value.to_str().ok().and_then(place),
            None => uri.authority().and_then(|a| place(a.as_str())),
        };
        let host = host.ok_or(WebError::Host)?;
        let fits =
            |p: &Place| p.host == host.host && p.port.is_none_or(|port| host.port == Some(port));
        let known =
            self.hosts.iter().any(fits) || self.reach.host().is_some_and(|h| h == host.host);
        if headers.get_all(header::HOST).iter().count() > 1 || !known {
            return Err(WebError::Host);
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(value) = origins.next() else { return Ok(()) };
        let origin = value.to_str().ok().and_then(sent_origin).ok_or(WebError::Origin)?;
        let same = origin.scheme == "http" && origin.place == with_port(&host, 80);
        if origins.next().is_none() && (same || self.origins.iter().any(|o| o.allows(&origin))) {
            Ok(())
        } else {
            Err(WebError::Origin)
        }
    }
}

/// The guard as a layer around all routes.
///
/// # Errors
/// Those of [`Guard::check`].
pub(crate) async fn layer(
    State(guard): State<Guard>,
    request: Request,
    next: Next,
) -> Result<Response, WebError> {
    guard.check(request.uri(), request.headers()).inspect_err(|error| {
        tracing::warn!(%error, "request refused");
    })?;
    Ok(next.run(request).await)
}

impl Origin {
    fn allows(&self, sent: &Self) -> bool {
        let port = self.any_port || self.place.port == sent.place.port;
        self.scheme == sent.scheme && self.place.host == sent.place.host && port
    }
}

fn place(text: &str) -> Option<Place> {
    let text = text.trim();
    let bare_v6 = text.parse::<std::net::Ipv6Addr>().ok().map(|a| format!("[{a}]"));
    let authority: Authority = bare_v6.as_deref().unwrap_or(text).parse().ok()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    Some(Place { host, port: authority.port_u16() })
}

fn with_port(place: &Place, default: u16) -> Place {
    Place { host: place.host.clone(), port: Some(place.port.unwrap_or(default)) }
}

/// An `Origin` header, with the port its scheme implies.
fn sent_origin(text: &str) -> Option<Origin> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some(Origin { place: with_port(&place(rest)?, default), scheme, any_port: false })
}

/// An entry of `server.allowed_origins`: `https://chatgpt.com`, `http://localhost:*`.
fn allowed_origin(text: &str) -> Option<Origin> {
    let any = text.trim().strip_suffix(":*");
    let mut origin = sent_origin(any.unwrap_or(text))?;
    origin.any_port = any.is_some();
    Some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: &ServerConfig, host: &str, origin: Option<&str>) -> Result<(), WebError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        Guard::new(config, Reach::default()).check(&Uri::from_static("/mcp"), &headers)
    }

    #[test]
    fn hosts_and_origins() {
        let config = ServerConfig {
            allowed_hosts: vec!["box.example".to_owned(), "other.example:8443".to_owned()],
            allowed_origins: vec![
                "https://chatgpt.com".to_owned(),
                "http://localhost:*".to_owned(),
            ],
            ..ServerConfig::default()
        };
        let table: &[(&str, Option<&str>, Result<(), WebError>)] = &[
            ("127.0.0.1:8000", None, Ok(())),
            ("localhost", None, Ok(())),
            ("LOCALHOST:1", None, Ok(())),
            ("[::1]:8000", None, Ok(())),
            ("box.example:1", None, Ok(())),
            ("other.example:8443", None, Ok(())),
            ("other.example", None, Err(WebError::Host)),
            ("evil.example", None, Err(WebError::Host)),
            ("localhost.evil.example", None, Err(WebError::Host)),
            ("user@localhost", None, Err(WebError::Host)),
            ("127.0.0.1:8000", Some("http://127.0.0.1:8000"), Ok(())),
            ("127.0.0.1:8000", Some("https://127.0.0.1:8000"), Err(WebError::Origin)),
            ("127.0.0.1:8000", Some("http://127.0.0.1:9000"), Err(WebError::Origin)),
            ("127.0.0.1:8000", Some("http://localhost:9000"), Ok(())),
            ("127.0.0.1:8000", Some("https://chatgpt.com"), Ok(())),
            ("127.0.0.1:8000", Some("https://chatgpt.com:444"), Err(WebError::Origin)),
            ("127.0.0.1:8000", Some("http://chatgpt.com"), Err(WebError::Origin)),
            ("127.0.0.1:8000", Some("https://evil.example"), Err(WebError::Origin)),
            ("127.0.0.1:8000", Some("null"), Err(WebError::Origin)),
        ];
        for (host, origin, expected) in table {
            assert_eq!(ask(&config, host, *origin), *expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn the_host_of_a_tunnel_is_known_as_long_as_the_tunnel_is_there() {
        use crate::mcp::TunnelState;
        let reach = Reach::default();
        let guard = Guard::new(&ServerConfig::default(), reach.clone());
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "quick-fox.trycloudflare.com".parse().unwrap());
        let ask = || guard.check(&Uri::from_static("/mcp"), &headers);
        assert_eq!(ask(), Err(WebError::Host));
        reach.set(TunnelState::Up, Some("quick-fox.trycloudflare.com"), "up");
        assert_eq!(ask(), Ok(()));
        reach.set(TunnelState::Down, None, "down");
        assert_eq!(ask(), Err(WebError::Host));
    }
}
