-- What may go from the store, as commits have said, and how far its going has come.

-- The checkpoint that stands for the inputs that go: a snapshot, its record and its entry; zeros for none.
-- Messages quarantined before `quarantine_before` are not held any more. `swept`: all blocks up to this entry
-- are gone, but for those with messages that are held.
CREATE TABLE expiry (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    snapshot          INTEGER NOT NULL,
    seq               INTEGER NOT NULL,
    entry             INTEGER NOT NULL,
    quarantine_before INTEGER NOT NULL,
    swept             INTEGER NOT NULL
) STRICT;
INSERT INTO expiry VALUES (1, 0, 0, 0, -62135596800000000, 0);

-- Parts of a class go from records up to `seq`, and are gone up to `done`. Class 0: whatever lies in entries.
CREATE TABLE expiry_parts (
    class INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL,
    done  INTEGER NOT NULL
) STRICT;

-- How many bytes there are of what may go, so that nobody has to read a table to know.
CREATE TABLE sizes (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    input_bytes   INTEGER NOT NULL,
    version_bytes INTEGER NOT NULL,
    part_bytes    INTEGER NOT NULL
) STRICT;
INSERT INTO sizes SELECT 1,
    (SELECT coalesce(sum(length(data)), 0) FROM blocks),
    (SELECT coalesce(sum(length(data)), 0) FROM versions),
    (SELECT coalesce(sum(length(parts)), 0) FROM records);

CREATE INDEX quarantine_by_entry ON quarantine (entry);
