-- Parts of a class go from records of a kind up to `seq`. Kind 0: of whatever kind.
ALTER TABLE expiry_parts ADD COLUMN kind smallint NOT NULL DEFAULT 0;
ALTER TABLE expiry_parts DROP CONSTRAINT expiry_parts_pkey;
ALTER TABLE expiry_parts ADD PRIMARY KEY (class, kind);
