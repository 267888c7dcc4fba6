use super::args::DoctorArgs;
use super::error::CliError;
use super::global::Global;
use super::settings::Settings;
use crate::config::Config;
use crate::doctor::{Finding, Patient, Status, examine};
use crate::paths::AllowedRoots;
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// `patchbay doctor`: everything a turn needs on this machine. Exit code 1 when something fails.
pub(super) async fn run(args: &DoctorArgs, global: &Global) -> Result<ExitCode, CliError> {
    let findings = findings(args, global).await;
    let ready = findings.iter().all(|f| f.status != Status::Fail);
    let answer = json!({ "ok": ready, "findings": findings });
    global.terminal().answer(&answer, &told(&findings, ready));
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn findings(args: &DoctorArgs, global: &Global) -> Vec<Finding> {
    let state = match global.state() {
        Ok(state) => state,
        Err(error) => return vec![Finding::fail("state", error.message, error.hint)],
    };
    let loaded = Settings::load(global, &state, &args.serve, Some(&args.listen));
    let (mut findings, config, roots) = match loaded {
        Ok(settings) => (vec![configuration(&settings)], settings.config, settings.roots),
        Err(error) => {
            let bad = Finding::fail("configuration", error.message, error.hint);
            let here = AllowedRoots::new([global.cwd.clone()]).unwrap_or_default();
            (vec![bad], Arc::new(Config::default()), here)
        }
    };
    let patient = Patient { env: &global.env, state: &state, config: &config, roots: &roots };
    findings.extend(examine(&patient).await);
    findings
}

fn configuration(settings: &Settings) -> Finding {
    if !settings.notes.is_empty() {
        let fix = "Unset what is not read, so that nobody relies on it.";
        return Finding::warn("configuration", settings.notes.join("; "), fix);
    }
    match &settings.file {
        Some(file) => Finding::pass("configuration", file.display().to_string()),
        None => Finding::pass("configuration", "no file; the defaults count"),
    }
}

fn told(findings: &[Finding], ready: bool) -> String {
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.status {
            Status::Pass => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        let _ = writeln!(text, "{mark}  {:<14} {}", finding.id, finding.detail);
        for item in &finding.items {
            let mark = if item.taken { "taken" } else { "left" };
            let _ = writeln!(text, "{:20} {mark:<5} {:<28} {}", "", item.name, item.why);
        }
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "{:20} fix: {fix}", "");
        }
    }
    let verdict = if ready { "patchbay is ready." } else { "patchbay is not ready." };
    text + verdict
}
