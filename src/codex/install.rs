use super::locate::{number, platform, triple};
use super::{CodexError, check, locate};
use crate::paths::Env;
use crate::process::Spawn;
use base64::Engine;
use sha2::{Digest, Sha512};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The version that is installed, and that tests and evals use.
pub const PINNED: &str = "0.169.0";

/// npm's integrity of `@openai/codex@0.169.0-<platform>`: the SHA-512 of the tarball in base64.
const INTEGRITY: &[(&str, &str)] = &[
    (
        "linux-x64",
        "o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==",
    ),
    (
        "linux-arm64",
        "NZ/DaQUpcQmxmqee7Z9uC1rzw3GhSbooawcaTe1LN5Yk+WlinUKGdTXJgClRT/9ogQEEM9TWxYzvxPfj5G/xFg==",
    ),
    (
        "darwin-arm64",
        "5WsWFBbVP78D+6FvNo1MMVxLPZdmcoQlqVJFrF4qx/TmvneLnMQKtLyXkUo54XOTDfoYKpNouTJ/F7gTVA8FnQ==",
    ),
    (
        "darwin-x64",
        "K1FKSsSLl9v3z5TeagBQXyQRDBIGB5Jncy5dxsRxwT3aaTqN3AI8VrCfoxBxKMOOU9O2QX1vg7WkBwNVth/s9A==",
    ),
];

/// What [`install`] left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// `0.169.0`.
    pub version: String,
    /// The native binary.
    pub bin: PathBuf,
    /// Whether it was there already, whole.
    pub already: bool,
}

/// Installs the pinned codex to `<to>/0.169.0/<triple>/`: npm fetches the platform package, its SHA-512 is
/// compared with the one in this program, and only then it is unpacked, aside, and moved into place whole.
/// `PATH`, `HOME` and npm's own settings (`npm_config_*`, proxies) of `env` are used.
///
/// # Errors
/// [`CodexError::Platform`], or [`CodexError::Install`] with npm's words or the wrong digest.
pub async fn install(env: &Env, to: &Path) -> Result<Installed, CodexError> {
    let name = platform();
    let (_, wanted) = INTEGRITY
        .iter()
        .find(|(key, _)| *key == name)
        .ok_or_else(|| CodexError::Platform(name.clone()))?;
    let place = to.join(PINNED);
    let bin = place.join(triple()).join("bin/codex");
    if let Ok(version) = check::version_of(&bin).await
        && number(&version) == number(PINNED)
        && locate::whole(&bin).is_ok()
    {
        return Ok(Installed { version, bin, already: true });
    }
    std::fs::create_dir_all(to).map_err(|source| failed(to, &source))?;
    let staging = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(to)
        .map_err(|source| failed(to, &source))?;
    let tarball = fetch(env, staging.path(), &name).await?;
    let found = digest(&tarball)?;
    if found != *wanted {
        return Err(CodexError::Install(format!(
            "the package has the digest sha512-{found} instead of sha512-{wanted}"
        )));
    }
    unpack(env, &tarball, staging.path()).await?;
    move_into(&staging.path().join("package/vendor"), &place)?;
    let version = check::version_of(&bin).await?;
    Ok(Installed { version, bin, already: false })
}

async fn fetch(env: &Env, dir: &Path, platform: &str) -> Result<PathBuf, CodexError> {
    let package = format!("@openai/codex@{PINNED}-{platform}");
    let ran = Spawn::new("npm")
        .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
        .arg(dir)
        .arg("--")
        .arg(&package)
        .envs(npm_environment(env))
        .dir(dir)
        .output(Duration::from_secs(900))
        .await
        .map_err(|e| CodexError::Install(e.to_string()))?;
    if ran.code != 0 {
        return Err(CodexError::Install(format!("npm pack {package}: {}", ran.stderr)));
    }
    std::fs::read_dir(dir)
        .map_err(|source| failed(dir, &source))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "tgz"))
        .ok_or_else(|| CodexError::Install(format!("npm pack {package} left no tarball")))
}

fn npm_environment(env: &Env) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let wanted = |name: &str| {
        let lower = name.to_ascii_lowercase();
        matches!(name, "PATH" | "HOME" | "LANG" | "NODE_EXTRA_CA_CERTS" | "SSL_CERT_FILE")
            || lower.starts_with("npm_config_")
            || matches!(&*lower, "http_proxy" | "https_proxy" | "no_proxy" | "all_proxy")
    };
    env.iter()
        .filter(|(name, _)| wanted(&name.to_string_lossy()))
        .map(|(name, value)| (name.to_os_string(), value.to_os_string()))
        .collect()
}

fn digest(file: &Path) -> Result<String, CodexError> {
    let mut hash = Sha512::new();
    let mut reader = std::fs::File::open(file).map_err(|source| failed(file, &source))?;
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let read = std::io::Read::read(&mut reader, &mut buffer)
            .map_err(|source| failed(file, &source))?;
        if read == 0 {
            return Ok(base64::engine::general_purpose::STANDARD.encode(hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

async fn unpack(env: &Env, tarball: &Path, dir: &Path) -> Result<(), CodexError> {
    let ran = Spawn::new("tar")
        .arg("-xzf")
        .arg(tarball)
        .args(["--no-same-owner", "-C"])
        .arg(dir)
        .arg("package/vendor")
        .envs(npm_environment(env))
        .dir(dir)
        .output(Duration::from_secs(300))
        .await
        .map_err(|e| CodexError::Install(e.to_string()))?;
    if ran.code == 0 { Ok(()) } else { Err(CodexError::Install(format!("tar: {}", ran.stderr))) }
}

/// A broken earlier installation is set aside by the same rename, so that no half of it stays.
fn move_into(vendor: &Path, place: &Path) -> Result<(), CodexError> {
    if place.exists() {
        std::fs::remove_dir_all(place).map_err(|source| failed(place, &source))?;
    }
    std::fs::rename(vendor, place).map_err(|source| failed(place, &source))
}

fn failed(path: &Path, error: &std::io::Error) -> CodexError {
    CodexError::Install(format!("{}: {error}", path.display()))
}
