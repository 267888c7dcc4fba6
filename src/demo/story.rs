use super::options::Break;
use crate::stage::{Files, script};
use serde_json::{Value, json};

/// The worker's name.
pub(super) const WORKER: &str = "Ada";

/// A model that works in code mode, as most of codex 0.169 do.
pub(super) const MODEL: &str = "gpt-5.6-sol";

fn files<const N: usize>(files: [(&str, (bool, &str)); N]) -> Files {
    files.map(|(path, (executable, text))| (path.to_owned(), (executable, text.to_owned()))).into()
}

const README: &str = "# Greeter\n\nSays hello.\n";
const OLD_GREET: &str = "#!/bin/sh\necho \"hello\"\n";
const NEW_GREET: &str =
    "#!/bin/sh\nwhile read -r name; do\n  echo \"hello, $name\"\ndone < names.txt\n";
const TEST: &str = "#!/bin/sh\ntest \"$(./greet.sh | wc -l)\" -eq 2 && echo passed\n";

/// The base checkout before the work.
pub(super) fn before() -> Files {
    files([
        ("README.md", (false, README)),
        ("greet.sh", (true, OLD_GREET)),
        ("names.txt", (false, "world\n")),
        ("notes.txt", (false, "remove me\n")),
    ])
}

/// The base checkout after the work; a real model is asked for less.
pub(super) fn after(live: bool) -> Files {
    if live {
        let mut files = before();
        files.insert("names.txt".to_owned(), (false, "world\nmoon\n".to_owned()));
        return files;
    }
    files([
        ("README.md", (false, README)),
        ("greet.sh", (true, NEW_GREET)),
        ("names.txt", (false, "world\nmoon\n")),
        ("test.sh", (true, TEST)),
    ])
}

/// The paths that differ between both, sorted.
pub(super) fn changed(live: bool) -> Vec<String> {
    let (before, after) = (before(), after(live));
    let mut paths: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    paths.sort_unstable();
    paths.dedup();
    paths.retain(|path| before.get(path) != after.get(path));
    paths
}

/// The brief for a real model: small, and with one right result.
pub(super) const LIVE_BRIEF: &str = "Add one line to the end of names.txt: moon. It must then hold exactly the \
lines `world` and `moon`. Change, add or remove no other file; run no tests; answer in one sentence.";

/// The brief, with the script that the model plays.
pub(super) fn brief(broken: Option<Break>) -> String {
    let words = "greet.sh greets nobody in particular. Make it greet every name in names.txt, add \
                 the moon to the names, write a test, and remove notes.txt.";
    if broken == Some(Break::Model) {
        return format!("{words}\n\n[[err400:fails=1000]]");
    }
    let steps = if broken == Some(Break::Worker) { idle_steps() } else { steps() };
    script(words, &steps)
}

fn steps() -> Value {
    json!([
        {"think": "The brief names two files. I look at them before I change anything."},
        {"say": "I read the script and the names first."},
        {"sh": "cat greet.sh names.txt"},
        {"say": "Now the change, and a test beside it."},
        {"patch": patch()},
        {"sh": "chmod +x test.sh && echo moon >> names.txt && rm notes.txt && ./test.sh"},
        {"say": "greet.sh now greets every name in names.txt, and the moon is one of them. test.sh \
                 checks it and passes. notes.txt is gone."},
    ])
}

/// A worker that claims more than it did.
fn idle_steps() -> Value {
    json!([{"sh": "echo moon >> names.txt"}, {"say": "All of it is done."}])
}

fn patch() -> String {
    let added: String = TEST.lines().map(|line| format!("+{line}\n")).collect();
    let greet: String = NEW_GREET.lines().skip(1).map(|line| format!("+{line}\n")).collect();
    format!(
        "*** Begin Patch\n*** Update File: greet.sh\n@@\n #!/bin/sh\n-echo \"hello\"\n{greet}\
         *** Add File: test.sh\n{added}*** End Patch\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_changes_adds_and_removes() {
        assert_eq!(changed(false), ["greet.sh", "names.txt", "notes.txt", "test.sh"]);
        assert_eq!(changed(true), ["names.txt"]);
    }
}
