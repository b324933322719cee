//! End-to-end tests and the development stand.
#![forbid(unsafe_code)]

pub mod stand;
