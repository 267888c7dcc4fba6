use super::LockError;
use crate::paths::StateDir;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{Read, Seek, Write};

/// Makes this process the engine of a state directory until it is dropped or the process ends.
#[derive(Debug)]
pub struct EngineLock {
    file: File,
}

impl EngineLock {
    /// Takes the lock and writes our pid into it; the kernel releases it when the process dies.
    ///
    /// # Errors
    /// [`LockError::EngineRunning`] when another process is the engine.
    pub fn try_acquire(state: &StateDir) -> Result<Self, LockError> {
        let path = state.engine_lock();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| LockError::io(&path)(e.into()))?;
        let mut file = File::from(fd);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::EngineRunning { pid: read_pid(&mut file) });
            }
            Err(error) => return Err(LockError::io(&path)(error.into())),
        }
        let pid = rustix::process::getpid().as_raw_nonzero();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{pid}"))
            .map_err(LockError::io(&path))?;
        Ok(Self { file })
    }

    /// The pid of the engine of this state directory, if one is alive.
    ///
    /// # Errors
    /// When the lock file cannot be read.
    pub fn holder(state: &StateDir) -> Result<Option<i32>, LockError> {
        let path = state.engine_lock();
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LockError::io(&path)(error)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(read_pid(&mut file)),
            Err(error) => Err(LockError::io(&path)(error.into())),
        }
    }
}

impl Drop for EngineLock {
    fn drop(&mut self) {
        // So that nobody reads the number of a process that has stopped being the engine.
        let _ = self.file.set_len(0);
    }
}

fn read_pid(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_engine_a_state_directory() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        let path = dir.path().canonicalize().unwrap().join("state");
        let state = StateDir::open(&path).unwrap();
        assert_eq!(EngineLock::holder(&state).unwrap(), None);
        let first = EngineLock::try_acquire(&state).unwrap();
        let me = rustix::process::getpid().as_raw_nonzero().get();
        assert_eq!(EngineLock::holder(&state).unwrap(), Some(me));
        assert!(matches!(
            EngineLock::try_acquire(&state),
            Err(LockError::EngineRunning { pid: Some(pid) }) if pid == me
        ));
        drop(first);
        assert_eq!(EngineLock::holder(&state).unwrap(), None);
        assert!(EngineLock::try_acquire(&state).is_ok());
    }
}
