-- Format 1: the journal (blocks), the trail (records), and what is projected from them.
-- Times are microseconds since 1970. Numbers of entries and records start at 1 and have no gaps.

-- What the store says about itself, and how far it has come.
CREATE TABLE meta (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    format      INTEGER NOT NULL,
    store_id    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    entry       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    hash        BLOB    NOT NULL
) STRICT;

-- Inputs, compressed together as they were committed.
CREATE TABLE blocks (
    first_entry INTEGER PRIMARY KEY,
    last_entry  INTEGER NOT NULL,
    data        BLOB    NOT NULL
) STRICT;

-- The trail. `as_of` never goes back with `seq`, so that it needs no index.
CREATE TABLE records (
    seq         INTEGER PRIMARY KEY,
    entry       INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    as_of       INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    canonical   BLOB    NOT NULL,
    parts       BLOB    NOT NULL
) STRICT;

CREATE TABLE ledger (
    source      TEXT PRIMARY KEY,
    received    INTEGER NOT NULL,
    recorded    INTEGER NOT NULL,
    duplicate   INTEGER NOT NULL,
    ignored     INTEGER NOT NULL,
    quarantined INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Parts of the ledger's sums by name. `what`: 1 unmodelled event types, 2 policies that ignored.
CREATE TABLE tallies (
    source      TEXT    NOT NULL,
    what        INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (source, what, name)
) STRICT, WITHOUT ROWID;

-- `state`: 0 held, 1 replayed.
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,
    entry       INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    reason_code TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    event_type  TEXT,
    message_id  TEXT,
    state       INTEGER NOT NULL
) STRICT;

CREATE TABLE commands (
    id          TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX commands_by_seq ON commands (seq, id);
CREATE INDEX commands_by_state ON commands (state, seq, id);

-- Object versions, compressed together as they were committed. Both ends never go back with `id`.
CREATE TABLE versions (
    id          INTEGER PRIMARY KEY,
    first_seq   INTEGER NOT NULL,
    last_seq    INTEGER NOT NULL,
    data        BLOB    NOT NULL
) STRICT;
CREATE INDEX versions_by_last ON versions (last_seq, id);

-- Saved states of the engine; only complete ones count.
CREATE TABLE snapshot_index (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    seq         INTEGER NOT NULL,
    entry       INTEGER NOT NULL,
    chunks      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    complete    INTEGER NOT NULL,
    made_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE snapshots (
    id          INTEGER PRIMARY KEY,
    snapshot    INTEGER NOT NULL,
    chunk       INTEGER NOT NULL,
    data        BLOB    NOT NULL,
    UNIQUE (snapshot, chunk)
) STRICT;
