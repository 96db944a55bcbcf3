-- The search index, which is derived from the records and may lack any of them: stretches of records within a block of 65,536, and the
-- pages of their terms by the class of the part that the terms come from. A page is compressed.
CREATE TABLE search_segments (
    first       bigint  PRIMARY KEY,
    last        bigint  NOT NULL,
    form        bigint  NOT NULL,
    bytes       bigint  NOT NULL
);

CREATE TABLE search_pages (
    segment     bigint   NOT NULL,
    class       smallint NOT NULL,
    term        bytea    NOT NULL,
    data        bytea    NOT NULL,
    PRIMARY KEY (segment, class, term)
);
ALTER TABLE search_pages ALTER COLUMN data SET STORAGE EXTERNAL;

-- Rises whenever something goes from records: what was made of them before is not written any more.
CREATE TABLE search_state (
    one         smallint PRIMARY KEY CHECK (one = 1),
    generation  bigint NOT NULL
);
INSERT INTO search_state VALUES (1, 0);

-- Up to which record the terms of parts of this class are gone from the index: they go before the parts do.
ALTER TABLE expiry_parts ADD COLUMN searched bigint NOT NULL DEFAULT 0;
