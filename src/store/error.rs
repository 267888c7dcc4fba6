/// What to do when there is no room.
pub const FULL_HINT: &str =
    "Free space on the disk of the state directory; what was accepted goes on by itself.";

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A live worker of the repository has the name already.
    #[error("a worker of that name exists already in this repository")]
    NameTaken,
    /// The row's epoch, state or revision is not the expected one: somebody else was first.
    #[error("the row was changed by somebody else")]
    Conflict,
    /// No such row.
    #[error("no such row")]
    Missing,
    /// A stored value does not have the form the program writes.
    #[error("the store holds a value this program does not understand: {0}")]
    Corrupt(String),
    /// The database was written by a newer patchbay, or is damaged.
    #[error("the store cannot be opened: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The store holds less than it is known to have held.
    #[error("the store was cut short: {0}")]
    CutShort(String),
    /// The file is no store, or parts of it are missing.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The disk is full, or cannot be written for another reason.
    #[error("the store cannot be written; the disk is full or refuses: {0}")]
    Full(#[source] sqlx::Error),
    /// SQLite's own error.
    #[error("store: {0}")]
    Sql(#[source] sqlx::Error),
}

impl StoreError {
    /// The stable snake_case code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CutShort(_) => "store_cut_short",
            Self::Damaged(_) => "store_damaged",
            Self::Full(_) => "disk_full",
            Self::Migrate(_) => "store_not_migrated",
            Self::NameTaken | Self::Conflict | Self::Missing | Self::Corrupt(_) | Self::Sql(_) => {
                "internal_error"
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::CutShort(_) | Self::Damaged(_) => {
                "Nothing was changed. Put a copy of store.db back; or move store.db, store.db-wal and \
                 store.anchor out of the state directory to begin anew (worktrees and their refs stay)."
            }
            Self::Full(_) => FULL_HINT,
            Self::Migrate(_) => "Use the patchbay that wrote it, or a newer one.",
            _ => "Look at the server's log; `patchbay doctor` checks the set-up.",
        }
    }

    /// Whether the same call can succeed later, when there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default();
        let Ok(code) = code.parse::<u32>() else { return Self::Sql(error) };
        // https://www.sqlite.org/rescode.html: the low byte is the class; of class 10 (IOERR) 3 is WRITE,
        // 4 FSYNC, 6 TRUNCATE, 18 SHMOPEN, 19 SHMSIZE.
        match (code & 0xff, code >> 8) {
            (13, _) | (10, 3 | 4 | 6 | 18 | 19) => Self::Full(error),
            (11 | 26, _) => Self::Damaged(error.to_string()),
            _ => Self::Sql(error),
        }
    }
}
