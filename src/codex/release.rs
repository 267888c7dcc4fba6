use std::path::PathBuf;

/// The version that patchbay was built and tested against, and installs.
pub const BASELINE: &str = "0.169.0";

/// A platform that codex ships a package for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Platform {
    /// Suffix of the npm package, as in `@openai/codex-linux-x64`.
    pub(crate) suffix: &'static str,
    /// Directory below `vendor/`.
    pub(crate) triple: &'static str,
    /// Integrity of the package's tarball at [`BASELINE`], in npm's form.
    pub(crate) integrity: &'static str,
}

const PLATFORMS: &[(&str, &str, Platform)] = &[
    (
        "linux",
        "x86_64",
        Platform {
            suffix: "linux-x64",
            triple: "x86_64-unknown-linux-musl",
            integrity: "sha512-o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==",
        },
    ),
    (
        "linux",
        "aarch64",
        Platform {
            suffix: "linux-arm64",
            triple: "aarch64-unknown-linux-musl",
            integrity: "sha512-NZ/DaQUpcQmxmqee7Z9uC1rzw3GhSbooawcaTe1LN5Yk+WlinUKGdTXJgClRT/9ogQEEM9TWxYzvxPfj5G/xFg==",
        },
    ),
    (
        "macos",
        "x86_64",
        Platform {
            suffix: "darwin-x64",
            triple: "x86_64-apple-darwin",
            integrity: "sha512-K1FKSsSLl9v3z5TeagBQXyQRDBIGB5Jncy5dxsRxwT3aaTqN3AI8VrCfoxBxKMOOU9O2QX1vg7WkBwNVth/s9A==",
        },
    ),
    (
        "macos",
        "aarch64",
        Platform {
            suffix: "darwin-arm64",
            triple: "aarch64-apple-darwin",
            integrity: "sha512-5WsWFBbVP78D+6FvNo1MMVxLPZdmcoQlqVJFrF4qx/TmvneLnMQKtLyXkUo54XOTDfoYKpNouTJ/F7gTVA8FnQ==",
        },
    ),
];

/// The platform this program was built for, when codex ships a package for it.
pub(crate) fn platform() -> Option<Platform> {
    let here = (std::env::consts::OS, std::env::consts::ARCH);
    PLATFORMS.iter().find(|(os, arch, _)| (*os, *arch) == here).map(|(_, _, p)| *p)
}

/// A usable codex: the native binary, and the vendor directory that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodexProgram {
    /// The native binary.
    pub binary: PathBuf,
    /// The directory that holds `bin/`, `codex-path/` and `codex-resources/`.
    pub vendor: PathBuf,
    /// `MAJOR.MINOR.PATCH`, as the binary says.
    pub version: String,
    /// Where it was found, for people: `PATCHBAY_CODEX`, `codex.bin`, `installed` or `PATH`.
    pub source: &'static str,
}
