-- Why no turn is begun at present: the account's limit is used up, or its login is refused. There is one
-- account, that of the codex home, and so one row a reason. The turns that wait for it have no lease.
CREATE TABLE holds (
    reason     TEXT PRIMARY KEY NOT NULL CHECK (reason IN ('limit', 'login')),
    since      INTEGER NOT NULL,
    until      INTEGER,                          -- limit: when it ends
    known      INTEGER NOT NULL CHECK (known IN (0, 1)), -- whether codex named that time
    message    TEXT NOT NULL,                    -- codex's words
    login_mark TEXT NOT NULL                     -- digest of the login that was used
) STRICT;

-- How often the turn was held after it had begun.
ALTER TABLE turns ADD COLUMN holds INTEGER NOT NULL DEFAULT 0;
