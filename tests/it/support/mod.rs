//! A bed for one test: state directory, repository, scripted model, server, clients, and the checks
//! that every test ends with.

mod bed;
mod client;
mod drill;
mod leftovers;
mod oracle;
mod record;
mod repo;
#[cfg(target_os = "linux")]
mod room;
mod steps;

pub use bed::{Bed, Era};
pub use client::Client;
pub use drill::Victim;
pub use repo::Repo;
pub use steps::{Step, script};
