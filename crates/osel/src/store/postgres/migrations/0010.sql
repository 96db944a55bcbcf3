-- The last checkpoints that each witness of the log has cosigned: those that several have cosigned are not the last of each.
ALTER TABLE log_witnessed RENAME TO log_cosigned;
ALTER TABLE log_cosigned DROP CONSTRAINT log_witnessed_pkey;
ALTER TABLE log_cosigned ADD PRIMARY KEY (witness, size);
