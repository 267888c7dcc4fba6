use super::CodexError;
use super::check::version_of;
use crate::config::CodexConfig;
use crate::paths::{Env, StateDir};
use std::path::{Path, PathBuf};

/// The oldest codex that is driven.
pub(super) const BASELINE: &str = "0.169.0";

/// Where a codex was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `PATCHBAY_CODEX`.
    Environment,
    /// `codex.bin` of the configuration, or `--codex`.
    Configuration,
    /// `install-codex` put it into the state directory.
    Installed,
    /// `PATH`.
    Path,
}

/// A whole codex of a usable version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codex {
    /// The native binary, canonical.
    pub bin: PathBuf,
    /// The directory that holds `bin/`, `codex-path/` and `codex-resources/`, canonical.
    pub vendor: PathBuf,
    /// `0.169.0`.
    pub version: String,
    /// Where it was found.
    pub origin: Origin,
}

/// Finds codex: `PATCHBAY_CODEX`, else the configuration, else the newest installed copy in the state
/// directory, else `PATH`. The first place that names one decides; a broken one there is an error.
///
/// # Errors
/// [`CodexError::Missing`], [`CodexError::Incomplete`], [`CodexError::NoVersion`], [`CodexError::TooOld`].
pub async fn locate(
    env: &Env,
    config: &CodexConfig,
    state: &StateDir,
) -> Result<Codex, CodexError> {
    let (named, origin) = candidate(env, config, state).ok_or(CodexError::Missing)?;
    let bin = native(&named)?;
    let vendor = whole(&bin)?;
    let version = version_of(&bin).await?;
    if number(&version) < number(BASELINE) {
        return Err(CodexError::TooOld { found: version, needed: BASELINE });
    }
    Ok(Codex { bin, vendor, version, origin })
}

fn candidate(env: &Env, config: &CodexConfig, state: &StateDir) -> Option<(PathBuf, Origin)> {
    if let Some(path) = env.path("PATCHBAY_CODEX") {
        return Some((path, Origin::Environment));
    }
    if let Some(path) = &config.bin {
        return Some((path.clone(), Origin::Configuration));
    }
    if let Some(path) = installed(state) {
        return Some((path, Origin::Installed));
    }
    let path = env.get("PATH")?;
    split_path(path).map(|dir| dir.join("codex")).find(|p| p.is_file()).map(|p| (p, Origin::Path))
}

fn split_path(path: &std::ffi::OsStr) -> impl Iterator<Item = PathBuf> {
    std::env::split_paths(path).filter(|dir| dir.is_absolute()).collect::<Vec<_>>().into_iter()
}

fn installed(state: &StateDir) -> Option<PathBuf> {
    let root = state.codex_bin("");
    let mut versions: Vec<PathBuf> = std::fs::read_dir(root)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|n| number(&n.to_string_lossy()) > [0; 3]))
        .collect();
    versions.sort_by_key(|path| number(&path.file_name().unwrap_or_default().to_string_lossy()));
    versions.into_iter().rev().map(|v| v.join(triple()).join("bin/codex")).find(|b| b.is_file())
}

/// The native binary behind what was named: the binary itself, npm's node shim, the directory of an
/// installation, or the platform package.
fn native(named: &Path) -> Result<PathBuf, CodexError> {
    let incomplete = |missing: &str| CodexError::Incomplete {
        path: named.to_path_buf(),
        missing: missing.to_owned(),
    };
    let real = named.canonicalize().map_err(|_| incomplete("the file itself"))?;
    if real.is_file() && !is_script(&real) {
        return Ok(real);
    }
    // A shim is <package>/bin/codex.js; a directory is the package, its prefix, or a version of ours.
    let package = if real.is_dir() {
        real
    } else {
        real.parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or(real)
    };
    beside(&package)
        .into_iter()
        .find(|bin| bin.is_file())
        .ok_or_else(|| incomplete("the binary of its platform package"))
}

fn is_script(path: &Path) -> bool {
    let mut head = [0_u8; 2];
    std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head))
        .is_ok_and(|()| head == *b"#!")
}

/// Where npm puts the platform package: nested, or beside the main package.
fn beside(package: &Path) -> Vec<PathBuf> {
    let name = format!("codex-{}", platform());
    let inside = |p: PathBuf| p.join("vendor").join(triple()).join("bin/codex");
    let mut places = vec![
        package.join("bin/codex"),
        package.join(triple()).join("bin/codex"),
        inside(package.to_path_buf()),
        inside(package.join("node_modules/@openai").join(&name)),
    ];
    if let Some(scope) = package.parent() {
        places.push(inside(scope.join(&name)));
    }
    places
}

/// The vendor directory of a binary; every part that a turn needs must be there.
pub(super) fn whole(bin: &Path) -> Result<PathBuf, CodexError> {
    let incomplete = |missing: &str| CodexError::Incomplete {
        path: bin.to_path_buf(),
        missing: missing.to_owned(),
    };
    let vendor = bin
        .parent()
        .filter(|dir| dir.file_name().is_some_and(|n| n == "bin"))
        .and_then(Path::parent)
        .ok_or_else(|| incomplete("its vendor directory"))?;
    for part in PARTS {
        if !vendor.join(part).is_file() {
            return Err(incomplete(part));
        }
    }
    Ok(vendor.to_path_buf())
}

#[cfg(target_os = "linux")]
const PARTS: &[&str] =
    &["bin/codex", "bin/codex-code-mode-host", "codex-path/rg", "codex-resources/bwrap"];
#[cfg(not(target_os = "linux"))]
const PARTS: &[&str] = &["bin/codex", "bin/codex-code-mode-host", "codex-path/rg"];

/// npm's name of this platform, as in `@openai/codex-linux-x64`.
pub(super) fn platform() -> String {
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}-{arch}")
}

/// The name of the vendor directory on this platform.
pub(super) fn triple() -> String {
    let os = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-musl" };
    format!("{}-{os}", std::env::consts::ARCH)
}

/// A version as three numbers; what is not a number counts as 0.
pub(super) fn number(version: &str) -> [u32; 3] {
    let mut parts = version.split(['.', '-', '+']).map(|p| p.parse().unwrap_or(0));
    [0; 3].map(|_: u32| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(number("0.169.0") > number("0.142.2"));
        assert!(number("0.170.0-alpha.1") > number("0.169.9"));
        assert!(number("1.0") > number("0.999.999"));
        assert_eq!(number("nonsense"), [0, 0, 0]);
    }

    #[test]
    fn a_binary_without_its_vendor_directory_is_refused() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let bin = dir.path().join("bin/codex");
        std::fs::create_dir_all(bin.parent().unwrap()).unwrap();
        std::fs::write(&bin, "\x7fELF").unwrap();
        let error = whole(&native(&bin).unwrap()).unwrap_err();
        assert!(
            matches!(error, CodexError::Incomplete { missing, .. } if missing.contains("code-mode-host"))
        );
    }
}
