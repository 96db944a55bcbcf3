-- The log over the records: nodes of its tree, of level 1 and above (level 0 are the records' hashes), and what was signed of it.
CREATE TABLE log_nodes (
    level       INTEGER NOT NULL,
    place       INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;

-- Signed notes, each for the first `size` records. The latest are kept.
CREATE TABLE log_checkpoints (
    size        INTEGER PRIMARY KEY,
    note        TEXT    NOT NULL,
    signed_at   INTEGER NOT NULL
) STRICT;

-- The keys that signed, for whoever verifies, each with the first checkpoint that it signed. They stay.
CREATE TABLE log_keys (
    size        INTEGER PRIMARY KEY,
    key         TEXT    NOT NULL
) STRICT;
