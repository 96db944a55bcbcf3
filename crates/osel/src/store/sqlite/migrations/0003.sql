-- How far a source was read that is read from a place on, such as a file, in the words of its reader; null for a queue, which
-- keeps its own.
ALTER TABLE cursors ADD COLUMN place TEXT;
