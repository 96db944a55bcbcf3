-- Parts of a class go from records of a kind up to `seq`, and are gone up to `done`. Kind 0: of whatever kind.
CREATE TABLE expiry_parts_of_kinds (
    class    INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    done     INTEGER NOT NULL,
    searched INTEGER NOT NULL,
    PRIMARY KEY (class, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO expiry_parts_of_kinds SELECT class, 0, seq, done, searched FROM expiry_parts;
DROP TABLE expiry_parts;
ALTER TABLE expiry_parts_of_kinds RENAME TO expiry_parts;
