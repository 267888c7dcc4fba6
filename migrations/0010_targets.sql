-- Integrations into a branch, undone ones, and conflicts that were sent to their worker.

ALTER TABLE integrations ADD COLUMN target TEXT NOT NULL DEFAULT 'checkout'; -- or refs/heads/<branch>
ALTER TABLE integrations ADD COLUMN commit_oid TEXT;      -- what a branch got
ALTER TABLE integrations ADD COLUMN undoes TEXT REFERENCES integrations (id);
ALTER TABLE integrations ADD COLUMN undone_at INTEGER;

-- A worker that got the base's side of a path and changed the path since has merged it.
CREATE TABLE sent_conflicts (
    id          TEXT PRIMARY KEY NOT NULL,
    worker_id   TEXT NOT NULL REFERENCES workers (id),
    target      TEXT NOT NULL,
    snapshot_id TEXT NOT NULL REFERENCES snapshots (id),
    base_tree   TEXT NOT NULL,                   -- the base's side
    ref_name    TEXT NOT NULL,                   -- keeps it
    paths_json  TEXT NOT NULL,                   -- base64 of each path
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX sent_conflicts_worker ON sent_conflicts (worker_id, created_at);
