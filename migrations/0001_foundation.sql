-- The first schema. Times are Unix milliseconds. `rev` is the value of the global change counter at the
-- last change of the row, so that "what is new since N" is an index lookup.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT;

-- One row: the change counter that every `rev` is taken from.
CREATE TABLE revision (
    id  INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    rev INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, rev) VALUES (1, 0);

CREATE TABLE workers (
    id               TEXT PRIMARY KEY NOT NULL,
    repo_key         TEXT NOT NULL,              -- digest of the git common directory
    repo_root        BLOB NOT NULL,              -- the checkout that the chat named
    repo_name        TEXT NOT NULL,
    name             TEXT NOT NULL,
    name_fold        TEXT NOT NULL,
    mode             TEXT NOT NULL CHECK (mode IN ('isolated_write', 'read_only')),
    model            TEXT,
    effort           TEXT,
    owner_ref        TEXT NOT NULL,
    owner_label      TEXT,
    integrated_snapshot TEXT,                    -- the snapshot last applied to the base
    current_turn     TEXT,                       -- the turn that was claimed last; before that the first
    state            TEXT NOT NULL DEFAULT 'idle' CHECK (state IN (   -- follows from the turns
        'queued', 'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
        'stopping', 'idle', 'failed', 'interrupted')),
    queued           INTEGER NOT NULL DEFAULT 0, -- turns that wait
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    archived_at      INTEGER,
    rev              INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX workers_live_name ON workers (repo_key, name_fold) WHERE archived_at IS NULL;
CREATE INDEX workers_rev ON workers (rev);
CREATE INDEX workers_recent ON workers (updated_at, id);
CREATE INDEX workers_count ON workers (repo_key, archived_at, state);
CREATE INDEX workers_active ON workers (repo_key) WHERE state NOT IN ('idle', 'failed', 'interrupted');

CREATE TABLE turns (
    id             TEXT PRIMARY KEY NOT NULL,
    worker_id      TEXT NOT NULL REFERENCES workers (id),
    position       INTEGER NOT NULL,             -- 1, 2, 3 … within the worker
    state          TEXT NOT NULL CHECK (state IN (
        'queued', 'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login',
        'stopping', 'completed', 'failed', 'interrupted', 'cancelled')),
    brief          TEXT NOT NULL,
    model          TEXT,
    effort         TEXT,
    codex_turn_id  TEXT,
    client_id      TEXT NOT NULL,                -- comes back on codex's userMessage item
    report         TEXT,                         -- the last agent message
    error_code     TEXT,
    error_message  TEXT,
    usage_json     TEXT,
    requeues       INTEGER NOT NULL DEFAULT 0,
    base_before    TEXT,                         -- read_only: fingerprint of the base when it began
    verified       TEXT CHECK (verified IN ('unchanged', 'changed', 'unknown')),
    created_at     INTEGER NOT NULL,
    available_at   INTEGER NOT NULL,
    started_at     INTEGER,
    ended_at       INTEGER,
    lease_holder   TEXT,
    lease_epoch    INTEGER NOT NULL DEFAULT 0,
    lease_until    INTEGER,
    rev            INTEGER NOT NULL,
    UNIQUE (worker_id, position)
) STRICT;
CREATE UNIQUE INDEX turns_one_active ON turns (worker_id) WHERE state IN (
    'preparing', 'running', 'waiting_approval', 'waiting_limit', 'needs_login', 'stopping');
CREATE INDEX turns_queue ON turns (available_at, created_at) WHERE state = 'queued';
CREATE INDEX turns_waiting ON turns (worker_id, position) WHERE state = 'queued';
CREATE INDEX turns_worker ON turns (worker_id, position);

-- The journal. `seq` is the cursor. Inserting an event twice changes nothing.
CREATE TABLE events (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    worker_id TEXT NOT NULL REFERENCES workers (id),
    turn_id   TEXT NOT NULL REFERENCES turns (id),
    item_id   TEXT NOT NULL,
    phase     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    payload   TEXT NOT NULL,                     -- JSON; over 1 MiB it is {"file":…,"sha256":…,"bytes":…}
    at        INTEGER NOT NULL,
    UNIQUE (turn_id, item_id, phase)
) STRICT;
CREATE INDEX events_turn ON events (turn_id, kind, seq);
CREATE INDEX events_worker ON events (worker_id, seq);

CREATE TABLE threads (
    worker_id    TEXT PRIMARY KEY NOT NULL REFERENCES workers (id),
    thread_id    TEXT NOT NULL UNIQUE,
    cli_version  TEXT NOT NULL,
    rollout_path BLOB,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE TABLE worktrees (
    worker_id   TEXT PRIMARY KEY NOT NULL REFERENCES workers (id),
    path        BLOB NOT NULL UNIQUE,
    base_commit TEXT NOT NULL,
    base_tree   TEXT NOT NULL,                   -- tree of the first snapshot: where the worker started
    state       TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'removing', 'removed')),
    created_at  INTEGER NOT NULL,
    removed_at  INTEGER
) STRICT;

