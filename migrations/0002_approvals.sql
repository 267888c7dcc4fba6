-- What workers ask for beyond their sandbox, and what was decided. A question has one row, however often
-- codex sends it again. `decided_by` is an owner ref; `expires_at` is when nobody is waited for any more.
CREATE TABLE approvals (
    id           TEXT PRIMARY KEY NOT NULL,
    worker_id    TEXT NOT NULL REFERENCES workers (id),
    turn_id      TEXT NOT NULL REFERENCES turns (id),
    item_id      TEXT NOT NULL,
    ask_key      TEXT NOT NULL,                  -- item and digest of all that is asked for
    kind         TEXT NOT NULL CHECK (kind IN ('command', 'file_change', 'permissions')),
    request      TEXT NOT NULL,                  -- JSON, as codex gave it; a file change with its changes
    state        TEXT NOT NULL CHECK (state IN ('pending', 'decided', 'delivered', 'withdrawn')),
    decision     TEXT CHECK (decision IN ('accept', 'decline', 'cancel')),
    decided_by   TEXT,
    requested_at INTEGER NOT NULL,
    decided_at   INTEGER,
    delivered_at INTEGER,
    expires_at   INTEGER,
    UNIQUE (turn_id, ask_key)
) STRICT;
CREATE INDEX approvals_worker ON approvals (worker_id, requested_at);
CREATE INDEX approvals_open ON approvals (turn_id) WHERE state IN ('pending', 'decided');
