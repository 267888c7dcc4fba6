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
    /// SQLite's own error.
    #[error("store: {0}")]
    Sql(#[from] sqlx::Error),
}
