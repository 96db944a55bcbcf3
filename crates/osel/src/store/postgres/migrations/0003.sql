-- The log over the records: nodes of its tree, of level 1 and above (level 0 are the records' hashes), and what was signed of it.
CREATE TABLE log_nodes (
    level       smallint NOT NULL,
    place       bigint   NOT NULL,
    hash        bytea    NOT NULL,
    PRIMARY KEY (level, place)
);

-- Signed notes, each for the first `size` records. The latest are kept.
CREATE TABLE log_checkpoints (
    size        bigint PRIMARY KEY,
    note        text   NOT NULL,
    signed_at   bigint NOT NULL
);

-- The keys that signed, for whoever verifies, each with the first checkpoint that it signed. They stay.
CREATE TABLE log_keys (
    size        bigint PRIMARY KEY,
    key         text   NOT NULL
);
