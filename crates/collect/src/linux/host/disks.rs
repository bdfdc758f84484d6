//! Block devices: `/proc/diskstats`, with `/sys/block` to know which of them hold data of their own.
//!
//! **Which devices count.** A byte that a program writes passes every layer of a stack (LVM on LUKS on RAID on disks)
//! and the kernel counts it in each. Only the lowest layer is taken, so that the sum over all disks is what the machine
//! really moved: whole devices without devices beneath them. Left out are
//! - partitions (no folder of their own in `/sys/block`),
//! - whatever has `slaves`: device mapper, software RAID, bcache,
//! - loop devices (their bytes reach the disk under the file), zvols (the pool's disks), ram disks and zram (memory),
//! - hidden paths of a multipath disk (`nvme0c1n1` of `nvme0n1`). Older kernels count only on the paths; there the visible
//!   device is given their sum.
//!
//! Network block devices (nbd, rbd, drbd) count: their bytes leave the machine.

use std::collections::HashMap;

use watchkeeper_core::reading::{DiskCounters, DiskReading};

use super::folder::{Folder, Unread};
use super::scan::{decimal, fields, lines, text};

/// Diskstats counts sectors of 512 bytes whatever the device's own sector is.
const SECTOR_BYTES: u64 = 512;
/// How long the answer of `/sys/block` is believed: stacks are built while the machine runs, but rarely.
const BELIEVED_MS: i64 = 60_000;

/// What a device is for the sum over all disks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    /// It holds data of its own.
    Counts,
    /// A hidden path to the device of this name.
    PathOf(String),
    /// Its bytes are counted elsewhere, or are no disk's.
    LeftOut,
}

/// Knows which devices count.
#[derive(Default)]
pub(super) struct Disks {
    roles: HashMap<Vec<u8>, Role>,
    asked_ms: Option<i64>,
}

impl Disks {
    /// The devices of a `/proc/diskstats` that count, sorted by name.
    pub(super) fn read(&mut self, diskstats: &[u8], sys: &Folder, mono_ms: i64) -> Result<Vec<DiskReading>, Unread> {
        if self.asked_ms.is_none_or(|asked| !(asked..asked + BELIEVED_MS).contains(&mono_ms)) {
            self.roles.clear();
            self.asked_ms = None;
            if !sys.has("block") {
                // Without it whole devices cannot be told from partitions and stacks.
                return Err(Unread::Refused(rustix::io::Errno::NOENT));
            }
            self.asked_ms = Some(mono_ms);
        }
        let mut disks = Vec::new();
        let mut paths = Vec::new();
        for line in lines(diskstats) {
            let name = fields(line).nth(2).ok_or(Unread::Malformed)?;
            if !self.roles.contains_key(name) {
                self.roles.insert(name.to_vec(), role(name, sys));
            }
            match self.roles.get(name) {
                Some(Role::Counts) => disks.push(parse(line).ok_or(Unread::Malformed)?),
                Some(Role::PathOf(head)) => paths.push((head.clone(), parse(line).ok_or(Unread::Malformed)?)),
                Some(Role::LeftOut) | None => {}
            }
        }
        for disk in &mut disks {
            if disk.counters == DiskCounters::default() {
                let name = disk.name.clone();
                paths.iter().filter(|(head, _)| *head == name).for_each(|(_, path)| add(disk, path));
            }
        }
        disks.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(disks)
    }
}

fn add(disk: &mut DiskReading, path: &DiskReading) {
    let DiskCounters { read_bytes, written_bytes, reads, writes, read_us, write_us, busy_us } = path.counters;
    let sum = &mut disk.counters;
    for (total, part) in [
        (&mut sum.read_bytes, read_bytes),
        (&mut sum.written_bytes, written_bytes),
        (&mut sum.reads, reads),
        (&mut sum.writes, writes),
        (&mut sum.read_us, read_us),
        (&mut sum.write_us, write_us),
        (&mut sum.busy_us, busy_us),
        (&mut disk.in_flight, path.in_flight),
    ] {
        *total = total.saturating_add(part);
    }
}

