use super::args::StartArgs;
use super::engine::{Engine, Serving};
use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use super::tunnel::{self, Plan};
use crate::secret::Secret;
use crate::tunnel::Tunnel;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::net::TcpListener;

/// `patchbay start`: serves until a signal or `patchbay stop`.
///
/// # Errors
/// A setting, the state directory, the port or the engine lock is not to be had.
pub(super) async fn run(args: &StartArgs, global: &Global) -> Result<ExitCode, CliError> {
    let state = global.state()?;
    let settings =
        Settings::with_tunnel(global, &state, &args.serve, Some(&args.listen), args.tunnel_mode)?;
    for note in &settings.notes {
        global.terminal().note(note);
    }
    if args.print_only {
        print_plan(global, &settings);
        return Ok(ExitCode::SUCCESS);
    }
    let plan = Plan::of(&settings, global)?;
    let listener = bind(&settings).await?;
    let bound = listener.local_addr().map_err(|e| CliError::from(anyhow::Error::from(e)))?;
    let engine = Engine::open(global, state.clone(), &settings).await?;
    let url = shown_url(bound, engine.token(), args.reveal_token);
    engine.server().set_url(shown_url(bound, engine.token(), false));
    let serving = Serving::start(&engine, listener, bound);
    let (tunnel, keep_turns) = tokio::select! {
        tunnel = open(plan, &engine, bound, global) => (tunnel, None),
        keep_turns = engine.until_stopped() => (Ok(None), Some(keep_turns)),
    };
    let done = match (tunnel, keep_turns) {
        (Ok(tunnel), None) => {
            let (public, steps) = tunnel::told(tunnel.as_ref(), &engine, args.reveal_token);
            let ready = json!({
                "url": url,
                "port": bound.port(),
                "token_file": state.token(),
                "pid": std::process::id(),
                "tunnel": public,
            });
            let words = greeting(&url, &settings, args.reveal_token) + &steps;
            global.terminal().answer(&ready, &words);
            let keep_turns = engine.until_stopped().await;
            if let Some(tunnel) = tunnel {
                tunnel.end().await;
            }
            Ok(keep_turns)
        }
        (Ok(_), Some(keep_turns)) => Ok(keep_turns),
        // The server was never ready; turns that an earlier one left go on.
        (Err(error), _) => Err(error),
    };
    serving.stop().await;
    engine.close(*done.as_ref().unwrap_or(&true)).await;
    done.map(|_| ExitCode::SUCCESS)
}

async fn open(
    plan: Option<Plan<'_>>,
    engine: &Engine,
    bound: SocketAddr,
    global: &Global,
) -> Result<Option<Tunnel>, CliError> {
    match plan {
        Some(plan) => plan.open(engine, bound, global).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(settings: &Settings) -> Result<TcpListener, CliError> {
    let server = &settings.config.server;
    TcpListener::bind((server.host.as_str(), server.port)).await.map_err(|error| {
        let text = format!("cannot listen on {}:{}: {error}", server.host, server.port);
        match error.kind() {
            std::io::ErrorKind::AddrInUse => CliError::failed(
                "port_busy",
                text,
                "Name another one with --port, or --port 0 for any free one.",
            ),
            _ => CliError::failed("cannot_listen", text, "Check --host and --port."),
        }
    })
}

fn shown_url(bound: SocketAddr, token: &Secret, reveal: bool) -> String {
    let secret = if reveal { token.expose() } else { "[redacted]" };
    format!("http://{bound}/mcp/{secret}")
}

fn greeting(url: &str, settings: &Settings, revealed: bool) -> String {
    let roots: Vec<String> =
        settings.roots.all().iter().map(|root| format!("  {}", root.display())).collect();
    let mut text =
        format!("patchbay serves MCP at\n  {url}\nfor repositories below\n{}", roots.join("\n"));
    if !revealed {
        text.push_str("\nThe secret is in the token file; --reveal-token shows the whole address.");
    }
    text.push_str("\nCtrl-C ends the server and leaves running turns; `patchbay stop` ends both.");
    text
}

fn print_plan(global: &Global, settings: &Settings) {
    let config = &settings.config;
    let plan: Value = json!({
        "host": config.server.host,
        "port": config.server.port,
        "roots": settings.roots.all(),
        "tool_mode": config.app.tool_mode,
        "auth": config.auth.enabled,
        "tunnel": config.tunnel.mode,
        "config_file": settings.file,
        "max_concurrent_turns": config.server.max_concurrent_turns,
    });
    let text = serde_json::to_string_pretty(&plan).unwrap_or_default();
    global.terminal().answer(&plan, &text);
}
