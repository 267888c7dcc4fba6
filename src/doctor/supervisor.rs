use super::Finding;
use crate::config::{Config, ResumeInterrupted};
use crate::lock::EngineLock;
use crate::paths::{Env, StateDir};
use crate::process::Run;
use std::path::Path;
use std::time::Duration;

/// Files that container engines put into a container.
const MARKS: [&str; 3] = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];

/// Variables that are set for what runs in a container.
const VARIABLES: [&str; 2] = ["container", "KUBERNETES_SERVICE_HOST"];

/// A service of systemd.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    /// The unit, for example `patchbay.service`.
    unit: String,
    /// Whether the user's own manager runs it, and not the system's.
    of_user: bool,
}

/// Whether something ends codex together with the server, so that its restarts break turns off. Looks at
/// the engine that runs, else at what would run from here.
pub(super) async fn supervisor(env: &Env, state: &StateDir, config: &Config) -> Finding {
    let whose = match EngineLock::holder(state) {
        Ok(Some(pid)) => pid.to_string(),
        _ => "self".to_owned(),
    };
    let cgroup = std::fs::read_to_string(format!("/proc/{whose}/cgroup")).unwrap_or_default();
    let service = service(&cgroup);
    let mode = match &service {
        Some(service) => kill_mode(service, env).await,
        None => None,
    };
    let file = MARKS.into_iter().find(|mark| Path::new(mark).exists());
    let sign = file.or_else(|| VARIABLES.into_iter().find(|name| env.get(name).is_some()));
    told(service.as_ref(), mode.as_deref(), sign, config.workers.resume_interrupted)
}

/// The service that a process belongs to, by its `/proc/<pid>/cgroup`; none for one that was started from a
/// login or a terminal, which are scopes.
fn service(cgroup: &str) -> Option<Service> {
    cgroup.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        if !["", "name=systemd"].contains(&controllers) {
            return None;
        }
        let parts: Vec<&str> = path.split('/').collect();
        let at = parts.iter().rposition(|p| p.ends_with(".service") || p.ends_with(".scope"))?;
        let unit = parts.get(at).filter(|part| part.ends_with(".service"))?;
        let of_user = parts.iter().take(at).any(|part| part.starts_with("user@"));
        Some(Service { unit: (*unit).to_owned(), of_user })
    })
}

/// What systemd ends with the service's main process; none when it does not say.
async fn kill_mode(service: &Service, env: &Env) -> Option<String> {
    let mut run = Run::new("systemctl").limit(Duration::from_secs(5));
    for name in ["PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"] {
        if let Some(value) = env.get(name) {
            run = run.env(name, value);
        }
    }
    let whose = if service.of_user { "--user" } else { "--system" };
    let ask = [whose, "show", "--property=KillMode", "--value", "--", &service.unit];
    let done = run.args(ask).finish().await.ok().filter(|done| done.code == 0)?;
    Some(done.stdout.trim().to_owned()).filter(|mode| !mode.is_empty())
}

fn told(
    service: Option<&Service>,
    mode: Option<&str>,
    container: Option<&str>,
    resume: ResumeInterrupted,
) -> Finding {
    const ID: &str = "supervisor";
    let turns = match resume {
        ResumeInterrupted::Auto => {
            "turns that run then break off, and the next start continues them once"
        }
        ResumeInterrupted::Ask => "turns that run then break off, and wait for a message",
    };
    let spared = matches!(mode, Some("process" | "none"));
    if let Some(Service { unit, .. }) = service.filter(|_| !spared) {
        let mode = mode.map_or("its KillMode is not known".to_owned(), |m| format!("KillMode={m}"));
        return Finding::warn(
            ID,
            format!("{unit} ends codex together with the server ({mode}): {turns}"),
            "Set KillMode=process in the unit: codex then outlives restarts, and ends by itself when \
             nobody needs it.",
        );
    }
    if let Some(sign) = container {
        return Finding::warn(
            ID,
            format!("this is a container ({sign}), and codex ends together with it: {turns}"),
            "Keep the state directory on a volume that outlives the container, and end the container \
             when no turn runs.",
        );
    }
    match service {
        Some(Service { unit, .. }) => {
            Finding::pass(ID, format!("{unit} leaves codex running when the server ends"))
        }
        None => Finding::pass(ID, "nothing that is known ends codex together with the server"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    fn named(cgroup: &str) -> Option<(String, bool)> {
        service(cgroup).map(|service| (service.unit, service.of_user))
    }

    #[test]
    fn a_service_is_known_and_a_terminal_is_none() {
        let of_system = Some(("patchbay.service".to_owned(), false));
        let of_user = Some(("patchbay.service".to_owned(), true));
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (cgroup, found) in [
            ("0::/system.slice/patchbay.service\n".to_owned(), of_system.clone()),
            ("0::/system.slice/patchbay.service/payload\n".to_owned(), of_system.clone()),
            (
                "4:memory:/x\n1:name=systemd:/system.slice/patchbay.service\n0::/\n".into(),
                of_system,
            ),
            (format!("0::{manager}/app.slice/patchbay.service\n"), of_user),
            (format!("0::{manager}/app.slice/vte-spawn-1f.scope\n"), None),
            ("0::/user.slice/user-1000.slice/session-3.scope\n".to_owned(), None),
            ("4:memory:/system.slice/other.service\n0::/\n".to_owned(), None),
            ("0::/\n".to_owned(), None),
            (String::new(), None),
            ("nonsense".to_owned(), None),
        ] {
            assert_eq!(named(&cgroup), found, "{cgroup}");
        }
    }

    #[test]
    fn what_ends_codex_with_the_server_is_told_with_a_way_out() {
        let unit = Service { unit: "p.service".to_owned(), of_user: false };
        let auto = ResumeInterrupted::Auto;
        let killing = told(Some(&unit), Some("control-group"), None, auto);
        assert_eq!(killing.status, Status::Warn);
        assert!(killing.detail.contains("p.service") && killing.detail.contains("continues them"));
        assert!(killing.fix.unwrap().contains("KillMode=process"));
        let unknown = told(Some(&unit), None, None, ResumeInterrupted::Ask);
        assert!(
            unknown.detail.contains("not known") && unknown.detail.contains("wait for a message")
        );
        let sparing = told(Some(&unit), Some("process"), None, auto);
        assert_eq!((sparing.status, sparing.fix), (Status::Pass, None));
        let inside = told(Some(&unit), Some("process"), Some("/.dockerenv"), auto);
        assert_eq!(inside.status, Status::Warn);
        assert!(inside.detail.contains("container") && inside.fix.unwrap().contains("volume"));
        assert_eq!(told(None, None, None, auto).status, Status::Pass);
    }
}
