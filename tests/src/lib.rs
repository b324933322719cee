//! End-to-end tests and the development stand.
