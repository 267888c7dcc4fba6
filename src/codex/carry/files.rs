use super::report::Carried;
use std::io;
use std::path::{Path, PathBuf};

/// Global instructions; codex reads the first that is there.
const INSTRUCTIONS: [&str; 2] = ["AGENTS.override.md", "AGENTS.md"];

/// What else of a codex home would act, and stays behind.
const LEFT: &[(&str, &str)] = &[
    ("hooks.json", "hooks are not run"),
    ("prompts", "prompts are for typing"),
    ("rules", "workers ask for nothing; the sandbox decides"),
    ("agents", "see codex.sub_agents"),
    ("plugins", "plugins are off"),
    ("memories", "workers have none"),
];

/// The files with global instructions: name, and where the user keeps it.
pub(super) fn instructions(user: &Path, carried: &mut Carried) -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for name in INSTRUCTIONS {
        let file = user.join(name);
        if file.is_file() {
            carried.taken(name, "by a link; every worker gets them");
            found.push((name, file));
        }
    }
    for (name, why) in LEFT {
        if user.join(name).exists() {
            carried.left(name, *why);
        }
    }
    found
}

/// Makes `home/<name>` a link to the user's file for each that is there, and removes earlier links. A
/// plain file that stands there stays.
pub(super) fn link(home: &Path, wanted: &[(&'static str, PathBuf)]) -> io::Result<()> {
    for name in INSTRUCTIONS {
        let target = wanted.iter().find(|(n, _)| *n == name).map(|(_, file)| file);
        place(&home.join(name), target)?;
    }
    Ok(())
}

/// Makes `link` a link to `target`, or nothing.
pub(super) fn place(link: &Path, target: Option<&PathBuf>) -> io::Result<()> {
    match std::fs::symlink_metadata(link) {
        Ok(meta) if meta.is_symlink() => {
            if std::fs::read_link(link).ok().as_ref() == target {
                return Ok(());
            }
            std::fs::remove_file(link)?;
        }
        Ok(_) => return Ok(()),
        Err(_) => {}
    }
    target.map_or(Ok(()), |target| std::os::unix::fs::symlink(target, link))
}
