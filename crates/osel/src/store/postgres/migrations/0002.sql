-- Findings with their present state, the same as commands.
CREATE TABLE findings (
    id          text COLLATE "C" PRIMARY KEY,
    seq         bigint NOT NULL,
    state       text   NOT NULL,
    body        bytea  NOT NULL,
    updated_at  bigint NOT NULL
);
CREATE INDEX findings_by_seq ON findings (seq, id);
CREATE INDEX findings_by_state ON findings (state, seq, id);
