//! Where a process belongs, from its cgroup path: the systemd unit and the container.

/// Unit and container of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    /// The innermost systemd service, else the innermost scope, e.g. `cron.service`, `session-3.scope`.
    pub(super) unit: Option<String>,
    /// Runtime and short id, e.g. `docker:0123456789ab`.
    pub(super) container: Option<String>,
}

/// Characters of a container id that are kept, as the runtimes print it.
const SHORT_ID: usize = 12;
/// Length of a full container id: SHA-256 in hexadecimal.
const FULL_ID: usize = 64;

/// Name parts that runtimes put before the id in the name of a cgroup, and what the runtime is called.
const RUNTIMES: [(&str, &str); 7] = [
    ("docker-", "docker"),
    ("libpod-payload-", "podman"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", "cri-o"),
    ("cri-dockerd-", "docker"),
];

/// Reads `/proc/PID/cgroup` in all its forms: version 2 (`0::/path`), version 1 (one line for each controller, systemd's
/// own tree named `name=systemd`), and both together.
pub(super) fn membership(bytes: &[u8]) -> Membership {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: Vec<(u8, &str)> = text.lines().filter_map(ranked_path).collect();
    // systemd's own tree knows units best, then the unified one; some runtimes appear under one controller only.
    lines.sort_by_key(|(rank, _)| *rank);
    let named = lines.iter().filter(|(rank, _)| *rank < OTHER_CONTROLLER);
    Membership {
        unit: named.clone().find_map(|(_, path)| unit(path)),
        container: lines.iter().find_map(|(_, path)| container(path)),
    }
}

const OTHER_CONTROLLER: u8 = 2;

/// The path of one line, with its rank among the lines: lower is asked first.
fn ranked_path(line: &str) -> Option<(u8, &str)> {
    let mut parts = line.splitn(3, ':');
    let (hierarchy, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let rank = match (hierarchy, controllers) {
        (_, "name=systemd") => 0,
        ("0", "") => 1,
        _ => OTHER_CONTROLLER,
    };
    Some((rank, path))
}

/// The innermost service; user managers (`user@1000.service`) hold a whole session and are none. Else the innermost
/// scope.
fn unit(path: &str) -> Option<String> {
    let innermost = |suffix: &str| {
        let mut parts = path.split('/').rev();
        parts.find(|part| part.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty()) && !part.starts_with("user@"))
    };
    innermost(".service").or_else(|| innermost(".scope")).map(str::to_owned)
}

/// The innermost container.
fn container(path: &str) -> Option<String> {
    let mut parent = "";
    let mut found = None;
    for part in path.split('/') {
        if let Some((runtime, id)) = named_container(part).or_else(|| bare_container(part, parent, path)) {
            found = Some(format!("{runtime}:{id}"));
        }
        parent = part;
    }
    found
}

/// `docker-ID.scope`, `libpod-ID`, `kubepods-...slice:cri-containerd:ID`, `lxc.payload.NAME`.
fn named_container(part: &str) -> Option<(&'static str, String)> {
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some(("lxc", name.chars().take(64).collect()));
    }
    if let Some((_, named)) = part.rsplit_once(":cri-containerd:") {
        return full_id(named).map(|id| ("containerd", id));
    }
    let stem = part.strip_suffix(".scope").unwrap_or(part);
    RUNTIMES.iter().find_map(|(prefix, runtime)| Some((*runtime, full_id(stem.strip_prefix(prefix)?)?)))
}

/// `/docker/ID`, `/kubepods/burstable/podUID/ID`, `/kubepods/.../podUID`, and an id anywhere else.
fn bare_container(part: &str, parent: &str, path: &str) -> Option<(&'static str, String)> {
    let in_pod = path.contains("kubepods");
    if let Some(id) = full_id(part) {
        let runtime = match parent {
            "docker" | "moby" => "docker",
            "default" | "k8s.io" => "containerd",
            "libpod_parent" => "podman",
            _ if in_pod => "kubernetes",
            _ => "container",
        };
        return Some((runtime, id));
    }
    // The pod itself, for what runs in it outside of any container.
    let stem = part.strip_suffix(".slice").unwrap_or(part);
    let (_, uid) = stem.rsplit_once("pod").filter(|(before, _)| before.is_empty() || before.ends_with('-'))?;
    let id: String = uid.chars().filter(char::is_ascii_hexdigit).take(SHORT_ID).collect();
    let is_uid = in_pod && uid.len() >= 32 && uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-' || c == '_');
    is_uid.then_some(("kubernetes", id))
}

