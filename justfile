# An index of the commands of this repository; every one works without `just` too.

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

# A Debian package, into target/debian
deb *arguments:
    cargo xtask deb {{arguments}}

# Write the reference pages
docs:
    cargo xtask docs

# Known vulnerabilities of what we depend on (needs the network and cargo-deny)
advisories:
    cargo deny check advisories
