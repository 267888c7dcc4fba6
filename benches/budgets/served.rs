use crate::place;
use crate::wire::{Door, Era};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A server that is a process of its own. It ends with its handle, and what it started with it.
pub(crate) struct Served {
    child: Child,
    pub(crate) door: Door,
}

impl Served {
    /// Starts `patchbay start` in a directory that [`place::state_in`] has filled.
    pub(crate) fn patchbay(dir: &Path, root: &Path) -> Self {
        let mut command = place::patchbay(dir, &["start", "--port", "0", "--json", "--root"]);
        let (child, line) = started(command.arg(root));
        let ready: Value = serde_json::from_str(&line).unwrap();
        let token: PathBuf = ready["token_file"].as_str().unwrap().into();
        let token = std::fs::read_to_string(token).unwrap();
        let address = format!("127.0.0.1:{}", ready["port"]).parse().unwrap();
        let path = format!("/mcp/{}", token.trim());
        Self { child, door: Door { address, path } }
    }

    /// Starts the bare server.
    pub(crate) fn bare() -> Self {
        let program = std::env::current_exe().unwrap();
        let (child, line) = started(Command::new(program).arg("bare-rmcp"));
        let door =
            Door { address: line.trim().parse().unwrap(), path: crate::bare::PATH.to_owned() };
        Self { child, door }
    }

    /// Starts patchbay and waits for its first answer; gives the milliseconds.
    pub(crate) async fn cold(dir: &Path) -> f64 {
        let begun = Instant::now();
        let server = Self::patchbay(dir, dir);
        server.door.open(Era::Legacy).await;
        begun.elapsed().as_secs_f64() * 1e3
    }

    /// Resident memory in MB.
    pub(crate) fn resident(&self) -> f64 {
        let status = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kib * 1024.0 / 1e6
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a child to end and waits until it has.
pub(crate) fn end(child: &mut Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let (Some(pid), Ok(None)) = (pid, child.try_wait()) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = child.wait();
}

/// Starts a server and reads the line with which it says that it is ready.
fn started(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    (child, line)
}
