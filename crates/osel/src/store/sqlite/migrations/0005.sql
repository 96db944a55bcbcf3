-- Findings with their present state, the same as commands.
CREATE TABLE findings (
    id          TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX findings_by_seq ON findings (seq, id);
CREATE INDEX findings_by_state ON findings (state, seq, id);
