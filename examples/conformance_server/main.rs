//! A server for the official conformance suite: the tools, resources and prompts that its scenarios ask
//! for, behind the door of the product. `evals/conformance` drives it.
//!
//! Usage: `conformance_server <state directory>`. It prints one line of JSON with its address and
//! serves until its standard input ends.

mod asking;
mod content;
mod fixture;
mod lists;
mod tasks;

use anyhow::Context;
use axum::Router;
use fixture::{Changes, Fixture};
use patchbay::app::{App, AppOptions};
use patchbay::clock::Clock;
use patchbay::config::Config;
use patchbay::mcp::Presence;
use patchbay::paths::{AllowedRoots, Env, StateDir};
use patchbay::secret::Secret;
use patchbay::web::{Front, mount_handler, serve};
use rmcp::task_manager::TaskManager;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = std::env::args_os().nth(1).context("name a state directory")?;
    let state = StateDir::open(&PathBuf::from(dir))?;
    let token = Secret::ensure_token(&state)?;
    let app = App::open(AppOptions {
        state,
        env: Env::default(),
        config: Arc::new(Config::default()),
        roots: AllowedRoots::new([])?,
        clock: Clock::system(),
        program: PathBuf::from("patchbay"),
    });
    let app = app.await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (bound, cancel) = (listener.local_addr()?, CancellationToken::new());
    say(&format!("http://{bound}/mcp/{}", token.expose()))?;
    let presence = Presence::default();
    let front = Front { app: app.clone(), presence, token, bound, cancel: cancel.clone() };
    let changes = Changes::default();
    let tasks = TaskManager::new();
    let make = move || Fixture::new(changes.clone(), tasks.clone());
    let router = mount_handler(front, make, Router::new());
    let serving = tokio::spawn(serve(listener, router, cancel.clone()));
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    cancel.cancel();
    serving.await??;
    app.close(false).await;
    Ok(())
}

fn say(url: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::json!({ "url": url }))?;
    out.flush()
}
