//! Random work and random edits of the base, integrated round after round in one bed, as a worker and a
//! user go on together. `PATCHBAY_CASES` sets how many rounds, `PATCHBAY_SEED` the seed; `evals/integration-cases`
//! runs 10,000 with a seed of the day.

use super::random_edits::{BaseGit, Round, make, round};
use super::table::{Exactly, entries, exact_as, same};
use super::*;
use crate::paths::Env;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

/// Rounds of the gate, in all parts together.
const CASES: u64 = 150;
/// Tests that share the rounds, to use several cores.
const PARTS: u64 = 10;
/// Rounds in one bed.
const ROUNDS: u64 = 15;

type Entries = BTreeMap<GitPath, crate::git::Entry>;

const ATTRIBUTES: &[u8] = b"*.crlf text eol=crlf\n*.id ident\n*.auto text=auto\n\
                            *.u16 working-tree-encoding=UTF-16LE\n*.up filter=up\n";

fn number(name: &str, default: u64) -> u64 {
    let env = Env::from_process();
    let text = env.get(name).map(|text| text.to_string_lossy().into_owned());
    text.map_or(default, |text| text.parse().unwrap())
}

async fn part(part: u64) {
    let (seed, cases) = (number("PATCHBAY_SEED", 1), number("PATCHBAY_CASES", CASES));
    let cases = cases / PARTS + u64::from(part < cases % PARTS);
    let (mut done, mut bed_number, mut tally) = (0, 0, BTreeMap::new());
    while done < cases {
        let seed = [seed, part, bed_number, 0].map(u64::to_le_bytes).concat();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let bed = bed(bed_number).await;
        for n in 0..ROUNDS.min(cases - done) {
            let round = round().new_tree(&mut runner).unwrap().current();
            match play(&bed, &round).await {
                Ok(end) => *tally.entry(end).or_insert(0_u64) += 1,
                Err(why) => {
                    let at = format!("part {part}, bed {bed_number}, round {n}");
                    let seed = number("PATCHBAY_SEED", 1);
                    panic!("PATCHBAY_SEED={seed}, {at}: {why}\n{round:#?}");
                }
            }
            done += 1;
        }
        bed_number += 1;
    }
    println!("seed {}, part {part}: {done} rounds, {tally:?}", number("PATCHBAY_SEED", 1));
    assert_eq!((done, tally.values().sum::<u64>()), (cases, cases));
    // Refusing is easy: of many rounds, enough must end in an apply.
    let applied = tally.get("applied").copied().unwrap_or_default();
    assert!(done < 10 || applied * 5 >= done, "only {applied} of {done} rounds were applied");
}

/// Each part is a test of its own.
macro_rules! parts {
    ($($name:ident $number:literal)*) => {
        $(#[tokio::test]
        async fn $name() {
            part($number).await;
        })*
    };
}

parts! { random_0 0 random_1 1 random_2 2 random_3 3 random_4 4 random_5 5 random_6 6 random_7 7 random_8 8 random_9 9 }

async fn bed(number: u64) -> Bed {
    let init: &[&str] = match number % 4 {
        1 => &["--object-format=sha256"],
        2 => &["--ref-format=reftable"],
        _ => &[],
    };
    let base = TestRepo::with(init, &[("a", "1\n2\n3\n4\n5\n6\n7\n8\n")]).await;
    let user = "[filter \"up\"]\n\tclean = tr a-z A-Z\n\tsmudge = cat\n";
    std::fs::write(base.state_path().with_file_name(".gitconfig"), user).unwrap();
    let text = b"one\ntwo\nthree\nfour\nfive\nsix\n";
    write(&base.repo.root, ".gitattributes", ATTRIBUTES);
    write(&base.repo.root, ".gitignore", b"*.log\n");
    for name in ["b.crlf", "c.id", "d.auto", "dir/e", "dir/f.crlf", "dir/sub/g", "sp ace", "z.up"] {
        write(&base.repo.root, name, text);
    }
    base.commit("files").await;
    if number % 3 == 1 {
        base.run(&["config", "core.autocrlf", "true"]).await;
    }
    Bed::over(base).await
}

