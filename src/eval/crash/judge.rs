use super::message::{Kind, Message, Name};
use super::rollouts::{Delivery, Rollouts};
use crate::eval::ground::{Ground, same_files};
use crate::git::Repo;
use crate::scripted::Asked;
use crate::stage::{Found, Stage, files_below};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a round left, for the judges.
pub(super) struct Evidence<'a> {
    pub(super) stage: &'a Stage,
    /// The base before the round.
    pub(super) before: Ground,
    /// The workers, with their ids.
    pub(super) workers: BTreeMap<Name, String>,
    /// What was said to them.
    pub(super) said: Vec<Message>,
    pub(super) rollouts: Rollouts,
    /// What the model was asked in the round.
    pub(super) asked: Vec<Asked>,
    /// How often codex was killed.
    pub(super) codex_killed: usize,
}

impl Evidence<'_> {
    /// Everything that must hold when the team rests and all of its work is integrated.
    pub(super) async fn judge(&self) -> anyhow::Result<()> {
        self.base().context("the base")?;
        self.snapshots().await.context("the snapshots")?;
        for message in &self.said {
            self.delivered(message).with_context(|| format!("the message {}", message.token))?;
        }
        self.model().context("the model's log")
    }

    /// The base is what it was, each worker's directory and its line in the shared file as that worker
    /// has them, and nothing else. Each piece of work is in its log once.
    fn base(&self) -> anyhow::Result<()> {
        let now = Ground::of(self.stage)?;
        self.before.same_git(&now)?;
        let mut expected = self.before.files().clone();
        let mut shared = shared_of(&expected)?;
        for (name, id) in &self.workers {
            let tree = worktree(self.stage, id)?;
            let files = files_below(&tree)?;
            let own = files.iter().filter(|(path, _)| path.starts_with(&name.dir()));
            expected.extend(own.map(|(path, file)| (path.clone(), file.clone())));
            take_line(&mut shared, &shared_of(&files)?, &name.line())?;
            once_each(&files, name)?;
        }
        expected.insert("shared.txt".to_owned(), (false, (shared.join("\n") + "\n").into_bytes()));
        same_files(&expected, now.files())
    }

    /// The last snapshot of each worker, as git has it, is what its worktree holds.
    async fn snapshots(&self) -> anyhow::Result<()> {
        let repo = &self.stage.repo;
        for (name, id) in &self.workers {
            let list = repo.git.run(&repo.root, "for-each-ref");
            let pattern = format!("refs/patchbay/{id}/");
            let list = list.args(["--sort=refname", "--format=%(refname)"]).arg(pattern);
            let refs = list.ok().await?.line();
            let last = refs.lines().rfind(|line| line.contains("/snp_"));
            let last = last.with_context(|| format!("{} has no snapshot: {refs}", name.text()))?;
            let held = blobs(repo, last).await?;
            let there = hashes(repo, &worktree(self.stage, id)?).await?;
            ensure!(held == there, "the worktree of {} differs from {last}", name.text());
        }
        Ok(())
    }

    /// A message was taken once, or again with the words that say so; what it asked for is there when
    /// its turn went to its end.
    fn delivered(&self, message: &Message) -> anyhow::Result<()> {
        let taken = self.rollouts.of(message);
        deliveries(message, &taken)?;
        let whole = taken.last().is_some_and(|last| last.whole);
        if message.kind == Kind::Work && whole {
            let path = self.stage.repo.root.join(message.path());
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("its turn ended well, but {} is lost", message.path()))?;
            ensure!(text == message.content(), "{} is not what was asked for", message.path());
        }
        Ok(())
    }

    /// The model saw each message begin as often as codex took it, and one more time for each codex
    /// that was killed before it had written that down; and it was asked for nothing else.
    fn model(&self) -> anyhow::Result<()> {
        let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
        for asked in &self.asked {
            let message = last_work(&self.said, &asked.body);
            let message = message.context("it was asked about no message of this round")?;
            if asked.step == 0 {
                *begun.entry(&message.token).or_default() += 1;
            }
        }
        for message in self.said.iter().filter(|message| message.kind == Kind::Work) {
            let taken = self.rollouts.of(message).len();
            let begun = begun.get(message.token.as_str()).copied().unwrap_or_default();
            // Words of a turn of their own ask the model again about the work before them.
            let words = self.said.iter().filter(|m| m.kind == Kind::Word).count();
            let most = taken + self.codex_killed + words;
            ensure!(begun <= most, "{} began {begun} times, taken {taken}", message.token);
        }
        Ok(())
    }
}

/// The files of a commit: what git calls their bytes, by path.
async fn blobs(repo: &Repo, commit: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let list = repo.git.run(&repo.root, "ls-tree").args(["-r", "--format=%(objectname) %(path)"]);
    let text = list.arg(commit).ok().await?.line();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(oid, path)| (path.to_owned(), oid.to_owned())).collect())
}

