use super::locate::examine;
use super::release::{BASELINE, CodexProgram, Platform, platform};
use crate::backend::BackendError;
use crate::paths::Env;
use crate::process::{Finished, Run, RunError};
use base64::Engine;
use sha2::{Digest, Sha512};
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why codex could not be installed. Nothing of a failed installation stays behind.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Codex ships no package for this platform.
    #[error("codex ships no package for this platform")]
    Platform,
    /// There is no usable npm.
    #[error("npm cannot be run: {0}")]
    NoNpm(RunError),
    /// npm did not do it.
    #[error("npm failed ({code}): {stderr}")]
    Npm {
        /// Its exit code.
        code: i32,
        /// Its last words.
        stderr: String,
    },
    /// The package is not the one this program was built against.
    #[error("the package's integrity is {found}, expected {expected}")]
    Integrity {
        /// What was downloaded.
        found: String,
        /// What the source says.
        expected: &'static str,
    },
    /// What was installed does not work.
    #[error("the installed codex does not work: {0}")]
    Broken(#[from] BackendError),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Installs the baseline codex into `<into>/<version>/<triple>/` through npm: the platform package is
/// packed, its integrity compared with a constant of this program, and only then unpacked, whole. An
/// installed copy that works is kept. `progress` hears what is done, for people.
///
/// # Errors
/// See [`InstallError`].
pub async fn install(
    into: &Path,
    env: &Env,
    progress: impl Fn(&str),
) -> Result<CodexProgram, InstallError> {
    let platform = platform().ok_or(InstallError::Platform)?;
    let home = into.join(BASELINE);
    if let Ok(program) = examine(&home, "installed", env).await {
        return Ok(program);
    }
    make_dir(into)?;
    let staging = tempfile::Builder::new()
        .prefix(".installing-")
        .tempdir_in(into)
        .map_err(|source| InstallError::Io { path: into.to_path_buf(), source })?;
    progress(&format!("fetching codex {BASELINE} for {} through npm", platform.suffix));
    let tarball = pack(staging.path(), platform, env).await?;
    progress("checking its integrity");
    verify(&tarball, platform)?;
    progress("unpacking");
    let vendor = unpack(staging.path(), &tarball, platform, env).await?;
    place(&vendor, &home, platform)?;
    Ok(examine(&home, "installed", env).await?)
}

/// Downloads the platform package's tarball with `npm pack`.
async fn pack(dir: &Path, platform: Platform, env: &Env) -> Result<PathBuf, InstallError> {
    let package = format!("@openai/codex@{BASELINE}-{}", platform.suffix);
    npm(env, dir, &["pack", &package, "--ignore-scripts", "--silent", "--pack-destination", "."])
        .await?;
    let entries = std::fs::read_dir(dir).map_err(|source| io(dir, source))?;
    let found = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension() == Some(OsStr::new("tgz")));
    found.ok_or_else(|| InstallError::Npm { code: 0, stderr: "npm packed nothing".to_owned() })
}

fn verify(tarball: &Path, platform: Platform) -> Result<(), InstallError> {
    let mut file = std::fs::File::open(tarball).map_err(|source| io(tarball, source))?;
    let mut hash = Sha512::new();
    let mut piece = vec![0_u8; 1 << 20];
    loop {
        let read = file.read(&mut piece).map_err(|source| io(tarball, source))?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
    }
    let digest = base64::engine::general_purpose::STANDARD.encode(hash.finalize());
    let found = format!("sha512-{digest}");
    if found == platform.integrity {
        Ok(())
    } else {
        Err(InstallError::Integrity { found, expected: platform.integrity })
    }
}

/// Unpacks the verified tarball with npm (no scripts) and returns its vendor directory.
async fn unpack(
    dir: &Path,
    tarball: &Path,
    platform: Platform,
    env: &Env,
) -> Result<PathBuf, InstallError> {
    let file = tarball.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let spec = format!("./{file}");
    // The package names the platform as its os and cpu; ours is right, so no --force.
    npm(
        env,
        dir,
        &["install", "--prefix", ".", "--ignore-scripts", "--no-audit", "--no-fund", &spec],
    )
    .await?;
    Ok(dir.join("node_modules/@openai/codex/vendor").join(platform.triple))
}

/// Moves the vendor directory to its place in one rename; a broken older one is moved away first.
fn place(vendor: &Path, home: &Path, platform: Platform) -> Result<(), InstallError> {
    let target = home.join(platform.triple);
    make_dir(home)?;
    if target.exists() {
        std::fs::remove_dir_all(&target).map_err(|source| io(&target, source))?;
    }
    std::fs::rename(vendor, &target).map_err(|source| io(&target, source))
}

/// Runs npm with the part of the environment that it is configured by.
async fn npm(env: &Env, dir: &Path, args: &[&str]) -> Result<Finished, InstallError> {
    let mut run = Run::new("npm").args(args).dir(dir).limit(Duration::from_secs(15 * 60));
    for (name, value) in env.iter().filter(|(name, _)| npm_reads(name)) {
        run = run.env(name, value);
    }
    let done = run.env("NO_UPDATE_NOTIFIER", "1").finish().await.map_err(InstallError::NoNpm)?;
    if done.code == 0 {
        Ok(done)
    } else {
        Err(InstallError::Npm { code: done.code, stderr: done.stderr.trim().to_owned() })
    }
}

fn npm_reads(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    matches!(
        name.as_str(),
        "path"
            | "home"
            | "http_proxy"
            | "https_proxy"
            | "no_proxy"
            | "node_extra_ca_certs"
            | "ssl_cert_file"
            | "ssl_cert_dir"
            | "nvm_dir"
            | "pyenv_root"
            | "lang"
    ) || name.starts_with("npm_config_")
}

fn make_dir(dir: &Path) -> Result<(), InstallError> {
    std::fs::create_dir_all(dir).map_err(|source| io(dir, source))
}

fn io(path: &Path, source: std::io::Error) -> InstallError {
    InstallError::Io { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_not_the_pinned_one_is_refused() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let tarball = dir.path().join("x.tgz");
        std::fs::write(&tarball, "something else").unwrap();
        let refused = verify(&tarball, platform().unwrap());
        assert!(matches!(refused, Err(InstallError::Integrity { .. })), "{refused:?}");
    }
}
