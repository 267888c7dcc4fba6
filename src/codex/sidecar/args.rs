use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of the hidden command `sidecar`, in their order. None of them is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidecarArgs {
    /// The state directory.
    pub state: PathBuf,
    /// The codex binary.
    pub bin: PathBuf,
    /// Its version.
    pub version: String,
    /// SHA-256 of the configuration that was written for it.
    pub config: String,
    /// Seconds without a server and without an active turn after which codex is ended.
    pub idle_seconds: u64,
}

impl SidecarArgs {
    /// As command line arguments, after the word `sidecar`.
    #[must_use]
    pub fn to_args(&self) -> Vec<OsString> {
        vec![
            self.state.clone().into(),
            self.bin.clone().into(),
            self.version.clone().into(),
            self.config.clone().into(),
            self.idle_seconds.to_string().into(),
        ]
    }

    /// Reads them back; `None` when they are not of this form.
    #[must_use]
    pub fn from_args(args: &[OsString]) -> Option<Self> {
        let [state, bin, version, config, idle] = args else { return None };
        Some(Self {
            state: state.into(),
            bin: bin.into(),
            version: version.to_str()?.to_owned(),
            config: config.to_str()?.to_owned(),
            idle_seconds: idle.to_str()?.parse().ok()?,
        })
    }
}
