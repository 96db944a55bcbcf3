//! The API of a cloud: Keystone and Neutron, asked as a second opinion. Never in the path of an event.

pub mod words;
