use super::{TunnelError, TunnelOptions};
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::time::Instant;

/// The header by which our own health answer is known. It holds a random word of this run.
pub(super) const PROBE: &str = crate::mcp::PROBE_HEADER;

/// How long one attempt may take, and the pause after it.
const ATTEMPT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for `/healthz` through the tunnel until our own answer comes back.
pub(super) async fn until_healthy(
    options: &TunnelOptions,
    host: &str,
    probe: &str,
) -> Result<(), TunnelError> {
    let begun = Instant::now();
    let unhealthy = |reason: String| TunnelError::Unhealthy {
        host: host.to_owned(),
        seconds: options.patience.as_secs(),
        reason,
    };
    let client = client().map_err(|e| unhealthy(e.to_string()))?;
    let own = format!("https://{host}");
    let base = options.health_base.as_deref().unwrap_or(&own).trim_end_matches('/');
    let url = format!("{base}/healthz");
    loop {
        let attempt = ask(&client, &url, host, probe);
        let reason = match tokio::time::timeout(ATTEMPT, attempt).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(_) => "no answer".to_owned(),
        };
        if begun.elapsed() > options.patience {
            return Err(unhealthy(reason));
        }
        tracing::debug!(host, reason, "the tunnel is not healthy yet");
        tokio::time::sleep(PAUSE).await;
    }
}

type Http = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

fn client() -> std::io::Result<Http> {
    let provider = rustls::crypto::ring::default_provider();
    let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    Ok(Client::builder(TokioExecutor::new()).build(tls.https_or_http().enable_http1().build()))
}

async fn ask(client: &Http, url: &str, host: &str, probe: &str) -> Result<(), String> {
    let request = Request::get(url)
        .header(header::HOST, host)
        .body(Empty::new())
        .map_err(|e| e.to_string())?;
    let answer = client.request(request).await.map_err(|e| cause(&e))?;
    let ours = answer.headers().get(PROBE).is_some_and(|word| word.as_bytes() == probe.as_bytes());
    match answer.status() {
        StatusCode::OK if ours => Ok(()),
        StatusCode::OK => Err("something else answers there".to_owned()),
        status => Err(format!("it answers {status}")),
    }
}

/// The innermost cause: the outer ones say that there was one.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