fn role(name: &[u8], sys: &Folder) -> Role {
    let numbered = |prefix: &[u8]| name.strip_prefix(prefix).is_some_and(|rest| decimal(rest).is_some());
    if [&b"loop"[..], b"ram", b"zram", b"zd"].into_iter().any(numbered) {
        return Role::LeftOut;
    }
    // In /sys a slash of a device's name (old RAID controllers: cciss/c0d0) is an exclamation mark.
    let entry = text(name).replace('/', "!");
    if !sys.has(&format!("block/{entry}")) || sys.has_entries(&format!("block/{entry}/slaves")) {
        return Role::LeftOut;
    }
    let mut buffer = Vec::new();
    let hidden = sys.read(&format!("block/{entry}/hidden"), &mut buffer).is_ok_and(|flag| flag.trim_ascii() == b"1");
    match (hidden, visible(&entry)) {
        (false, _) => Role::Counts,
        (true, Some(head)) => Role::PathOf(head),
        (true, None) => Role::LeftOut,
    }
}

/// The visible device of a hidden path: `nvme0n1` of `nvme0c1n1`.
fn visible(path: &str) -> Option<String> {
    let (subsystem, rest) = path.strip_prefix("nvme")?.split_once('c')?;
    let (_, namespace) = rest.split_once('n')?;
    Some(format!("nvme{subsystem}n{namespace}"))
}

