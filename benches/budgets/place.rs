use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A directory below target/ that goes with its handle.
pub(crate) fn room() -> TempDir {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tmp");
    std::fs::create_dir_all(&base).unwrap();
    tempfile::Builder::new().prefix("bench-").tempdir_in(base.canonicalize().unwrap()).unwrap()
}

/// The private directory of a server, and an empty home beside it.
pub(crate) fn state_in(dir: &Path) -> PathBuf {
    let state = dir.join("state");
    std::fs::DirBuilder::new().mode(0o700).create(&state).unwrap();
    std::fs::create_dir_all(dir.join("home")).unwrap();
    state
}

/// This program's command line in a directory that [`state_in`] has filled.
pub(crate) fn patchbay(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
    command.args(args).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(dir);
    command.env("HOME", dir.join("home")).env("PATCHBAY_HOME", dir.join("state"));
    if let Some(codex) = codex() {
        command.env("PATCHBAY_CODEX", codex);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The pinned codex, as `make bench` names it.
pub(crate) fn codex() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("PATCHBAY_CODEX")?).canonicalize().unwrap())
}

/// The ripgrep that codex brings along.
pub(crate) fn ripgrep() -> Option<PathBuf> {
    let found = codex()?.parent()?.with_file_name("codex-path").join("rg");
    found.exists().then_some(found)
}

/// Runs git as a user would; it must succeed.
pub(crate) fn git(dir: &Path, args: &[&str]) -> Vec<u8> {
    let out = git_command(dir, args).output().unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

pub(crate) fn git_command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]);
    command.args(["-c", "gc.auto=0"]).args(args).current_dir(dir);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    command.stdin(Stdio::null());
    command
}