/// Plays one round and checks what came of it; afterwards the worker goes on from the base's files.
async fn play(bed: &Bed, round: &Round) -> Result<&'static str, String> {
    round.worker.iter().for_each(|edit| make(&bed.tree.path, edit));
    if round.worker_commits {
        let git = |verb: &str| bed.base.git.run(&bed.tree.path, verb);
        let added = git("add").args(["-A", "--ignore-errors"]).output().await.unwrap();
        if added.code == 0 {
            git("commit").args(["-qm", "worker", "--allow-empty"]).ok().await.unwrap();
        }
    }
    bed.snapshot().await;
    round.base.iter().for_each(|edit| make(bed.root(), edit));
    base_git(bed, round.base_git).await;
    let before = everything(bed.root());
    let yes = vec!["*".to_owned()];
    let preview = bed.integrations.preview(&bed.base.repo, &bed.worker, &yes).await;
    let preview = preview.map_err(|e| format!("no preview: {e}"))?;
    same(&(everything(bed.root()) == before), &true, "a preview leaves all as it was")?;
    if preview.can_apply {
        let inputs = bed.store.integration_inputs(bed.worker.as_str()).await.unwrap();
        let ancestor = match &inputs.integrated_snapshot {
            Some(id) => bed.trees.by_id(id).await.unwrap().unwrap().tree,
            None => bed.tree.start.tree.clone(),
        };
        let exactly = exact_as(bed, &preview).await?;
        nothing_is_lost(&entries(bed, &ancestor).await, &exactly)?;
        return Ok("applied");
    }
    let reason = preview.reason.ok_or("no reason")?;
    if reason == "conflict" {
        let named = preview.conflicts.iter().all(|c| c.path.is_plain() && !c.detail.is_empty());
        same(
            &(named && !preview.conflicts.is_empty()),
            &true,
            "each conflict has path and reason",
        )?;
        resolve(bed).await;
        return Ok("conflict");
    }
    same(&["no_changes", "already_in_base"].contains(&reason), &true, reason)?;
    Ok(if reason == "no_changes" { "no changes" } else { "in the base" })
}

async fn base_git(bed: &Bed, what: BaseGit) {
    let runs: &[&[&str]] = match what {
        BaseGit::Nothing => &[],
        BaseGit::Stage => &[&["add", "-A", "--ignore-errors"]],
        BaseGit::Commit => {
            &[&["add", "-A", "--ignore-errors"], &["commit", "-qm", "base", "--allow-empty"]]
        }
        BaseGit::NewBranch => &[&["checkout", "-q", "-B", "side"]],
        BaseGit::Detach => &[&["checkout", "-q", "--detach"]],
    };
    for args in runs {
        // A file that git refuses stops some of them; that is a state of the base like others.
        bed.base.git.run(bed.root(), args[0]).args(&args[1..]).output().await.unwrap();
    }
}

/// The user goes back to the last commit, and the worker begins anew from there, so that the next round
/// begins without a conflict.
async fn resolve(bed: &Bed) {
    bed.base.run(&["reset", "-q", "--hard"]).await;
    bed.base.run(&["clean", "-fdxq"]).await;
    for entry in std::fs::read_dir(&bed.tree.path).unwrap() {
        let at = entry.unwrap().path();
        if at.file_name() == Some(OsStr::new(".git")) {
        } else if at.is_dir() && !at.is_symlink() {
            std::fs::remove_dir_all(at).unwrap();
        } else {
            std::fs::remove_file(at).unwrap();
        }
    }
    for (path, mode, bytes) in files_of(bed.root()) {
        let to = bed.tree.path.join(&path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        if mode & 0o170_000 == 0o120_000 {
            symlink(OsStr::from_bytes(&bytes), to).unwrap();
        } else {
            std::fs::write(&to, bytes).unwrap();
            make_executable(&to, mode & 0o100 != 0);
        }
    }
}

/// A path that one side alone changed is in the result as that side has it. Where a side moved files that
/// the other edits, contents follow the move: such rounds are not judged here.
fn nothing_is_lost(ancestor: &Entries, exactly: &Exactly) -> Result<(), String> {
    let Exactly { was: ours, is: merged, theirs } = exactly;
    let moved = |mine: &Entries, others: &Entries| {
        ancestor.iter().any(|(path, was)| {
            !mine.contains_key(path) && others.get(path).is_some_and(|is| is != was)
        })
    };
    if moved(ours, theirs) || moved(theirs, ours) {
        return Ok(());
    }
    let all = ours.keys().chain(theirs.keys()).chain(ancestor.keys());
    for path in all {
        let (a, o, t) = (ancestor.get(path), ours.get(path), theirs.get(path));
        if a == o {
            same(&merged.get(path), &t, &format!("the worker's {path:?}"))?;
        } else if a == t {
            same(&merged.get(path), &o, &format!("the base's {path:?}"))?;
        }
    }
    Ok(())
}
