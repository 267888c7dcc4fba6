use crate::report::{Bound, Row};

/// Measurements of us and of something else, taken in turns, so that what else the machine does meets
/// both alike.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// What a row says beside its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) key: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) comparator: &'static str,
    pub(crate) limit: Option<f64>,
    pub(crate) bound: Bound,
}

impl Pairs {
    pub(crate) fn push(&mut self, ours: f64, theirs: f64) {
        self.ours.push(ours);
        self.theirs.push(theirs);
    }

    /// A row of times or sizes: less is better.
    pub(crate) fn cost(&self, about: About) -> Row {
        let ratios = self.each(|ours, theirs| ours / theirs);
        self.row(about, quantile(&self.ours, 0.5), ratios, &self.ours)
    }

    /// A row of rates: more is better.
    pub(crate) fn rate(&self, about: About) -> Row {
        let ratios = self.each(|ours, theirs| theirs / ours);
        self.row(about, quantile(&self.ours, 0.5), ratios, &self.ours)
    }

    /// A row of what is added to the comparator's time; the ratio is that of the whole times.
    pub(crate) fn added(&self, about: About) -> Row {
        let more = self.each(|ours, theirs| ours - theirs);
        let ratios = self.each(|ours, theirs| ours / theirs);
        self.row(about, quantile(&more, 0.5), ratios, &more)
    }

    fn each(&self, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| of(*ours, *theirs)).collect()
    }

    fn row(&self, about: About, ours: f64, ratios: Vec<f64>, spread: &[f64]) -> Row {
        Row {
            key: about.key,
            what: about.what,
            unit: about.unit,
            ours,
            comparator: about.comparator,
            theirs: quantile(&self.theirs, 0.5),
            ratio: quantile(&ratios, 0.5),
            limit: about.limit,
            bound: about.bound,
            spread: (quantile(spread, 0.1), quantile(spread, 0.9)),
            pairs: self.ours.len(),
            run: 1,
        }
    }
}

/// The value below which this part of the values lies; 0 without any.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
}
