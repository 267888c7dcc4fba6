use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a budget of the design says of our own number, whatever the comparator does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// Below this.
    Below(f64),
    /// Above this.
    Above(f64),
    /// The design bounds the ratio only.
    Ratio,
}

impl Bound {
    fn holds(self, ours: f64) -> bool {
        match self {
            Self::Below(most) => ours < most,
            Self::Above(least) => ours > least,
            Self::Ratio => true,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::Below(most) => format!("< {most} {unit}"),
            Self::Above(least) => format!("> {least} {unit}"),
            Self::Ratio => "the ratio".to_owned(),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Stable name.
    pub(crate) key: &'static str,
    /// What was measured.
    pub(crate) what: &'static str,
    /// Unit of both numbers.
    pub(crate) unit: &'static str,
    /// Median of ours.
    pub(crate) ours: f64,
    /// What was measured beside it, in turns.
    pub(crate) comparator: &'static str,
    /// Median of the comparator.
    pub(crate) theirs: f64,
    /// Median of the ratios of neighbours; of rates it is theirs by ours. Small is good.
    pub(crate) ratio: f64,
    /// Most that the ratio may be; without one the bound is judged.
    pub(crate) limit: Option<f64>,
    /// The budget.
    pub(crate) bound: Bound,
    /// Tenth and ninetieth percentile of ours.
    pub(crate) spread: (f64, f64),
    /// Pairs that were measured.
    pub(crate) pairs: usize,
    /// Which try this is.
    pub(crate) run: u32,
}

impl Row {
    /// Whether the row passes: by its ratio; by its own number where there is none.
    pub(crate) fn passes(&self) -> bool {
        self.limit.map_or_else(|| self.bound.holds(self.ours), |limit| self.ratio <= limit)
    }

    /// Whether the budget's own number was met, too.
    fn in_budget(&self) -> bool {
        self.bound.holds(self.ours) && (self.passes() || !matches!(self.bound, Bound::Ratio))
    }

    fn json(&self) -> Value {
        json!({
            "key": self.key,
            "what": self.what,
            "unit": self.unit,
            "ours": rounded(self.ours),
            "p10": rounded(self.spread.0),
            "p90": rounded(self.spread.1),
            "comparator": self.comparator,
            "theirs": rounded(self.theirs),
            "ratio": rounded(self.ratio),
            "limit": self.limit,
            "budget": self.bound.text(self.unit),
            "in_budget": self.in_budget(),
            "passes": self.passes(),
            "pairs": self.pairs,
            "run": self.run,
        })
    }

    fn cells(&self) -> [String; 8] {
        let limit = self.limit.map_or_else(|| "-".to_owned(), |limit| format!("≤ {limit}"));
        let verdict = match (self.passes(), self.in_budget()) {
            (true, true) => "met",
            (true, false) => "ratio met",
            (false, true) => "RATIO MISSED",
            (false, false) => "MISSED",
        };
        [
            self.what.to_owned(),
            format!("{} {}", short(self.ours), self.unit),
            self.comparator.to_owned(),
            format!("{} {}", short(self.theirs), self.unit),
            short(self.ratio),
            limit,
            self.bound.text(self.unit),
            verdict.to_owned(),
        ]
    }
}

/// Everything of one run.
pub(crate) fn json_report(rows: &[Row], machine: &Value) -> Value {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    json!({ "version": env!("CARGO_PKG_VERSION"), "machine": machine, "rows": rows })
}

/// The table for people; also valid Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["what", "ours", "beside it", "theirs", "ratio", "limit", "budget", "verdict"];
    let mut lines = vec![head.map(str::to_owned), head.map(|_| String::new())];
    lines.extend(rows.iter().map(Row::cells));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = match at {
                1 => write!(text, "| {:-<width$} ", ""),
                _ => write!(text, "| {cell:<width$} "),
            };
        }
        text.push_str("|\n");
    }
    text
}

/// Four significant digits are more than any of this is worth.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
