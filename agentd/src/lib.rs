//! The agent runtime: supervisor, sandboxes, interpreter, eyes and hands.

pub mod build;
pub mod code;
pub mod denial;
pub mod desktop;
pub mod egress;
pub mod enter;
pub mod exec;
pub mod pack;
pub mod profile;
pub mod sandbox;
pub mod selftest;
pub mod supervisor;
pub mod vision;
pub mod workflow;
