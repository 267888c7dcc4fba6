use super::args::{ListenArgs, ServeArgs, Tunnel};
use super::error::CliError;
use super::global::Global;
use crate::config::{Config, Layers};
use crate::paths::{AllowedRoots, StateDir};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration of one run, with where it came from.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// All settings.
    pub(super) config: Arc<Config>,
    /// Directories that a chat may name; the first is the default repository.
    pub(super) roots: AllowedRoots,
    /// The file that was read.
    pub(super) file: Option<PathBuf>,
    /// Things the operator should know.
    pub(super) notes: Vec<String>,
}

impl Settings {
    /// Reads file, environment and flags.
    ///
    /// # Errors
    /// A configuration that is refused, or a root that does not exist.
    pub(super) fn load(
        global: &Global,
        state: &StateDir,
        serve: &ServeArgs,
        listen: Option<&ListenArgs>,
    ) -> Result<Self, CliError> {
        Self::with_tunnel(global, state, serve, listen, None)
    }

    /// As [`Settings::load`], with the flag for a tunnel.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub(super) fn with_tunnel(
        global: &Global,
        state: &StateDir,
        serve: &ServeArgs,
        listen: Option<&ListenArgs>,
        tunnel: Option<Tunnel>,
    ) -> Result<Self, CliError> {
        let mut layers = Layers::new(global.env.home());
        let file = config_file(global, state, global.config.as_deref());
        if let Some(file) = &file {
            layers.file(file)?;
        }
        layers.env(&global.env);
        flags(global, &mut layers, serve, listen);
        if let Some(tunnel) = tunnel {
            layers.flag("--tunnel-mode", "tunnel.mode", tunnel.name());
        }
        let notes = layers.notes().to_vec();
        let mut config = layers.build()?;
        let roots = roots(global, serve, &config)?;
        // What is served is what the checks and the settings tool speak of.
        config.repositories.default = roots.all().first().cloned();
        config.repositories.allowed = roots.all().iter().skip(1).cloned().collect();
        Ok(Self { config: Arc::new(config), roots, file, notes })
    }
}

/// `--config`, else `PATCHBAY_CONFIG`, else `config.yaml` of the state directory when there is one.
/// Never a file of the working directory: a repository may be hostile.
fn config_file(global: &Global, state: &StateDir, flag: Option<&Path>) -> Option<PathBuf> {
    let named = flag.map(Path::to_path_buf).or_else(|| global.env.path("PATCHBAY_CONFIG"));
    named.map(|path| global.absolute(&path)).or_else(|| Some(state.config()).filter(|p| p.exists()))
}

fn flags(global: &Global, layers: &mut Layers, serve: &ServeArgs, listen: Option<&ListenArgs>) {
    let codex = serve.codex.clone().map(|path| ("--codex", path));
    let codex = codex.or_else(|| global.env.path("PATCHBAY_CODEX").map(|p| ("PATCHBAY_CODEX", p)));
    if let Some((origin, path)) = codex {
        let path = global.absolute(&path);
        layers.flag(origin, "codex.bin", path.to_string_lossy().into_owned());
    }
    if let Some(mode) = serve.tool_mode {
        layers.flag("--tool-mode", "app.tool_mode", mode.name());
    }
    if let Some(host) = listen.and_then(|l| l.host.clone()) {
        layers.flag("--host", "server.host", host);
    }
    if let Some(port) = listen.and_then(|l| l.port) {
        layers.flag("--port", "server.port", port);
    }
}

/// `--root` stands for the whole section `repositories`; without it the section counts, and without
/// that the working directory. `--allow-root` adds.
fn roots(global: &Global, serve: &ServeArgs, config: &Config) -> Result<AllowedRoots, CliError> {
    let mut roots: Vec<PathBuf> = match &serve.root {
        Some(root) => vec![global.absolute(root)],
        None => {
            let section = &config.repositories;
            section.default.iter().chain(&section.allowed).cloned().collect()
        }
    };
    if roots.is_empty() {
        roots.push(global.cwd.clone());
    }
    roots.extend(serve.allow_root.iter().map(|root| global.absolute(root)));
    let roots = AllowedRoots::new(roots)?;
    if roots.all().iter().any(|root| root == Path::new("/")) {
        return Err(CliError::usage(
            "root_too_wide",
            "the whole disk cannot be an allowed root",
            "Name the repository (or the directory of your repositories) with --root.",
        ));
    }
    Ok(roots)
}
