# The commands of this repository that are used most; every one works without `just` too, and `cargo xtask` lists all.

# List them
default:
    @just --list

# Everything that a change has to pass
ci:
    .ci/run

# The rules of the house
tidy:
    cargo xtask tidy

# All tests
test *arguments:
    cargo xtask test -- {{arguments}}

# Real Keystone and Neutron beside osel
lab *arguments:
    cargo xtask lab {{arguments}}

# Break everything around osel for a while, by seed
chaos minutes="15":
    cargo xtask chaos --minutes {{minutes}}

# A Debian package, into target/debian
deb *arguments:
    cargo xtask deb {{arguments}}

# Write the reference pages
docs:
    cargo xtask docs

# Known vulnerabilities of what we depend on (needs the network and cargo-deny)
advisories:
    cargo deny check advisories
