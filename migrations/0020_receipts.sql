-- Checks that were run on a merged result. The row is made before the first of them begins.

CREATE TABLE receipts (
    id          TEXT PRIMARY KEY NOT NULL,
    worker_id   TEXT NOT NULL REFERENCES workers (id),
    snapshot_id TEXT NOT NULL REFERENCES snapshots (id),
    repo_key    TEXT NOT NULL,
    repo_root   BLOB NOT NULL,
    target      TEXT NOT NULL,                   -- checkout, or refs/heads/<branch>
    base_tree   TEXT NOT NULL,                   -- what the target held
    merged_tree TEXT NOT NULL,                   -- what was checked
    state       TEXT NOT NULL CHECK (state IN ('running', 'green', 'red', 'broken')),
    checks_json TEXT NOT NULL,                   -- names and commands; then how each ended
    error       TEXT,                            -- why it is broken
    created_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;
CREATE INDEX receipts_worker ON receipts (worker_id, created_at);
CREATE INDEX receipts_running ON receipts (id) WHERE state = 'running';
