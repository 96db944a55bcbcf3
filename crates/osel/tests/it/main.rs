//! Tests of the shell against the real system: sockets, processes, files. One binary, one module per subject.

mod scan;