fn full_id(text: &str) -> Option<String> {
    let is_id = text.len() == FULL_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| text[..SHORT_ID].to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn paths_of_all_kinds_are_understood() {
        for (name, text, unit, container) in [
            ("empty", "", None, None),
            ("root", "0::/\n", None, None),
            ("service", "0::/system.slice/cron.service\n", Some("cron.service"), None),
            ("delegated service", "0::/system.slice/foo.service/workers/1\n", Some("foo.service"), None),
            ("template", "0::/system.slice/system-getty.slice/getty@tty1.service\n", Some("getty@tty1.service"), None),
            ("session", "0::/user.slice/user-1000.slice/session-3.scope\n", Some("session-3.scope"), None),
            (
                "user service",
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service\n",
                Some("syncthing.service"),
                None,
            ),
            ("user manager", "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", Some("init.scope"), None),
            ("slice", "0::/system.slice\n", None, None),
            (
                "version 1",
                "4:memory:/system.slice/ssh.service\n2:cpu,cpuacct:/\n1:name=systemd:/system.slice/ssh.service\n",
                Some("ssh.service"),
                None,
            ),
            (
                "hybrid",
                "9:name=systemd:/system.slice/ssh.service\n4:memory:/other.service\n0::/elsewhere.service\n",
                Some("ssh.service"),
                None,
            ),
            ("only a controller", "4:memory:/sandbox/0f.service\n0::/\n", None, None),
            ("docker, systemd driver", "0::/system.slice/docker-ID.scope\n", Some("docker-ID.scope"), Some("docker")),
            ("docker, cgroupfs driver", "11:memory:/docker/ID\n1:name=systemd:/docker/ID\n", None, Some("docker")),
            ("docker under one controller", "4:memory:/docker/ID\n1:name=systemd:/\n", None, Some("docker")),
            ("podman", "0::/machine.slice/libpod-ID.scope/container\n", Some("libpod-ID.scope"), Some("podman")),
            (
                "podman for a user",
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope\n",
                Some("libpod-ID.scope"),
                Some("podman"),
            ),
            ("podman's monitor", "0::/machine.slice/libpod-conmon-ID.scope\n", Some("libpod-conmon-ID.scope"), None),
            ("containerd by ctr", "0::/default/ID\n", None, Some("containerd")),
            (
                "kubernetes, containerd, systemd driver",
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3f1c0cbe_9c8d_4c8e_8e5e_0a7e7f0c9d11.slice/cri-containerd-ID.scope\n",
                Some("cri-containerd-ID.scope"),
                Some("containerd"),
            ),
            (
                "kubernetes, containerd, one name",
                "0::/system.slice/containerd.service/kubepods-besteffort-pod3f1c0cbe_9c8d_4c8e_8e5e_0a7e7f0c9d11.slice:cri-containerd:ID\n",
                Some("containerd.service"),
                Some("containerd"),
            ),
            (
                "kubernetes, cgroupfs driver",
                "4:memory:/kubepods/burstable/pod3f1c0cbe-9c8d-4c8e-8e5e-0a7e7f0c9d11/ID\n",
                None,
                Some("kubernetes"),
            ),
            ("cri-o", "0::/kubepods.slice/crio-ID.scope\n", Some("crio-ID.scope"), Some("cri-o")),
            ("another runtime", "0::/ecs/task/ID\n", None, Some("container")),
        ] {
            let read = membership(text.replace("ID", ID).as_bytes());
            let unit = unit.map(|unit| unit.replace("ID", ID));
            let container = container.map(|runtime| format!("{runtime}:0123456789ab"));
            assert_eq!(read, Membership { unit, container }, "{name}");
        }
    }

    #[test]
    fn a_pod_without_a_container_is_named_by_its_own_id() {
        let text = b"0::/kubepods.slice/kubepods-pod3f1c0cbe_9c8d_4c8e_8e5e_0a7e7f0c9d11.slice\n";
        assert_eq!(membership(text).container.as_deref(), Some("kubernetes:3f1c0cbe9c8d"));
        assert_eq!(membership(b"0::/kubepods.slice/tripod-x.slice\n").container, None);
    }

    #[test]
    fn lxc_is_named_by_its_container() {
        assert_eq!(
            membership(b"0::/lxc.payload.web1/system.slice/nginx.service\n").container.as_deref(),
            Some("lxc:web1")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = membership(&bytes);
        }

        #[test]
        fn any_path_is_answered(text in "([0-9]:[a-z=]{0,6}:(/(kubepods|docker|pod|\\.service|user@|é|[0-9a-f]{64}|-|:cri-containerd:){0,3}){0,5}\n){0,3}") {
            let _ = membership(text.as_bytes());
        }
    }
}