/// One line of a whole device. `None`: not understood.
fn parse(line: &[u8]) -> Option<DiskReading> {
    let mut columns = fields(line);
    let name = text(columns.nth(2)?);
    let mut numbers = [0_u64; 10];
    for number in &mut numbers {
        *number = decimal(columns.next()?)?;
    }
    let [reads, _, sectors_read, read_ms, writes, _, sectors_written, write_ms, in_flight, busy_ms] = numbers;
    let counters = DiskCounters {
        read_bytes: sectors_read.checked_mul(SECTOR_BYTES)?,
        written_bytes: sectors_written.checked_mul(SECTOR_BYTES)?,
        reads,
        writes,
        read_us: read_ms.checked_mul(1_000)?,
        write_us: write_ms.checked_mul(1_000)?,
        busy_us: busy_ms.checked_mul(1_000)?,
    };
    Some(DiskReading { name, counters, in_flight })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn line(name: &str, sectors_read: u64) -> String {
        format!(" 259 0 {name} 10 1 {sectors_read} 30 40 2 50 60 7 80 90 0 0 0 0 0 0\n")
    }

    fn names(disks: &[DiskReading]) -> Vec<&str> {
        disks.iter().map(|disk| disk.name.as_str()).collect()
    }

    /// `/sys/block` with these devices; an entry behind the slash makes it a stacked one.
    fn sys(entries: &[&str]) -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().expect("a folder");
        for entry in entries {
            fs::create_dir_all(root.path().join("block").join(entry)).expect("made");
        }
        let folder = Folder::open(root.path());
        (root, folder)
    }

    #[test]
    fn the_columns_become_bytes_and_microseconds() {
        let disk = parse(line("sda", 2_000).trim_end().as_bytes()).expect("understood");
        assert_eq!((disk.name.as_str(), disk.in_flight), ("sda", 7));
        assert_eq!(
            disk.counters,
            DiskCounters {
                read_bytes: 1_024_000,
                written_bytes: 25_600,
                reads: 10,
                writes: 40,
                read_us: 30_000,
                write_us: 60_000,
                busy_us: 80_000,
            }
        );
    }

    #[test]
    fn each_byte_is_counted_once() {
        let (root, sys) = sys(&[
            "nvme0n1/slaves",
            "nvme0c0n1",
            "dm-0/slaves/nvme0n1p2",
            "dm-1/slaves/dm-0",
            "dm-2/slaves",
            "md0/slaves/sda",
            "sda",
            "loop0",
            "ram0",
            "zram0",
            "zd16",
            "cciss!c0d0",
            "sdaa",
        ]);
        fs::write(root.path().join("block/nvme0c0n1/hidden"), "1\n").expect("written");
        fs::write(root.path().join("block/sda/hidden"), "0\n").expect("written");
        let table: String = [
            "sdaa",
            "sda",
            "sda1",
            "nvme0n1",
            "nvme0n1p2",
            "nvme0c0n1",
            "dm-0",
            "dm-1",
            "dm-2",
            "md0",
            "loop0",
            "ram0",
            "zram0",
            "zd16",
            "cciss/c0d0",
            "cciss/c0d0p1",
        ]
        .into_iter()
        .map(|name| line(name, 1))
        .collect();
        let disks = Disks::default().read(table.as_bytes(), &sys, 0).expect("understood");
        assert_eq!(names(&disks), ["cciss/c0d0", "dm-2", "nvme0n1", "sda", "sdaa"]);
    }

    #[test]
    fn an_old_kernel_counts_on_the_paths_of_a_multipath_disk() {
        let (root, sys) = sys(&["nvme0n1", "nvme0c0n1", "nvme0c1n1", "nvme1n1", "nvme1c0n1"]);
        for path in ["nvme0c0n1", "nvme0c1n1", "nvme1c0n1"] {
            fs::write(root.path().join("block").join(path).join("hidden"), "1\n").expect("written");
        }
        let idle = "259 0 nvme0n1 0 0 0 0 0 0 0 0 0 0 0\n";
        let table = [idle, &line("nvme0c0n1", 10), &line("nvme0c1n1", 5), &line("nvme1n1", 7), &line("nvme1c0n1", 7)];
        let disks = Disks::default().read(table.concat().as_bytes(), &sys, 0).expect("understood");
        let read: Vec<_> = disks.iter().map(|disk| (disk.name.as_str(), disk.counters.read_bytes)).collect();
        assert_eq!(read, [("nvme0n1", 15 * 512), ("nvme1n1", 7 * 512)]);
        assert_eq!((disks[0].counters.writes, disks[0].in_flight), (80, 14));
    }

    #[test]
    fn a_new_stack_is_noticed_within_a_minute() {
        let (root, sys) = sys(&["sda"]);
        let table = line("sda", 1) + &line("sdb", 1);
        let mut disks = Disks::default();
        assert_eq!(names(&disks.read(table.as_bytes(), &sys, 5).expect("understood")), ["sda"]);
        fs::create_dir_all(root.path().join("block/sdb")).expect("made");
        assert_eq!(names(&disks.read(table.as_bytes(), &sys, 60_004).expect("understood")), ["sda"]);
        assert_eq!(names(&disks.read(table.as_bytes(), &sys, 60_005).expect("understood")), ["sda", "sdb"]);
    }

    #[test]
    fn without_sysfs_or_with_a_strange_line_there_is_a_reason() {
        let (_root, none) = sys(&[]);
        let without = Disks::default().read(line("sda", 1).as_bytes(), &none, 0);
        assert_eq!(without, Err(Unread::Refused(rustix::io::Errno::NOENT)));
        let (_root, sys) = sys(&["sda"]);
        for table in [
            "8 0\n",
            "8 0 sda 1 2 3\n",
            "8 0 sda 1 2 3 4 5 6 7 8 9 x\n",
            "8 0 sda 1 2 18446744073709551615 4 5 6 7 8 9 10\n",
        ] {
            assert_eq!(Disks::default().read(table.as_bytes(), &sys, 0), Err(Unread::Malformed), "{table}");
        }
        assert_eq!(Disks::default().read(b"", &sys, 0), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = Disks::default().read(&bytes, &Folder::open(std::path::Path::new("/nonexistent")), 0);
        }

        #[test]
        fn written_lines_read_back(name in "[a-z][a-z0-9/-]{0,12}", numbers in proptest::array::uniform17(0_u64..1 << 50)) {
            let row = format!("   8       0 {name} {}", numbers.map(|number| number.to_string()).join(" "));
            let disk = parse(row.as_bytes()).expect("understood");
            prop_assert_eq!(disk.name, name);
            prop_assert_eq!(disk.counters.read_bytes, numbers[2] * 512);
            prop_assert_eq!(disk.counters.written_bytes, numbers[6] * 512);
            prop_assert_eq!((disk.counters.reads, disk.counters.writes), (numbers[0], numbers[4]));
            prop_assert_eq!(disk.counters.busy_us, numbers[9] * 1_000);
            prop_assert_eq!(disk.in_flight, numbers[8]);
        }
    }
}
