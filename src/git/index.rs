//! As much of git's index file as a snapshot has to know before it asks git.

/// Whether an index is known to hold only files and links: no submodule, no directory of a sparse
/// index, no entries kept elsewhere. `false` also where this reader is not sure (another version than 2
/// and 3, other hashes than SHA-1, damage): then git is to be asked.
///
/// The layout is that of gitformat-index(5).
pub(super) fn only_files(index: &[u8]) -> bool {
    scan(index).unwrap_or(false)
}

/// Bytes of a hash.
const HASH: usize = 20;
/// Where an entry has its mode, after eight fields of four bytes that `stat` gave but two.
const MODE: usize = 24;
/// Where it has its flags, behind the hash.
const FLAGS: usize = 40 + HASH;

fn scan(index: &[u8]) -> Option<bool> {
    let body = index.get(..index.len().checked_sub(HASH)?)?;
    let version = number(body, 4)?;
    if !body.starts_with(b"DIRC") || !matches!(version, 2 | 3) {
        return None;
    }
    let mut at = 12;
    for _ in 0..number(body, 8)? {
        if !matches!(number(body, at + MODE)?, 0o100_644 | 0o100_755 | 0o120_000) {
            return Some(false);
        }
        at = after(body, at)?;
    }
    extensions(body, at)
}

/// Where the entry ends that begins at `at`: its name is padded with one to eight NULs.
fn after(body: &[u8], at: usize) -> Option<usize> {
    let flags = body.get(at + FLAGS..at + FLAGS + 2)?;
    let flags = u16::from_be_bytes([flags[0], flags[1]]);
    let name = at + FLAGS + 2 + 2 * usize::from(flags & 0x4000 != 0);
    let length = match usize::from(flags & 0x0fff) {
        // The length does not fit.
        0x0fff => body.get(name..)?.iter().position(|byte| *byte == 0)?,
        length => length,
    };
    let end = at + (name - at + length + 8) / 8 * 8;
    let padding = body.get(name + length..end)?;
    (length > 0 && padding.iter().all(|byte| *byte == 0)).then_some(end)
}

/// Lower-case extensions change what the entries mean: `link` shares them, `sdir` folds directories.
fn extensions(body: &[u8], mut at: usize) -> Option<bool> {
    while at < body.len() {
        if !body.get(at)?.is_ascii_uppercase() {
            return Some(false);
        }
        at += 8 + usize::try_from(number(body, at + 4)?).ok()?;
    }
    (at == body.len()).then_some(true)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::testbed::TestRepo;

    async fn bed(init: &[&str]) -> TestRepo {
        let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
        let files = ["a", "b/c", "b/cd", "b/cde", "b/cdef", "é", &long];
        TestRepo::with(init, &files.map(|name| (name, "text\n"))).await
    }

    fn index(bed: &TestRepo) -> Vec<u8> {
        std::fs::read(bed.repo.git_dir.join("index")).unwrap()
    }

    #[tokio::test]
    async fn an_index_of_files_is_known_as_one() {
        let bed = bed(&[]).await;
        std::os::unix::fs::symlink("a", bed.repo.root.join("link")).unwrap();
        bed.run(&["add", "-A"]).await;
        assert!(only_files(&index(&bed)));
        // Version 3.
        bed.write("later", b"");
        bed.run(&["add", "--intent-to-add", "later"]).await;
        assert_eq!(number(&index(&bed), 4), Some(3));
        assert!(only_files(&index(&bed)));
        // Where an index is cut within its entries, nothing is known of the rest.
        let whole = index(&bed);
        let entries = whole.windows(4).position(|four| four == b"TREE").unwrap();
        for cut in 0..entries + HASH {
            assert!(!only_files(&whole[..cut]), "cut at {cut}");
        }
    }

    #[tokio::test]
    async fn everything_else_is_left_to_git() {
        let submodule = bed(&[]).await;
        let head = submodule.run(&["rev-parse", "HEAD"]).await;
        let entry = format!("160000,{head},b/sub");
        submodule.run(&["update-index", "--add", "--cacheinfo", &entry]).await;
        assert!(!only_files(&index(&submodule)));
        let split = bed(&[]).await;
        split.run(&["update-index", "--split-index"]).await;
        assert!(!only_files(&index(&split)));
        let four = bed(&[]).await;
        four.run(&["update-index", "--index-version", "4"]).await;
        assert!(!only_files(&index(&four)));
        assert!(!only_files(&index(&bed(&["--object-format=sha256"]).await)));
        assert!(!only_files(b""));
        let sparse = bed(&[]).await;
        sparse.run(&["sparse-checkout", "set", "--cone", "--sparse-index", "nothing"]).await;
        assert!(!only_files(&index(&sparse)));
    }
}