/// The files of a worktree in the same form.
async fn hashes(repo: &Repo, tree: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let paths: Vec<String> = files_below(tree)?.into_keys().collect();
    let hash = repo.git.run(tree, "hash-object").arg("--stdin-paths");
    let text = hash.stdin((paths.join("\n") + "\n").into_bytes()).ok().await?.line();
    Ok(paths.into_iter().zip(text.lines().map(str::to_owned)).collect())
}

/// What codex's own records must show of a message.
fn deliveries(message: &Message, taken: &[&Delivery]) -> anyhow::Result<()> {
    let first = taken.iter().filter(|delivery| !delivery.again).count();
    let again = taken.len() - first;
    let files: BTreeSet<&PathBuf> = taken.iter().map(|delivery| &delivery.file).collect();
    ensure!(files.len() <= 1, "it is in {} threads", files.len());
    ensure!(first <= 1, "it was taken {first} times without a word that it comes again");
    ensure!(again <= 1, "it was sent again {again} times");
    ensure!(!message.certain || !taken.is_empty(), "the server had it, and codex never took it");
    Ok(())
}

/// The message that a request is about: the last one of which the conversation holds the words.
fn last_work<'a>(said: &'a [Message], body: &Value) -> Option<&'a Message> {
    let input = body["input"].as_array()?;
    let texts = input.iter().rev().filter(|item| item["role"] == "user").map(Value::to_string);
    let work = || said.iter().filter(|message| message.kind == Kind::Work);
    texts.into_iter().find_map(|text| work().find(|message| text.contains(&message.mark())))
}

fn worktree(stage: &Stage, id: &str) -> anyhow::Result<PathBuf> {
    let all = stage.state.root().join("worktrees");
    for repository in std::fs::read_dir(&all)?.flatten() {
        let tree = repository.path().join(id).join("tree");
        if tree.is_dir() {
            return Ok(tree);
        }
    }
    bail!("the worktree of {id} is gone from {}", all.display())
}

fn shared_of(files: &BTreeMap<String, Found>) -> anyhow::Result<Vec<String>> {
    let (_, bytes) = files.get("shared.txt").context("shared.txt is gone")?;
    Ok(String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect())
}

/// Takes the line with this beginning over from another version of the shared file.
fn take_line(shared: &mut [String], from: &[String], begin: &str) -> anyhow::Result<()> {
    let line = from.iter().find(|line| line.starts_with(begin));
    let line = line.with_context(|| format!("no line {begin:?} in the shared file of a worker"))?;
    let own = shared.iter_mut().find(|line| line.starts_with(begin));
    own.context("the shared file has lost a line")?.clone_from(line);
    Ok(())
}

/// No piece of work is twice in a worker's log.
fn once_each(files: &BTreeMap<String, Found>, name: &Name) -> anyhow::Result<()> {
    let Some((_, log)) = files.get(&format!("{}log.txt", name.dir())) else { return Ok(()) };
    let mut seen = BTreeSet::new();
    for line in String::from_utf8_lossy(log).lines() {
        ensure!(seen.insert(line.to_owned()), "{line} is twice in the log of {}", name.text());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_once_or_said_to_come_again() {
        let name = Name { round: 1, seat: 0 };
        let sure = Message::new(&name, 1, Kind::Work, true);
        let lost = Message { certain: false, ..sure.clone() };
        let one = |file: &str, again| Delivery { file: file.into(), again, whole: true };
        let (a, again, b) = (one("a", false), one("a", true), one("b", false));
        for (message, taken, right) in [
            (&sure, vec![&a], true),
            (&sure, vec![&a, &again], true),
            (&sure, vec![&again], true),
            (&sure, vec![], false),
            (&lost, vec![], true),
            (&lost, vec![&a], true),
            (&sure, vec![&a, &a], false),
            (&sure, vec![&a, &again, &again], false),
            (&sure, vec![&a, &b], false),
        ] {
            assert_eq!(deliveries(message, &taken).is_ok(), right, "{taken:?}");
        }
    }

    #[test]
    fn a_line_is_taken_over_and_a_double_is_noticed() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut shared = lines("w0: a\n-\nw1: b");
        take_line(&mut shared, &lines("w0: x\n-\nw1: y"), "w1: ").unwrap();
        assert_eq!(shared, lines("w0: a\n-\nw1: y"));
        assert!(take_line(&mut shared, &lines("w0: x"), "w1: ").is_err());
        let name = Name { round: 1, seat: 0 };
        let log = |text: &str| {
            let file: Found = (false, text.into());
            BTreeMap::from([(format!("{}log.txt", name.dir()), file)])
        };
        assert!(once_each(&log("a\nb\n"), &name).is_ok());
        assert!(once_each(&log("a\nb\na\n"), &name).is_err());
    }
}