CREATE TABLE snapshots (
    id          TEXT PRIMARY KEY NOT NULL,
    worker_id   TEXT NOT NULL REFERENCES workers (id),
    turn_id     TEXT REFERENCES turns (id),
    commit_oid  TEXT NOT NULL,
    tree_oid    TEXT NOT NULL,
    ref_name    TEXT NOT NULL,
    head_oid    TEXT NOT NULL,                   -- HEAD of the worktree: shows commits the worker made
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX snapshots_worker ON snapshots (worker_id, created_at);

CREATE TABLE integrations (
    id              TEXT PRIMARY KEY NOT NULL,
    worker_id       TEXT NOT NULL REFERENCES workers (id),
    snapshot_id     TEXT NOT NULL REFERENCES snapshots (id),
    repo_key        TEXT NOT NULL,
    repo_root       BLOB NOT NULL,
    state           TEXT NOT NULL CHECK (state IN ('applying', 'applied', 'rolled_back', 'failed')),
    lock_epoch      INTEGER NOT NULL,
    ours_tree       TEXT NOT NULL,               -- the base's working tree before
    merged_tree     TEXT NOT NULL,               -- and what it must be after
    undo_ref        TEXT NOT NULL,
    paths_json      TEXT NOT NULL,               -- affected paths with the entries before and after
    idempotency_key TEXT,
    error           TEXT,
    created_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    UNIQUE (worker_id, idempotency_key)
) STRICT;
CREATE INDEX integrations_open ON integrations (repo_key) WHERE state = 'applying';

CREATE TABLE repo_locks (
    repo_key  TEXT PRIMARY KEY NOT NULL,
    epoch     INTEGER NOT NULL,
    held      INTEGER NOT NULL CHECK (held IN (0, 1)),
    holder    TEXT NOT NULL,                     -- turn id or tool name
    turn_id   TEXT,
    operation TEXT NOT NULL,
    since     INTEGER NOT NULL
) STRICT;

CREATE TABLE owners (
    owner_ref  TEXT PRIMARY KEY NOT NULL,
    connector  TEXT NOT NULL,
    label      TEXT,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL
) STRICT;

CREATE TABLE mcp_sessions (
    session_key TEXT PRIMARY KEY NOT NULL,       -- digest; the raw id is in no row
    state_json  TEXT NOT NULL,
    touched_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE processes (
    pid        INTEGER NOT NULL,
    start_time INTEGER NOT NULL,                 -- clock ticks since boot, from /proc/<pid>/stat
    session    INTEGER NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (pid, start_time)
) STRICT;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at         INTEGER NOT NULL,
    client_ref TEXT NOT NULL,
    tool       TEXT NOT NULL,
    target     TEXT,
    outcome    TEXT NOT NULL,
    took_us    INTEGER NOT NULL
) STRICT;
