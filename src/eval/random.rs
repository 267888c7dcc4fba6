/// Numbers that look random and follow from a seed alone: a drill can be played again.
#[derive(Debug, Clone)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    /// From a seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Another sequence that follows from this one.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A number from `low` up to, and without, `high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.u64(low..high)
    }
}
