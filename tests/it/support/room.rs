use super::Bed;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use std::os::unix::fs::PermissionsExt;

/// A disk that gets full for the server alone: by a bound on what it may write, which the system keeps as it
/// keeps that of a disk. Codex, which runs already, has room.
impl Bed {
    /// From now on servers are started so that a write without room fails, and does not end them.
    pub fn bound(&mut self) {
        let script = self.dir.join("bounded");
        let (full, program) = (self.dir.join("full"), self.program());
        let text = format!(
            "#!/bin/sh\ntrap '' XFSZ\nif test -e {}; then ulimit -S -f 0; fi\nexec {} \"$@\"\n",
            full.display(),
            program.display()
        );
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        self.use_program(script);
    }

    /// There is no room any more, nor for servers that are started.
    pub fn fill(&self) {
        std::fs::write(self.dir.join("full"), "").unwrap();
        self.limit(Some(0));
    }

    /// There is room again.
    pub fn free(&self) {
        std::fs::remove_file(self.dir.join("full")).unwrap();
        if self.runs() {
            self.limit(None);
        }
    }

    fn limit(&self, bytes: Option<u64>) {
        // The server has our own hard bound; to raise that takes a right that tests must not need.
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: bytes.or(maximum), maximum };
        prlimit(Some(self.server_pid()), Resource::Fsize, limit).unwrap();
    }
}
