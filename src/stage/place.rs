use crate::clock::Clock;
use crate::git::{Git, Repo};
use crate::paths::{Env, StateDir};
use crate::scripted::{ScriptedModel, ScriptedOptions};
use anyhow::Context;
use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Files by path: whether each can be executed, and its text.
pub type Files = BTreeMap<String, (bool, String)>;

/// A file as found: whether it can be executed, and its bytes.
pub type Found = (bool, Vec<u8>);

/// The directory of one play and what is in it.
pub struct Stage {
    dir: PathBuf,
    /// The base checkout.
    pub repo: Repo,
    /// The server's state directory.
    pub state: StateDir,
    /// The commit at which the base stood in the beginning.
    pub head: String,
    /// The scripted model that does the work; nobody asks it in a live play.
    pub model: ScriptedModel,
    /// The environment of the server: nothing of the user's but `PATH` and words about language.
    pub env: Env,
    /// Whether a real model does the work, with the user's own codex home.
    pub live: bool,
}

/// Makes the empty directory of one play beside the state directory, named after it and `tag`; never
/// below /tmp (codex refuses to keep its helpers there).
///
/// # Errors
/// When it cannot be made.
pub fn make_dir(env: &Env, tag: &str) -> anyhow::Result<PathBuf> {
    let state = StateDir::locate(env)?;
    let mut name = state.file_name().unwrap_or_default().to_os_string();
    name.push(format!("-{tag}"));
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
///
/// # Errors
/// When something of it stays.
pub fn remove_dir(dir: &Path) -> anyhow::Result<()> {
    std::fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    // The parent stays while another play goes on in it.
    let _ = dir.parent().map(std::fs::remove_dir);
    Ok(())
}

/// Repository with `files` in its one commit, state directory and model of a play in `dir`; `codex` is
/// the binary that the server uses, `settings` is YAML beside the section `codex`.
///
/// # Errors
/// When git, a file or the port of the model fails.
pub async fn prepare(
    dir: &Path,
    user: &Env,
    codex: &Path,
    files: &Files,
    settings: &str,
) -> anyhow::Result<Stage> {
    let home = dir.join("home");
    std::fs::create_dir(&home)?;
    let state = StateDir::open(&dir.join("state"))?;
    let env = server_env(user, &home, state.root(), codex);
    let stage = begin(dir, state, env, files, false).await?;
    // A JSON string is a YAML string.
    let url = serde_json::json!(stage.model.base_url());
    let config = format!("codex:\n  scripted_base_url: {url}\n{settings}");
    stage.state.write_private(&stage.state.config(), config.as_bytes())?;
    Ok(stage)
}

/// As [`prepare`], with the user's environment and so with their codex home: a real model does the work.
/// Settings of the user's own server do not count.
///
/// # Errors
/// As [`prepare`].
pub async fn prepare_live(
    dir: &Path,
    user: &Env,
    codex: &Path,
    files: &Files,
) -> anyhow::Result<Stage> {
    let state = StateDir::open(&dir.join("state"))?;
    let theirs = user
        .iter()
        .filter(|(name, _)| !name.to_string_lossy().starts_with("PATCHBAY_"))
        .map(|(name, value)| (name.to_os_string(), value.to_os_string()));
    let own = [("PATCHBAY_HOME", state.root()), ("PATCHBAY_CODEX", codex)]
        .map(|(name, path)| (std::ffi::OsString::from(name), path.as_os_str().to_os_string()));
    begin(dir, state, Env::of(theirs.chain(own)), files, true).await
}

async fn begin(
    dir: &Path,
    state: StateDir,
    env: Env,
    files: &Files,
    live: bool,
) -> anyhow::Result<Stage> {
    let root = dir.join("repository");
    write_files(&root, files)?;
    let git = Git::new(&env);
    git.run(&root, "init").args(["--quiet", "--initial-branch=main"]).ok().await?;
    git.run(&root, "add").arg("--all").ok().await?;
    git.run(&root, "commit").args(["--quiet", "--message=Begin"]).ok().await?;
    let repo = Repo::open(&git, &root).await?;
    let head = repo.head().await?;
    let model = ScriptedModel::start(ScriptedOptions {
        log_file: Some(dir.join("model.jsonl")),
        ..ScriptedOptions::default()
    })
    .await?;
    Ok(Stage { dir: dir.to_path_buf(), repo, state, head, model, env, live })
}

fn server_env(user: &Env, home: &Path, state: &Path, codex: &Path) -> Env {
    let kept = ["PATH", "LANG", "LC_ALL", "USER", "LOGNAME", "PATCHBAY_LOG"]
        .into_iter()
        .filter_map(|name| Some((name.into(), user.get(name)?.to_os_string())));
    let own = [("HOME", home), ("PATCHBAY_HOME", state), ("PATCHBAY_CODEX", codex)]
        .map(|(name, path)| (std::ffi::OsString::from(name), path.as_os_str().to_os_string()));
    Env::of(kept.chain(own))
}

fn write_files(root: &Path, files: &Files) -> anyhow::Result<()> {
    std::fs::create_dir(root)?;
    for (name, (executable, text)) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(&path, text)?;
        let mode = if *executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

impl Stage {
    /// The directory of the play.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A file of the play's own.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// Every file below a checkout, `.git` left out; of a link its target counts as its bytes.
///
/// # Errors
/// When something cannot be read.
pub fn files_below(root: &Path) -> anyhow::Result<BTreeMap<String, Found>> {
    let mut found = BTreeMap::new();
    read(root, "", &mut found)?;
    Ok(found)
}

fn read(dir: &Path, below: &str, found: &mut BTreeMap<String, Found>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if name == ".git" {
            continue;
        }
        let meta = std::fs::symlink_metadata(entry.path())?;
        if meta.is_dir() {
            read(&entry.path(), &format!("{name}/"), found)?;
        } else if meta.is_symlink() {
            let target = std::fs::read_link(entry.path())?;
            found.insert(name, (false, target.into_os_string().into_encoded_bytes()));
        } else {
            let bytes = std::fs::read(entry.path()).with_context(|| name.clone())?;
            found.insert(name, (meta.permissions().mode() & 0o100 != 0, bytes));
        }
    }
    Ok(())
}
