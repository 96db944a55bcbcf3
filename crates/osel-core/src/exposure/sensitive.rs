//! Ports that somebody who gets at them has got far.

/// Remote shells, databases, caches, remote desktops and the controls of machines and clusters: what nearly never is meant to be open to
/// the world, and what is looked for first when it is. In order.
pub const SENSITIVE_PORTS: [u16; 16] =
    [22, 23, 445, 1433, 1521, 2375, 3306, 3389, 5432, 5900, 5985, 6379, 6443, 9200, 11_211, 27_017];
