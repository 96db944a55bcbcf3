-- The last checkpoint that each witness of the log has cosigned.
CREATE TABLE log_witnessed (
    witness     text   PRIMARY KEY,
    size        bigint NOT NULL,
    note        text   NOT NULL,
    at          bigint NOT NULL
);
