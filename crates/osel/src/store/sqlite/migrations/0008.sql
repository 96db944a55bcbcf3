-- The last checkpoint that each witness of the log has cosigned.
CREATE TABLE log_witnessed (
    witness     TEXT    NOT NULL PRIMARY KEY,
    size        INTEGER NOT NULL,
    note        TEXT    NOT NULL,
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
