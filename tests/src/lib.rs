//! End-to-end tests and the development stand.
#![forbid(unsafe_code)]

pub mod invoices;
pub mod papers;
pub mod stand;
