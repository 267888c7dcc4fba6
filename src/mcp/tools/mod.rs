//! The tools, one file a family. Each family declares its tools once; list, call, schemas and docs
//! follow from that.

mod all;
mod connector;
mod context;
mod context_files;
mod context_git;
mod integrate;
mod integrate_checks;
mod integrate_view;
mod overlap_view;
mod receipt_view;
mod worker;
mod worker_approvals;
mod worker_inspect;
mod worker_log;
mod worker_message;
mod worker_options;
mod worker_start;
mod worker_state;
mod worker_stop;
mod worker_team;
mod worker_views;

pub use all::all;
