use super::sample::Sample;
use anyhow::ensure;

/// Most that something may grow from 20 % of the run to its end, in percent.
const MOST: f64 = 5.0;

/// Which part of the run the early value stands for, and which the late one. The first is centred on 20 %.
const EARLY: (f64, f64) = (0.15, 0.25);
const LATE: (f64, f64) = (0.9, 1.0);

/// One thing that must not grow.
pub(super) struct Measure {
    pub(super) name: &'static str,
    of: fn(&Sample) -> f64,
}

/// What is judged. What is stored for each turn grows with the turns; what one turn adds must not.
pub(super) const JUDGED: [Measure; 8] = [
    Measure { name: "memory of the server", of: |s| s.server_rss as f64 },
    Measure { name: "descriptors of the server", of: |s| s.server_descriptors as f64 },
    Measure { name: "memory of the sidecar", of: |s| s.sidecar_rss as f64 },
    Measure { name: "descriptors of the sidecar", of: |s| s.sidecar_descriptors as f64 },
    Measure { name: "disk beside what is stored", of: |s| s.rest as f64 },
    Measure { name: "disk of the store a turn", of: |s| a_turn(s, s.store) },
    Measure { name: "disk of git's objects a turn", of: |s| a_turn(s, s.git) },
    Measure { name: "disk of codex's home a turn", of: |s| a_turn(s, s.codex_home) },
];

/// What is told and not judged: codex keeps the threads that it has loaded, and unloads them when it likes.
pub(super) const TOLD: [Measure; 2] = [
    Measure { name: "memory of codex", of: |s| s.codex_rss as f64 },
    Measure { name: "descriptors of codex", of: |s| s.codex_descriptors as f64 },
];

fn a_turn(sample: &Sample, bytes: u64) -> f64 {
    bytes as f64 / f64::from(sample.turns.max(1))
}

impl Measure {
    /// Growth in percent from the early part of the run to the late one: the medians of each, so that one
    /// moment does not decide.
    ///
    /// # Errors
    /// When there was nothing to be measured: a process that was not found, samples that are missing.
    pub(super) fn growth(&self, samples: &[Sample]) -> anyhow::Result<f64> {
        let total = f64::from(samples.last().map_or(0, |sample| sample.turns));
        let part = |(from, to): (f64, f64)| {
            let inside = |sample: &&Sample| {
                let turns = f64::from(sample.turns);
                turns >= from * total && turns <= to * total
            };
            median(samples.iter().filter(inside).map(self.of).collect())
        };
        let (early, late) = (part(EARLY), part(LATE));
        ensure!(early > 0.0 && late > 0.0, "was not measured: {early} early, {late} late");
        Ok((late - early) / early * 100.0)
    }

    /// The growth, when it is small enough.
    ///
    /// # Errors
    /// As [`Measure::growth`], and when it is too large.
    pub(super) fn judge(&self, samples: &[Sample]) -> anyhow::Result<f64> {
        let growth = self.growth(samples)?;
        ensure!(growth < MOST, "grew by {growth:.1} %");
        Ok(growth)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 500 turns, with one thing of each sample set.
    fn run(set: fn(&mut Sample, u64)) -> Vec<Sample> {
        let sample = |n: u32| {
            let mut sample = Sample { turns: n * 10, ..Sample::default() };
            set(&mut sample, u64::from(n));
            sample
        };
        (0..=50).map(sample).collect()
    }

    #[test]
    fn what_grows_is_noticed_and_a_single_peak_is_not() {
        let memory = &JUDGED[0];
        assert!(memory.judge(&run(|s, _| s.server_rss = 1000)).is_ok());
        assert!(memory.judge(&run(|s, n| s.server_rss = 1000 + n)).is_ok(), "4 %");
        assert!(memory.judge(&run(|s, n| s.server_rss = 1000 + 2 * n)).is_err());
        let peak: fn(&mut Sample, u64) = |s, n| s.server_rss = if n == 48 { 9000 } else { 1000 };
        assert!(memory.judge(&run(peak)).is_ok());
        let warming: fn(&mut Sample, u64) = |s, n| s.server_rss = if n < 7 { 1 } else { 1000 };
        assert!(memory.judge(&run(warming)).is_ok());
        let jump: fn(&mut Sample, u64) = |s, n| s.server_rss = if n < 12 { 900 } else { 1000 };
        assert!(memory.judge(&run(jump)).is_err(), "what comes right after 20 % counts");
    }

    #[test]
    fn what_was_not_measured_is_no_success() {
        for measure in JUDGED.iter().chain(&TOLD) {
            assert!(measure.growth(&run(|_, _| {})).is_err(), "{}", measure.name);
            assert!(measure.growth(&[]).is_err(), "{}", measure.name);
        }
        let ended: fn(&mut Sample, u64) = |s, n| s.server_rss = if n > 40 { 0 } else { 1000 };
        assert!(JUDGED[0].judge(&run(ended)).is_err(), "a process that is gone has not shrunk");
    }

    type Set = fn(&mut Sample, u64);

    #[test]
    fn what_is_stored_may_grow_with_the_turns_and_not_faster() {
        let stored: [(&str, Set); 3] = [
            ("disk of the store a turn", |s, n| s.store = n),
            ("disk of git's objects a turn", |s, n| s.git = n),
            ("disk of codex's home a turn", |s, n| s.codex_home = n),
        ];
        for (name, set) in stored {
            let measure = JUDGED.iter().find(|measure| measure.name == name).unwrap();
            let mut even = run(set);
            let of = |s: &mut Sample, to: fn(u64) -> u64| {
                for place in [&mut s.store, &mut s.git, &mut s.codex_home] {
                    *place = to(*place);
                }
            };
            even.iter_mut().for_each(|s| of(s, |n| 4096 * (100 + 10 * n)));
            assert!(measure.judge(&even).is_ok(), "{name}");
            let mut faster = run(set);
            faster.iter_mut().for_each(|s| of(s, |n| 4096 * (10 * n + n * n)));
            assert!(measure.judge(&faster).is_err(), "{name}");
        }
    }
}
