//! Reading a repository for a chat: tree, files, search, status, diffs.
