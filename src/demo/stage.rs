use super::story::{self, File};
use crate::clock::Clock;
use crate::git::{Git, Repo};
use crate::paths::{Env, StateDir};
use crate::scripted::{ScriptedModel, ScriptedOptions};
use anyhow::Context;
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory of one demo and what is in it.
pub(super) struct Stage {
    dir: PathBuf,
    /// The base checkout.
    pub(super) repo: Repo,
    /// The server's state directory.
    pub(super) state: StateDir,
    /// The commit at which the base stands.
    pub(super) head: String,
    /// The model that does the work.
    pub(super) model: ScriptedModel,
    /// The environment of the server: nothing of the user's but `PATH` and words about language.
    pub(super) env: Env,
}

/// Makes the empty directory of one demo beside the state directory, never below /tmp (codex refuses
/// to keep its helpers there).
pub(super) fn make_dir(env: &Env) -> anyhow::Result<PathBuf> {
    let state = StateDir::locate(env)?;
    let mut name = state.file_name().unwrap_or_default().to_os_string();
    name.push("-demo");
    let parent = state.with_file_name(name);
    let made = |dir: &Path, recursive| {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(recursive).mode(0o700).create(dir)
    };
    made(&parent, true).with_context(|| format!("cannot make {}", parent.display()))?;
    let tag =
        format!("{}-{}", Clock::system().now_ms(), rustix::process::getpid().as_raw_nonzero());
    let dir = parent.join(tag);
    made(&dir, false).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir.canonicalize()?)
}

/// Removes what [`make_dir`] made.
pub(super) fn remove_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    // The parent stays while another demo plays in it.
    let _ = dir.parent().map(std::fs::remove_dir);
    Ok(())
}

/// Repository, state directory and model of a demo in `dir`; `codex` is the binary that the server uses.
pub(super) async fn prepare(dir: &Path, user: &Env, codex: &Path) -> anyhow::Result<Stage> {
    let home = dir.join("home");
    std::fs::create_dir(&home)?;
    let state = StateDir::open(&dir.join("state"))?;
    let env = server_env(user, &home, state.root(), codex);
    let root = dir.join("repository");
    write_files(&root, &story::before())?;
    let git = Git::new(&env);
    git.run(&root, "init").args(["--quiet", "--initial-branch=main"]).ok().await?;
    git.run(&root, "add").arg("--all").ok().await?;
    git.run(&root, "commit").args(["--quiet", "--message=Greeter"]).ok().await?;
    let repo = Repo::open(&git, &root).await?;
    let head = repo.head().await?;
    let model = ScriptedModel::start(ScriptedOptions {
        log_file: Some(dir.join("model.jsonl")),
        ..ScriptedOptions::default()
    })
    .await?;
    // A JSON string is a YAML string.
    let config = format!("codex:\n  scripted_base_url: {}\n", serde_json::json!(model.base_url()));
    state.write_private(&state.config(), config.as_bytes())?;
    Ok(Stage { dir: dir.to_path_buf(), repo, state, head, model, env })
}

fn server_env(user: &Env, home: &Path, state: &Path, codex: &Path) -> Env {
    let kept = ["PATH", "LANG", "LC_ALL", "USER", "LOGNAME", "PATCHBAY_LOG"]
        .into_iter()
        .filter_map(|name| Some((name.into(), user.get(name)?.to_os_string())));
    let own = [("HOME", home), ("PATCHBAY_HOME", state), ("PATCHBAY_CODEX", codex)]
        .map(|(name, path)| (std::ffi::OsString::from(name), path.as_os_str().to_os_string()));
    Env::of(kept.chain(own))
}

fn write_files(root: &Path, files: &BTreeMap<&'static str, File>) -> anyhow::Result<()> {
    std::fs::create_dir(root)?;
    for (name, (executable, text)) in files {
        let path = root.join(name);
        std::fs::write(&path, text)?;
        let mode = if *executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

impl Stage {
    /// The directory of the demo.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of the demo's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}
