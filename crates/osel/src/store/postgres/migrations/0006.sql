-- How far each forwarder has come, as absolute values. One that is not configured any more keeps its row.
CREATE TABLE forwarders (
    name        text COLLATE "C" PRIMARY KEY,
    begin_seq   bigint NOT NULL,
    place       bigint NOT NULL,
    delivered   bigint NOT NULL,
    filtered    bigint NOT NULL,
    dead        bigint NOT NULL,
    lines       bigint NOT NULL,
    bytes       bigint NOT NULL,
    batches     bigint NOT NULL,
    retries     bigint NOT NULL,
    mark        text,
    trouble_at  bigint,
    trouble     text,
    updated_at  bigint NOT NULL
);

-- Lines that a receiver will not take, until they are sent again and taken.
CREATE TABLE dead_letters (
    forwarder   text COLLATE "C" NOT NULL,
    seq         bigint  NOT NULL,
    line        integer NOT NULL,
    why         text    NOT NULL,
    at          bigint  NOT NULL,
    resend      boolean NOT NULL,
    PRIMARY KEY (forwarder, seq, line)
);
