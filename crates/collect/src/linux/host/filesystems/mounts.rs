//! The mount table: which mounts hold files of their own, and each filesystem once.

use std::collections::HashMap;

use crate::linux::host::scan::{decimal, fields, lines, split_once};

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Device number of the filesystem; the same wherever it is mounted.
    pub(super) device: (u64, u64),
    /// Where it is mounted, escapes resolved.
    pub(super) point: Vec<u8>,
    /// Device, server or name that was mounted.
    pub(super) source: Vec<u8>,
    /// Type.
    pub(super) kind: Vec<u8>,
    /// The mount or the filesystem behind it cannot be written.
    pub(super) read_only: bool,
    /// A server or another process answers for it, or for a folder on the way to it: a question may take for ever.
    pub(super) remote: bool,
}

/// What a type of filesystem means here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Files on this machine.
    Local,
    /// Files behind a server or another process.
    Remote,
    /// Nothing that could fill.
    Pseudo,
}

/// All mounts of a `mountinfo` table in its order. `None`: not understood.
pub(super) fn parse(table: &[u8]) -> Option<Vec<Mount>> {
    lines(table).map(mount).collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    // 36 35 98:0 /root /point options [optional ...] - kind source super-options
    let mut columns = fields(line);
    let (major, minor) = split_once(columns.nth(2)?, b':')?;
    let point = unescape(columns.nth(1)?);
    let options = columns.next()?;
    columns.find(|column| *column == b"-")?;
    let kind = unescape(columns.next()?);
    // The source may be empty; then the line has two blanks there and one column less.
    let source = columns.next()?;
    let super_options = columns.next();
    let source = if super_options.is_some() { unescape(source) } else { Vec::new() };
    let read_only = [Some(options), super_options].into_iter().flatten().any(is_read_only);
    Some(Mount { device: (decimal(major)?, decimal(minor)?), point, source, kind, read_only, remote: false })
}

fn is_read_only(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == b"ro")
}

