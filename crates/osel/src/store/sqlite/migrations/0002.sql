-- How far each source is known to be whole: its cursor, in the words of the state machine that reads it.
CREATE TABLE cursors (
    source TEXT PRIMARY KEY,
    -- Microseconds since 1970; null where nothing was promised yet.
    unbroken INTEGER,
    drained INTEGER,
    -- A gap that has not ended, and the code of its cause; null for none.
    gap_from INTEGER,
    gap_why INTEGER
) STRICT;
