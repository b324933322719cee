//! The way out: what a job may reach, and how.
//!
//! None by default. Where the site grants hosts (site.rs) and a job names them, its
//! desktop gets one TCP port of its own loopback and nothing else of a network:
//!
//! | who | where | holds | is told |
//! |---|---|---|---|
//! | the program | the job's compartment | nothing | an address to send requests to |
//! | the proxy, [`proxy`] | a sandbox of the profile `proxy`, one a job | the listening socket of that port; no way to make a socket | what a hostile program writes |
//! | the outlet, [`outlet`] | agentd, one a job | the job's grants | a name and a port, by the proxy |
//! | the connector, [`connector`] | beside agentd's rooms, in the host's network | the site's grants | a name and a port, by agentd |
//!
//! Guaranteed: bytes reach only a granted name's port, at an address that was checked
//! after it was resolved and is the one connected to; every connection is recorded
//! before its first byte; nothing listens on the host. The proxy, which reads hostile
//! bytes, can add nothing: it may ask for what the job may, and count bytes wrongly.
//! Not guaranteed: what a granted host does with what it gets, and, in a tunnel, that
//! the program speaks TLS with the host that it named.

pub mod address;
pub mod code;
pub mod connector;
pub mod head;
pub mod outlet;
pub(crate) mod packet;
pub mod proxy;
pub(crate) mod resolver;
mod route;
pub mod site;

pub use connector::Connector;
pub use outlet::Outlet;
pub use site::Site;
