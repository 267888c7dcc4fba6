//! Assembly: all rooms, wired once, handed to the doors.

use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::integration::Integrations;
use crate::ownership::Owners;
use crate::paths::StateDir;
use crate::store::Store;
use crate::worker::Workers;
use std::sync::Arc;

/// The program: every room, wired.
pub struct App {
    /// The operator's settings.
    pub config: Arc<Config>,
    /// Where state is kept.
    pub state: StateDir,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub store: Store,
    /// Refs of callers.
    pub owners: Owners,
    /// What a chat may read; resolves `repo_path` for every tool.
    pub context: Context,
    /// Previews and applies the results of workers.
    pub integrations: Integrations,
    /// The workers.
    pub workers: Workers,
}
