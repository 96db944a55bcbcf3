//! Tests of the shell from outside: real files, processes and sockets. One binary, so that it links once.
//!
//! Each module is marked as a test once more, so that clippy lets helpers unwrap.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod barbican;
#[cfg(test)]
mod broker;
#[cfg(test)]
mod bundle;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod clouds;
#[cfg(test)]
mod command;
#[cfg(test)]
mod conducted;
#[cfg(test)]
mod config;
#[cfg(test)]
mod control;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod delta;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod emulated;
#[cfg(test)]
mod export;
#[cfg(test)]
mod exported;
#[cfg(test)]
mod file_source;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod findings_command;
#[cfg(test)]
mod fold;
#[cfg(test)]
mod forward;
#[cfg(test)]
mod gap;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod handed_in;
#[cfg(test)]
mod handed_in_beside;
#[cfg(test)]
mod http;
#[cfg(test)]
mod kafka;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod log;
#[cfg(test)]
mod log_serving;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod openstack;
#[cfg(test)]
mod openstack_odd;
#[cfg(test)]
mod openstack_servers;
#[cfg(test)]
mod openstack_tls;
#[cfg(test)]
mod order;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod past;
#[cfg(test)]
mod past_reach;
#[cfg(test)]
mod past_story;
#[cfg(test)]
mod people;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod privacy_retention;
#[cfg(test)]
mod pseudonyms;
#[cfg(test)]
mod quarantine;
#[cfg(test)]
mod reach_servers;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod receivers;
#[cfg(test)]
mod renewed;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod retention_classes;
#[cfg(test)]
mod retention_findings;
#[cfg(test)]
mod retention_preview;
#[cfg(test)]
mod retention_race;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod scanned;
#[cfg(test)]
mod scanners;
#[cfg(test)]
mod scans_command;
#[cfg(test)]
mod search;
#[cfg(test)]
mod second_opinion;
#[cfg(test)]
mod silent_addresses;
#[cfg(test)]
mod source_failed;
#[cfg(test)]
mod splunk;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod testbed;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod truth;
#[cfg(test)]
mod untold;
#[cfg(test)]
mod webhook;
#[cfg(test)]
mod whatif;
#[cfg(test)]
mod wide;
#[cfg(test)]
mod witness;
#[cfg(test)]
mod witness_damaged;
#[cfg(test)]
mod witness_of_others;
