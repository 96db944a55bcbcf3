-- The search index, which is derived from the records and may lack any of them: stretches of records within a block of 65,536, and the
-- pages of their terms by the class of the part that the terms come from. A page is compressed.
CREATE TABLE search_segments (
    first       INTEGER PRIMARY KEY,
    last        INTEGER NOT NULL,
    form        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL
) STRICT;

CREATE TABLE search_pages (
    id          INTEGER PRIMARY KEY,
    segment     INTEGER NOT NULL,
    class       INTEGER NOT NULL,
    term        BLOB    NOT NULL,
    data        BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX search_pages_by_term ON search_pages (segment, class, term);

-- Rises whenever something goes from records: what was made of them before is not written any more.
CREATE TABLE search_state (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    generation  INTEGER NOT NULL
) STRICT;
INSERT INTO search_state VALUES (1, 0);

-- Up to which record the terms of parts of this class are gone from the index: they go before the parts do.
ALTER TABLE expiry_parts ADD COLUMN searched INTEGER NOT NULL DEFAULT 0;
