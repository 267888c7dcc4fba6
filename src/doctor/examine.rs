use super::{Finding, checks, codex, machine, supervisor};
use crate::config::Config;
use crate::git::Git;
use crate::paths::{AllowedRoots, Env, StateDir};

/// What is examined.
pub struct Patient<'a> {
    /// The environment that the server would have.
    pub env: &'a Env,
    /// The state directory.
    pub state: &'a StateDir,
    /// The configuration; the defaults when there is none that can be used.
    pub config: &'a Config,
    /// The allowed roots; none when the configuration names none that exist.
    pub roots: &'a AllowedRoots,
}

/// Runs all checks; the findings come in a fixed order.
pub async fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let git = Git::new(patient.env);
    let (program, repository, codex, port, supervisor) = tokio::join!(
        checks::git(&git),
        checks::repository(&git, patient.roots),
        codex::examine(patient.env, patient.state, patient.config),
        machine::port(patient.state, patient.config),
        supervisor::supervisor(patient.env, patient.state, patient.config),
    );
    let mut findings = vec![program, repository];
    findings.extend(codex);
    findings.push(port);
    findings.extend(machine::tunnel(patient.env, patient.config));
    findings.push(checks::token(patient.state));
    findings.push(machine::socket(patient.state));
    findings.push(machine::disk(patient.state));
    findings.push(supervisor);
    findings
}
