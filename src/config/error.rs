use std::path::PathBuf;

/// One setting that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `section.key`.
    pub key: String,
    /// Where it was set: a file, a variable, a flag.
    pub origin: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing, too large, or cannot be read.
    #[error("the configuration {} cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is no YAML mapping.
    #[error("{origin} is not a YAML mapping of sections: {reason}")]
    Malformed {
        /// The file.
        origin: String,
        /// What the parser said.
        reason: String,
    },
    /// Settings that are unknown, of the wrong type, out of bounds, or another program's.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    let one = |p: &Problem| format!("{} ({}): {}", p.key, p.origin, p.message);
    problems.iter().map(one).collect::<Vec<_>>().join("\n")
}
