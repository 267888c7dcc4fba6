//! The operator's settings: one file a section, unknown keys are errors.
//!
//! Owns defaults, bounds and the order file < `PATCHBAY_<SECTION>__<KEY>` < flag. It reads no state
//! and starts nothing; a value that is out of bounds is refused, never clamped in silence.
//! siblings: paths

mod app;
mod auth;
mod check;
mod checks;
mod codex;
mod error;
mod keys;
mod layers;
mod legacy;
mod repositories;
mod root;
mod security;
mod server;
mod tunnel;
mod workers;

pub use app::{AppConfig, ToolMode};
pub use auth::AuthConfig;
pub use check::is_loopback;
pub use checks::ChecksConfig;
pub use codex::{ApprovalPolicy, CodexConfig};
pub use error::{ConfigError, Problem};
pub use layers::Layers;
pub use repositories::RepositoriesConfig;
pub use root::Config;
pub use security::SecurityConfig;
pub use server::ServerConfig;
pub use tunnel::{TunnelConfig, TunnelMode};
pub use workers::{ResumeInterrupted, WorkersConfig};

#[cfg(test)]
mod tests_layers;
#[cfg(test)]
mod tests_legacy;
