-- Erasures of persons, by the records that tell them: how far each has come, as its maker writes it. Who it was is wiped when it is done.
CREATE TABLE erasures (
    seq         INTEGER PRIMARY KEY,
    entry       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    state       BLOB    NOT NULL
) STRICT;
