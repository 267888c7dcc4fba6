use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Becomes `program`, which the system ends with SIGTERM when `parent` ends, however it ends. Only
/// Linux knows this; elsewhere the program runs without it. The environment is this process's own.
///
/// Returns only when it cannot be done: `parent` is gone already, or the program cannot be run.
#[allow(clippy::disallowed_methods)] // room `process` owns spawning
pub fn become_leashed(parent: i32, program: &Path, args: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, getppid, set_parent_process_death_signal};
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            return error.into();
        }
        // It may have ended before the system was told.
        if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
            return io::Error::other("the server is gone");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = parent;
    std::process::Command::new(program).args(args).exec()
}