/// Blanks, tabs, line breaks, backslashes and `#` are written as a backslash and three octal digits.
fn unescape(column: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(column.len());
    let mut rest = column;
    while let Some((first, after)) = rest.split_first() {
        if let (b'\\', [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', beyond @ ..]) = (first, after) {
            plain.push((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'));
            rest = beyond;
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

/// The mounts that hold files of their own, each filesystem once under its shortest mount point, sorted by it.
///
/// Of mounts stacked on one point only the last can be seen.
pub(super) fn choose(mounts: Vec<Mount>) -> Vec<Mount> {
    let mut visible: HashMap<Vec<u8>, Mount> = HashMap::with_capacity(mounts.len());
    for mount in mounts {
        visible.insert(mount.point.clone(), mount);
    }
    let remote_points: Vec<Vec<u8>> =
        visible.values().filter(|mount| meaning(mount) == Meaning::Remote).map(|mount| mount.point.clone()).collect();
    let mut once: HashMap<(u64, u64), Mount> = HashMap::new();
    for mut mount in visible.into_values() {
        if meaning(&mount) == Meaning::Pseudo {
            continue;
        }
        // Also a local disk cannot be asked without a risk when the way to it leads through a server.
        mount.remote = remote_points.iter().any(|point| is_below(&mount.point, point));
        let better = once
            .get(&mount.device)
            .is_none_or(|kept| (mount.point.len(), &mount.point) < (kept.point.len(), &kept.point));
        if better {
            once.insert(mount.device, mount);
        }
    }
    let mut chosen: Vec<Mount> = once.into_values().collect();
    chosen.sort_unstable_by(|one, other| one.point.cmp(&other.point));
    chosen
}

/// Whether `point` is `above` itself or lies below it.
fn is_below(point: &[u8], above: &[u8]) -> bool {
    point.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || above == b"/")
}

fn meaning(mount: &Mount) -> Meaning {
    match mount.kind.as_slice() {
        // Images are full by nature; the rest is one program's plumbing.
        b"squashfs"
        | b"erofs"
        | b"iso9660"
        | b"cramfs"
        | b"romfs"
        | b"udf"
        | b"fuse.lxcfs"
        | b"fuse.gvfsd-fuse"
        | b"fuse.portal"
        | b"fuse.snapfuse"
        | b"fuse.squashfuse"
        | b"fuse.squashfuse_ll" => Meaning::Pseudo,
        // Each container's overlay shows the disk under it once more; only as the root is it what people mean.
        b"overlay" | b"aufs" if mount.point != b"/" => Meaning::Pseudo,
        b"tmpfs" if !holds_user_files(mount) => Meaning::Pseudo,
        b"tmpfs" | b"overlay" | b"aufs" | b"btrfs" | b"zfs" | b"bcachefs" | b"ubifs" | b"jffs2" => Meaning::Local,
        b"nfs" | b"nfs4" | b"cifs" | b"smb3" | b"smbfs" | b"ncpfs" | b"ceph" | b"afs" | b"lustre" | b"gpfs"
        | b"beegfs" | b"orangefs" | b"9p" | b"virtiofs" | b"vboxsf" | b"prl_fs" | b"fuse" | b"fuseblk" => {
            Meaning::Remote
        }
        kind if kind.starts_with(b"fuse.") => Meaning::Remote,
        // The rest is told by its device: major number 0 is given to filesystems without one.
        _ if mount.device.0 != 0 => Meaning::Local,
        _ => Meaning::Pseudo,
    }
}

/// Memory filesystems are everywhere: those for programs' own plumbing, credentials and pods are left out.
fn holds_user_files(mount: &Mount) -> bool {
    const PLUMBING: [&[u8]; 7] = [
        b"/proc",
        b"/sys",
        b"/run/credentials",
        b"/var/lib/kubelet/pods",
        b"/var/lib/docker",
        b"/var/lib/containers",
        b"/snap",
    ];
    let in_dev = is_below(&mount.point, b"/dev") && mount.point != b"/dev/shm";
    !mount.read_only && !in_dev && !PLUMBING.iter().any(|plumbing| is_below(&mount.point, plumbing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chosen(table: &str) -> Vec<(String, bool)> {
        let mounts = choose(parse(table.as_bytes()).expect("understood"));
        mounts.into_iter().map(|mount| (String::from_utf8(mount.point).expect("text"), mount.remote)).collect()
    }

    #[test]
    fn a_line_is_read_with_its_escapes_and_optional_columns() {
        let table = "36 35 98:0 /mnt1 /mnt\\0402\\134\\011x rw,noatime master:1 shared:2 - ext4 /dev/my\\040disk rw,errors=continue\n\
                     37 35 0:44 / /b ro - tmpfs  rw\n38 35 8:1 / /c rw - ext4 /dev/sda1 ro,x=ro1\n";
        let mounts = parse(table.as_bytes()).expect("understood");
        assert_eq!(mounts[0].device, (98, 0));
        assert_eq!(mounts[0].point, b"/mnt 2\\\tx");
        assert_eq!((&*mounts[0].source, &*mounts[0].kind), (&b"/dev/my disk"[..], &b"ext4"[..]));
        assert_eq!(mounts.iter().map(|mount| mount.read_only).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(mounts[1].source, b"");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in
            ["x", "1 2 8:1 / /a rw ext4 /dev/sda rw", "1 2 8 / /a rw - ext4 /dev/sda rw", "1 2 a:1 / /a rw - ext4 x rw"]
        {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        for (escaped, plain) in
            [("\\04", "\\04"), ("\\", "\\"), ("\\400", "\\400"), ("\\0403", " 3"), ("\\089", "\\089")]
        {
            assert_eq!(unescape(escaped.as_bytes()), plain.as_bytes(), "{escaped}");
        }
    }

    #[test]
    fn a_filesystem_counts_once_under_its_shortest_mount_point() {
        let table = "1 0 8:1 /srv/data /var/lib/data rw - ext4 /dev/sda1 rw\n\
                     2 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     3 0 8:1 /srv /b rw - ext4 /dev/sda1 rw\n\
                     4 0 0:30 /@home /home rw - btrfs /dev/sdb rw\n\
                     5 0 0:30 /@log /log rw - btrfs /dev/sdb rw\n";
        assert_eq!(chosen(table), [("/".to_owned(), false), ("/log".to_owned(), false)]);
    }

    #[test]
    fn of_stacked_mounts_the_last_is_seen() {
        let table = "1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 0 8:2 / /data rw - xfs /dev/sda2 rw\n";
        let mounts = choose(parse(table.as_bytes()).expect("understood"));
        assert_eq!(mounts.iter().map(|mount| mount.device).collect::<Vec<_>>(), [(8, 2)]);
        let covered = "1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 0 0:5 / /data rw - autofs systemd-1 rw\n";
        assert_eq!(chosen(covered), []);
    }

    #[test]
    fn only_what_can_fill_counts() {
        for (kind, device, point, options, expected) in [
            ("ext4", "8:1", "/", "rw", Some(false)),
            ("vfat", "8:2", "/boot/efi", "rw", Some(false)),
            ("xfs", "253:0", "/srv", "ro", Some(false)),
            ("btrfs", "0:30", "/home", "rw", Some(false)),
            ("zfs", "0:31", "/tank", "rw", Some(false)),
            ("overlay", "0:40", "/", "rw", Some(false)),
            ("overlay", "0:40", "/var/lib/docker/overlay2/x/merged", "rw", None),
            ("tmpfs", "0:41", "/tmp", "rw", Some(false)),
            ("tmpfs", "0:41", "/run/user/1000", "rw", Some(false)),
            ("tmpfs", "0:41", "/dev/shm", "rw", Some(false)),
            ("tmpfs", "0:41", "/dev", "rw", None),
            ("tmpfs", "0:41", "/devices", "rw", Some(false)),
            ("tmpfs", "0:41", "/sys/fs/cgroup", "rw", None),
            ("tmpfs", "0:41", "/proc/acpi", "rw", None),
            ("tmpfs", "0:41", "/tmp", "ro", None),
            ("tmpfs", "0:41", "/var/lib/kubelet/pods/1/volumes/token", "rw", None),
            ("devtmpfs", "0:5", "/dev", "rw", None),
            ("proc", "0:5", "/proc", "rw", None),
            ("sysfs", "0:6", "/sys", "rw", None),
            ("cgroup2", "0:7", "/sys/fs/cgroup", "rw", None),
            ("nsfs", "0:4", "/run/docker/netns/x", "rw", None),
            ("squashfs", "7:1", "/snap/core/1", "ro", None),
            ("iso9660", "11:0", "/media/cd", "ro", None),
            ("autofs", "0:9", "/net", "rw", None),
            ("nfs4", "0:50", "/home", "rw", Some(true)),
            ("cifs", "0:51", "/share", "rw", Some(true)),
            ("fuse.sshfs", "0:52", "/remote", "rw", Some(true)),
            ("fuseblk", "8:17", "/media/stick", "rw", Some(true)),
            ("fuse.lxcfs", "0:53", "/var/lib/lxcfs", "rw", None),
            ("virtiofs", "0:54", "/host", "rw", Some(true)),
        ] {
            let table = format!("1 0 {device} / {point} {options},noatime - {kind} source rw\n");
            let expected: Vec<_> = expected.map(|remote| (point.to_owned(), remote)).into_iter().collect();
            assert_eq!(chosen(&table), expected, "{kind} on {point}");
        }
    }

    #[test]
    fn a_disk_behind_a_server_is_as_slow_as_the_server() {
        let table = "1 0 0:50 / /net/home rw - nfs server:/home rw\n\
                     2 0 8:1 / /net/home/local rw - ext4 /dev/sda1 rw\n\
                     3 0 8:2 / /net/homes rw - ext4 /dev/sda2 rw\n";
        assert_eq!(
            chosen(table),
            [("/net/home".to_owned(), true), ("/net/home/local".to_owned(), true), ("/net/homes".to_owned(), false)]
        );
    }

    #[test]
    fn with_a_root_behind_a_server_everything_is_behind_it() {
        let table = "1 0 0:50 / / rw - nfs server:/root rw\n2 0 8:1 / /data rw - ext4 /dev/sda1 rw\n";
        assert_eq!(chosen(table), [("/".to_owned(), true), ("/data".to_owned(), true)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(table in "([0-9: /a-z\\\\\\n-]|[\\x00-\\xff]){0,200}") {
            let _ = parse(table.as_bytes()).map(choose);
        }

        #[test]
        fn written_mount_points_read_back(point in proptest::collection::vec(1_u8..=255, 1..40)) {
            let mut escaped = Vec::new();
            for byte in &point {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' | b'#' => escaped.extend(format!("\\{byte:03o}").bytes()),
                    byte => escaped.push(*byte),
                }
            }
            let mut line = b"1 0 8:1 / ".to_vec();
            line.extend(escaped);
            line.extend(b" rw - ext4 /dev/sda rw\n");
            prop_assert_eq!(&parse(&line).expect("understood")[0].point, &point);
        }
    }
}
