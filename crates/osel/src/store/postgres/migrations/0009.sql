-- A key is for one week, counted from 1970, and goes behind all that it sealed. Those that are there sealed nothing behind the last record.
ALTER TABLE persons ADD COLUMN week bigint;
UPDATE persons SET week = coalesce((SELECT floor(as_of / 604800000000.0)::bigint FROM records ORDER BY seq DESC LIMIT 1), 0);
ALTER TABLE persons ALTER COLUMN week SET NOT NULL;
ALTER TABLE persons DROP CONSTRAINT persons_label_key;
ALTER TABLE persons ADD UNIQUE (label, week);
CREATE INDEX persons_by_week ON persons (week);

-- The numbers of keys that an erasure destroyed: they are not given again.
CREATE TABLE spent (
    number      bigint PRIMARY KEY
);
