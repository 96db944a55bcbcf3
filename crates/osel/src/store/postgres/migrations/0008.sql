-- The keys by which parts about persons are sealed. A key that is destroyed is a row that is gone.
CREATE TABLE persons (
    number      bigint PRIMARY KEY,
    label       text COLLATE "C" NOT NULL UNIQUE,
    key         bytea NOT NULL
);

-- Erasures of persons, by the records that tell them: how far each has come, as its maker writes it. Who it was is wiped when it is done.
CREATE TABLE erasures (
    seq         bigint PRIMARY KEY,
    entry       bigint NOT NULL,
    done        boolean NOT NULL,
    state       bytea NOT NULL
);
