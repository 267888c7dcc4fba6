use super::sample::Sample;
use anyhow::ensure;

/// Most that something may grow from 20 % to 100 % of the run, in percent.
const MOST: f64 = 5.0;

/// One thing that must not grow.
pub(super) struct Measure {
    pub(super) name: &'static str,
    of: fn(&Sample) -> f64,
}

/// What is judged. Codex's own growth is told, not judged.
pub(super) const JUDGED: [Measure; 6] = [
    Measure { name: "memory of the server", of: |s| s.server_rss as f64 },
    Measure { name: "descriptors of the server", of: |s| s.server_descriptors as f64 },
    Measure { name: "memory of the sidecar", of: |s| s.sidecar_rss as f64 },
    Measure { name: "descriptors of the sidecar", of: |s| s.sidecar_descriptors as f64 },
    Measure { name: "disk beside what is stored", of: |s| s.rest as f64 },
    Measure {
        name: "disk of the store a turn",
        of: |s| s.store as f64 / f64::from(s.turns.max(1)),
    },
];

impl Measure {
    /// Growth in percent from the samples at 20 % of the run to its last ones: the medians of a tenth of
    /// the run each, so that one moment does not decide.
    pub(super) fn growth(&self, samples: &[Sample]) -> f64 {
        let total = f64::from(samples.last().map_or(0, |sample| sample.turns));
        let window = |from: f64, to: f64| {
            let inside = |sample: &&Sample| {
                let turns = f64::from(sample.turns);
                turns >= from * total && turns <= to * total
            };
            median(samples.iter().filter(inside).map(self.of).collect())
        };
        let (early, late) = (window(0.2, 0.3), window(0.9, 1.0));
        if early == 0.0 { 0.0 } else { (late - early) / early * 100.0 }
    }

    /// The growth, when it is small enough.
    pub(super) fn judge(&self, samples: &[Sample]) -> anyhow::Result<f64> {
        let growth = self.growth(samples);
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

    #[test]
    fn what_grows_is_noticed_and_a_single_peak_is_not() {
        let run = |of: fn(u32) -> u64| -> Vec<Sample> {
            (0..=50)
                .map(|n| Sample { turns: n * 10, server_rss: of(n), ..Sample::default() })
                .collect()
        };
        let memory = &JUDGED[0];
        assert!(memory.judge(&run(|_| 1000)).is_ok());
        assert!(memory.judge(&run(|n| 1000 + u64::from(n))).is_ok(), "4 %");
        assert!(memory.judge(&run(|n| 1000 + 2 * u64::from(n))).is_err());
        assert!(memory.judge(&run(|n| if n == 48 { 9000 } else { 1000 })).is_ok());
        assert!(memory.judge(&run(|n| if n < 5 { 1 } else { 1000 })).is_ok(), "warming up");
    }
}
