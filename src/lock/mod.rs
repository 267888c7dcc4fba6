//! The mutation lock of a repository: one writer of a base checkout at a time.
//!
//! Owns the row in `repo_locks` and the file `patchbay.lock` in the git common directory. It yields a
//! [`MutationProof`], which nothing else can make; every function that writes a base takes one.
