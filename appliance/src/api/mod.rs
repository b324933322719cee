//! The API of the control daemon: HTTP/1.1 with JSON over a Unix socket.
//!
//! [`route`] lists the calls, [`view`] is what they say. A client is bounded in
//! bytes, in time and in number, and is named by the kernel, never by itself.

pub mod appliance;
pub mod body;
mod call;
pub mod error;
mod file;
pub mod pace;
pub mod route;
pub mod server;
pub mod show;
mod tpm;
pub mod view;
