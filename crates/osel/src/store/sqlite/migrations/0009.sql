-- How far each forwarder has come, as absolute values. One that is not configured any more keeps its row.
CREATE TABLE forwarders (
    name        TEXT PRIMARY KEY,
    begin_seq   INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    filtered    INTEGER NOT NULL,
    dead        INTEGER NOT NULL,
    lines       INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    batches     INTEGER NOT NULL,
    retries     INTEGER NOT NULL,
    mark        TEXT,
    trouble_at  INTEGER,
    trouble     TEXT,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lines that a receiver will not take, until they are sent again and taken.
CREATE TABLE dead_letters (
    forwarder   TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    line        INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    resend      INTEGER NOT NULL,
    PRIMARY KEY (forwarder, seq, line)
) STRICT, WITHOUT ROWID;
