use crate::pairs::quantile;
use crate::place;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// How unevenly the machine runs: the ninetieth percentile of a piece of work that always is the same,
/// by its tenth. 1 is a machine that nobody else uses.
pub(crate) fn noise() -> f64 {
    let mut took = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        let sum =
            (0..400_000_u64).fold(1_u64, |sum, n| std::hint::black_box(sum.rotate_left(5) ^ n));
        std::hint::black_box(sum);
        took.push(begun.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(3));
    }
    quantile(&took, 0.9) / quantile(&took, 0.1)
}

/// What must be known to compare two runs. Nothing of it names the machine.
pub(crate) fn facts(noise: f64) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let memory = after(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let memory = memory.split(' ').next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0);
    let git = place::git(Path::new("."), &["--version"]);
    json!({
        "cpu": after(&read("/proc/cpuinfo"), "model name"),
        "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "memory_gb": (memory * 1024.0 / 1e9).round(),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "git": String::from_utf8_lossy(&git).trim().to_owned(),
        "load": read("/proc/loadavg").split(' ').next().map(str::to_owned),
        "noise": (noise * 100.0).round() / 100.0,
    })
}

pub(crate) fn text(facts: &Value) -> String {
    let word = |key: &str| match &facts[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!(
        "{}, {} CPUs, {} GB, {}, {}; load {}, noise {} (1 is none)",
        word("cpu"),
        word("cpus"),
        word("memory_gb"),
        word("system"),
        word("git"),
        word("load"),
        word("noise")
    )
}
