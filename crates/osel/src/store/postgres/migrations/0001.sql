-- Format 1: the journal (blocks), the trail (records), and what is projected from them, in a schema of osel's own.
-- Times are microseconds since 1970, but those of the lease, which are the database's. Numbers of entries and
-- records start at 1 and have no gaps. What is compressed already is not compressed again (EXTERNAL).
CREATE SCHEMA IF NOT EXISTS osel;

-- What the store says about itself, how far it has come, and who leads. Every commit locks this row.
CREATE TABLE meta (
    one         smallint PRIMARY KEY CHECK (one = 1),
    format      integer NOT NULL,
    store_id    text    NOT NULL,
    created_at  bigint  NOT NULL,
    -- Of each taking of the lead: a number that grows, and random bytes, since a database that falls back counts again.
    epoch       bigint  NOT NULL,
    token       bytea   NOT NULL,
    entry       bigint  NOT NULL,
    seq         bigint  NOT NULL,
    hash        bytea   NOT NULL,
    -- Who leads, in words for people; null for nobody.
    holder      text,
    -- When the leader was last heard of: by its change, and for people. Nobody compares it with a clock.
    renewed_at  timestamptz NOT NULL
    -- Changed with every commit: room for that in the page.
) WITH (fillfactor = 50);

-- Inputs, compressed together as they were committed.
CREATE TABLE blocks (
    first_entry bigint PRIMARY KEY,
    last_entry  bigint NOT NULL,
    data        bytea  NOT NULL
);
ALTER TABLE blocks ALTER COLUMN data SET STORAGE EXTERNAL;

-- The trail. `as_of` never goes back with `seq`, so that it needs no index.
CREATE TABLE records (
    seq         bigint   PRIMARY KEY,
    entry       bigint   NOT NULL,
    kind        smallint NOT NULL,
    time        bigint   NOT NULL,
    as_of       bigint   NOT NULL,
    hash        bytea    NOT NULL,
    canonical   bytea    NOT NULL,
    parts       bytea    NOT NULL
);

CREATE TABLE ledger (
    source      text COLLATE "C" PRIMARY KEY,
    received    bigint NOT NULL,
    recorded    bigint NOT NULL,
    duplicate   bigint NOT NULL,
    ignored     bigint NOT NULL,
    quarantined bigint NOT NULL
);

-- Parts of the ledger's sums by name. `what`: 1 unmodelled event types, 2 policies that ignored.
CREATE TABLE tallies (
    source      text COLLATE "C" NOT NULL,
    what        smallint NOT NULL,
    name        text COLLATE "C" NOT NULL,
    count       bigint   NOT NULL,
    PRIMARY KEY (source, what, name)
);

-- `state`: 0 held, 1 replayed.
CREATE TABLE quarantine (
    id          bigint   PRIMARY KEY,
    entry       bigint   NOT NULL,
    source      text     NOT NULL,
    at          bigint   NOT NULL,
    reason_code text     NOT NULL,
    reason      text     NOT NULL,
    event_type  text,
    message_id  text,
    state       smallint NOT NULL
);
CREATE INDEX quarantine_by_entry ON quarantine (entry);

CREATE TABLE commands (
    id          text COLLATE "C" PRIMARY KEY,
    seq         bigint NOT NULL,
    state       text   NOT NULL,
    body        bytea  NOT NULL,
    updated_at  bigint NOT NULL
);
CREATE INDEX commands_by_seq ON commands (seq, id);
CREATE INDEX commands_by_state ON commands (state, seq, id);

-- Object versions, compressed together as they were committed. Both ends never go back with `id`.
CREATE TABLE versions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_seq   bigint NOT NULL,
    last_seq    bigint NOT NULL,
    data        bytea  NOT NULL
);
ALTER TABLE versions ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX versions_by_last ON versions (last_seq, id);

-- Saved states of the engine; only complete ones count.
CREATE TABLE snapshot_index (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq         bigint  NOT NULL,
    entry       bigint  NOT NULL,
    chunks      bigint  NOT NULL,
    bytes       bigint  NOT NULL,
    complete    boolean NOT NULL,
    made_at     bigint  NOT NULL
);

CREATE TABLE snapshots (
    snapshot    bigint NOT NULL,
    chunk       bigint NOT NULL,
    data        bytea  NOT NULL,
    PRIMARY KEY (snapshot, chunk)
);
ALTER TABLE snapshots ALTER COLUMN data SET STORAGE EXTERNAL;

-- How far each source is known to be whole: its cursor, in the words of the state machine that reads it.
CREATE TABLE cursors (
    source      text COLLATE "C" PRIMARY KEY,
    -- Null where nothing was promised yet.
    unbroken    bigint,
    drained     bigint,
    -- A gap that has not ended, and the code of its cause; null for none.
    gap_from    bigint,
    gap_why     smallint,
    -- How far it was read, in the words of its reader, if it is one that is read from a place on; null for a queue.
    place       text
);

-- What may go, as commits have said, and how far its going has come. The checkpoint that stands for the inputs that go:
-- a snapshot, its record and its entry; zeros for none. Messages quarantined before `quarantine_before` are not held any
-- more. `swept`: all blocks up to this entry are gone, but for those with messages that are held.
CREATE TABLE expiry (
    one               smallint PRIMARY KEY CHECK (one = 1),
    snapshot          bigint NOT NULL,
    seq               bigint NOT NULL,
    entry             bigint NOT NULL,
    quarantine_before bigint NOT NULL,
    swept             bigint NOT NULL
);
INSERT INTO expiry VALUES (1, 0, 0, 0, -62135596800000000, 0);

-- Parts of a class go from records up to `seq`, and are gone up to `done`. Class 0: whatever lies in entries.
CREATE TABLE expiry_parts (
    class       smallint PRIMARY KEY,
    seq         bigint NOT NULL,
    done        bigint NOT NULL
);

-- How many bytes there are of what may go, and of what records keep for ever, so that nobody has to read a table to
-- know. Changed with every commit, as `meta` is.
CREATE TABLE sizes (
    one           smallint PRIMARY KEY CHECK (one = 1),
    input_bytes   bigint NOT NULL,
    version_bytes bigint NOT NULL,
    part_bytes    bigint NOT NULL,
    record_bytes  bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO sizes VALUES (1, 0, 0, 0, 0);
