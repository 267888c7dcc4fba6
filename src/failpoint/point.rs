#[cfg(debug_assertions)]
use std::path::{Path, PathBuf};
#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::time::Duration;

#[cfg(debug_assertions)]
static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// How often a held point looks whether it may go on.
#[cfg(debug_assertions)]
const LOOK: Duration = Duration::from_millis(5);

/// Sets the directory where tests hold points. The first call counts; without one no point holds.
#[cfg(debug_assertions)]
pub fn arm(place: &Path) {
    let _ = PLACE.set(place.to_path_buf());
}

/// Waits here while a test holds the point; `/` in a name stands as `-` in its files.
#[cfg(debug_assertions)]
pub async fn reach(name: &str) {
    let Some(place) = PLACE.get() else { return };
    hold(place, &name.replace('/', "-")).await;
}

#[cfg(debug_assertions)]
async fn hold(place: &Path, name: &str) {
    let held = place.join(format!("{name}.hold"));
    if !held.exists() {
        return;
    }
    if std::fs::write(place.join(format!("{name}.reached")), "").is_err() {
        return;
    }
    while held.exists() {
        tokio::time::sleep(LOOK).await;
    }
}

/// Nothing: this build has no points.
#[cfg(not(debug_assertions))]
#[inline]
pub fn arm(_: &std::path::Path) {}

/// Nothing: this build has no points.
#[cfg(not(debug_assertions))]
#[inline]
pub async fn reach(_: &str) {}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_point_says_that_it_is_reached_and_waits() {
        std::fs::create_dir_all("target/tmp").unwrap();
        let dir = tempfile::tempdir_in("target/tmp").unwrap();
        hold(dir.path(), "free").await;
        assert!(!dir.path().join("free.reached").exists(), "a free point leaves nothing");
        let held = dir.path().join("p.hold");
        std::fs::write(&held, "").unwrap();
        let place = dir.path().to_path_buf();
        let waiting = tokio::spawn(async move { hold(&place, "p").await });
        while !dir.path().join("p.reached").exists() {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        std::fs::remove_file(held).unwrap();
        waiting.await.unwrap();
    }
}
