//! What a survey orders and when: scripts, and random drivers.
