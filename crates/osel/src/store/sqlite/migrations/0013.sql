-- The last checkpoints that each witness of the log has cosigned: those that several have cosigned are not the last of each.
CREATE TABLE log_cosigned (
    witness     TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    note        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (witness, size)
) STRICT, WITHOUT ROWID;
INSERT INTO log_cosigned (witness, size, note, at) SELECT witness, size, note, at FROM log_witnessed;
DROP TABLE log_witnessed;
