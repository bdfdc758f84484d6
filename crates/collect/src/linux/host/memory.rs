//! Memory, swap and paging: `/proc/meminfo` and `/proc/vmstat`.

use watchkeeper_core::reading::{Memory, Swap};

use super::scan::{decimal, fields, lines, split_once};

/// What `/proc/meminfo` says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct MemoryInfo {
    pub(super) memory: Memory,
    /// `None`: the kernel was built without swap.
    pub(super) swap: Option<Swap>,
    /// Parts of `memory` that this kernel does not tell (cache, buffers, shared, slab, dirty). They read 0 there, and
    /// the reader says so as a gap.
    pub(super) missing: u64,
}

#[derive(Default)]
struct Lines {
    total: Option<u64>,
    free: Option<u64>,
    available: Option<u64>,
    buffers: Option<u64>,
    cached: Option<u64>,
    active_file: Option<u64>,
    inactive_file: Option<u64>,
    shared: Option<u64>,
    reclaimable: Option<u64>,
    unreclaimable: Option<u64>,
    dirty: Option<u64>,
    swap_total: Option<u64>,
    swap_free: Option<u64>,
}

/// Reads `/proc/meminfo`. `None`: not understood, or without total and free memory.
///
/// Kernels before 3.14 do not say what is available; then it is what is free, the file pages and the reclaimable slab,
/// which is the kernel's own estimate without its reserve.
pub(super) fn parse_meminfo(text: &[u8]) -> Option<MemoryInfo> {
    let mut seen = Lines::default();
    for line in lines(text) {
        let Some((key, value)) = split_once(line, b':') else {
            continue;
        };
        let slot = match key {
            b"MemTotal" => &mut seen.total,
            b"MemFree" => &mut seen.free,
            b"MemAvailable" => &mut seen.available,
            b"Buffers" => &mut seen.buffers,
            b"Cached" => &mut seen.cached,
            b"Active(file)" => &mut seen.active_file,
            b"Inactive(file)" => &mut seen.inactive_file,
            b"Shmem" => &mut seen.shared,
            b"SReclaimable" => &mut seen.reclaimable,
            b"SUnreclaim" => &mut seen.unreclaimable,
            b"Dirty" => &mut seen.dirty,
            b"SwapTotal" => &mut seen.swap_total,
            b"SwapFree" => &mut seen.swap_free,
            _ => continue,
        };
        // The unit is always kB and means 1024 bytes.
        *slot = Some(decimal(fields(value).next()?)?.checked_mul(1_024)?);
    }
    let total = seen.total.filter(|total| *total > 0)?;
    let free = seen.free?;
    let reclaimable = seen.reclaimable.unwrap_or(0);
    let available = seen.available.unwrap_or_else(|| {
        let file_pages = match (seen.active_file, seen.inactive_file) {
            (Some(active), Some(inactive)) => active.saturating_add(inactive),
            _ => seen.cached.unwrap_or(0).saturating_sub(seen.shared.unwrap_or(0)),
        };
        free.saturating_add(file_pages).saturating_add(reclaimable)
    });
    let told = [seen.buffers, seen.cached, seen.shared, seen.unreclaimable, seen.dirty];
    let memory = Memory {
        total_bytes: total,
        free_bytes: free.min(total),
        available_bytes: available.min(total),
        buffers_bytes: seen.buffers.unwrap_or(0),
        cached_bytes: seen.cached.unwrap_or(0).saturating_add(reclaimable),
        shared_bytes: seen.shared.unwrap_or(0),
        slab_bytes: seen.unreclaimable.unwrap_or(0),
        dirty_bytes: seen.dirty.unwrap_or(0),
    };
    let swap = seen.swap_total.zip(seen.swap_free).map(|(total_bytes, free_bytes)| Swap { total_bytes, free_bytes });
    Some(MemoryInfo { memory, swap, missing: told.iter().filter(|part| part.is_none()).count() as u64 })
}

/// Paging counters since boot.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Paging {
    pub(super) minor_faults: Option<u64>,
    pub(super) major_faults: Option<u64>,
    pub(super) swapped_in_bytes: Option<u64>,
    pub(super) swapped_out_bytes: Option<u64>,
    /// `None`: older than kernel 4.13.
    pub(super) oom_kills: Option<u64>,
}

/// Reads `/proc/vmstat`; swap traffic is counted there in pages of `page_bytes`. `None`: not understood.
pub(super) fn parse_vmstat(text: &[u8], page_bytes: u64) -> Option<Paging> {
    let (mut faults, mut paging) = (None, Paging::default());
    for line in lines(text) {
        // More than a hundred lines, five of which matter: most are told by their first letters.
        if !matches!(line.first(), Some(b'p' | b'o')) {
            continue;
        }
        let (key, value) = split_once(line, b' ')?;
        let slot = match key {
            b"pgfault" => &mut faults,
            b"pgmajfault" => &mut paging.major_faults,
            b"pswpin" => &mut paging.swapped_in_bytes,
            b"pswpout" => &mut paging.swapped_out_bytes,
            b"oom_kill" => &mut paging.oom_kills,
            _ => continue,
        };
        *slot = Some(decimal(value)?);
    }
    // The kernel's `pgfault` counts every fault.
    paging.minor_faults = faults.zip(paging.major_faults).map(|(all, major)| all.saturating_sub(major));
    for pages in [&mut paging.swapped_in_bytes, &mut paging.swapped_out_bytes].into_iter().flatten() {
        *pages = pages.checked_mul(page_bytes)?;
    }
    (paging != Paging::default()).then_some(paging)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KIB: u64 = 1_024;

    #[test]
    fn memory_of_a_current_kernel_is_read() {
        let text = b"MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 600 kB\nBuffers: 10 kB\nCached: 400 kB\nShmem: 50 kB\nSReclaimable: 30 kB\nSUnreclaim: 20 kB\nDirty: 5 kB\nSwapTotal: 200 kB\nSwapFree: 150 kB\nHugePages_Total: 0\n";
        let info = parse_meminfo(text).expect("understood");
        let memory = info.memory;
        assert_eq!((memory.total_bytes, memory.free_bytes), (1_000 * KIB, 100 * KIB));
        assert_eq!((memory.available_bytes, memory.used_bytes()), (600 * KIB, 400 * KIB));
        assert_eq!((memory.buffers_bytes, memory.cached_bytes), (10 * KIB, 430 * KIB), "slab that can go is cache");
        assert_eq!((memory.shared_bytes, memory.slab_bytes, memory.dirty_bytes), (50 * KIB, 20 * KIB, 5 * KIB));
        assert_eq!(info.swap, Some(Swap { total_bytes: 200 * KIB, free_bytes: 150 * KIB }));
        assert_eq!(info.missing, 0);
    }

    #[test]
    fn an_old_kernel_does_not_say_what_is_available() {
        let old = b"MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 10 kB\nCached: 400 kB\nActive(file): 150 kB\nInactive(file): 200 kB\nShmem: 50 kB\nSReclaimable: 30 kB\nSUnreclaim: 20 kB\nDirty: 5 kB\n";
        let info = parse_meminfo(old).expect("understood");
        assert_eq!(info.memory.available_bytes, 480 * KIB);
        assert_eq!((info.swap, info.missing), (None, 0));
        let sparse = parse_meminfo(b"MemTotal: 1000 kB\nMemFree: 900 kB\nCached: 400 kB\n").expect("understood");
        assert_eq!(sparse.memory.available_bytes, 1_000 * KIB, "never more than there is");
        assert_eq!(sparse.missing, 4);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "MemTotal: 1000 kB\n",
            "MemTotal: 0 kB\nMemFree: 0 kB\n",
            "MemTotal 1000 kB\nMemFree: 5 kB\n",
            "MemTotal: x kB\nMemFree: 5 kB\n",
            "MemTotal:\nMemFree: 5 kB\n",
            "MemTotal: 18446744073709551615 kB\nMemFree: 5 kB\n",
        ] {
            assert_eq!(parse_meminfo(text.as_bytes()), None, "{text}");
        }
        for text in ["", "nr_free_pages 5\n", "pgfault x\n", "pgfault\n", "pswpin 18446744073709551615\n"] {
            assert_eq!(parse_vmstat(text.as_bytes(), 4_096), None, "{text}");
        }
    }

    #[test]
    fn pages_become_bytes_and_major_faults_are_taken_from_all() {
        let text = b"nr_free_pages 1\npswpin 2\npswpout 3\npgfault 100\npgmajfault 7\noom_kill 1\n";
        let paging = parse_vmstat(text, 65_536).expect("understood");
        assert_eq!((paging.minor_faults, paging.major_faults), (Some(93), Some(7)));
        assert_eq!((paging.swapped_in_bytes, paging.swapped_out_bytes), (Some(131_072), Some(196_608)));
        assert_eq!(paging.oom_kills, Some(1));
        let old = parse_vmstat(b"pgfault 100\npgmajfault 7\n", 4_096).expect("understood");
        assert_eq!((old.oom_kills, old.swapped_in_bytes), (None, None));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(text in "(MemTotal: 5 kB\\nMemFree: |pgfault |pswpin )?[ :a-zA-Z0-9\\n\\x00-\\xff]{0,120}") {
            let _ = (parse_meminfo(text.as_bytes()), parse_vmstat(text.as_bytes(), 4_096));
        }

        #[test]
        fn written_files_read_back(total in 1_u64..1 << 40, free: u32, available: u32, swap: u32, faults in 1_u64..1 << 60) {
            let text = format!("MemTotal: {total} kB\nMemFree: {free} kB\nMemAvailable: {available} kB\nSwapTotal: {swap} kB\nSwapFree: 0 kB\n");
            let info = parse_meminfo(text.as_bytes()).expect("understood");
            prop_assert_eq!(info.memory.total_bytes, total * KIB);
            prop_assert_eq!(info.memory.free_bytes, u64::from(free).min(total) * KIB);
            prop_assert_eq!(info.memory.available_bytes, u64::from(available).min(total) * KIB);
            prop_assert!(info.memory.used_bytes() <= info.memory.total_bytes);
            prop_assert_eq!(info.swap.map(|swap| swap.total_bytes), Some(u64::from(swap) * KIB));
            let paging = parse_vmstat(format!("pgfault {faults}\npgmajfault 1\n").as_bytes(), 4_096).expect("understood");
            prop_assert_eq!(paging.minor_faults, Some(faults - 1));
        }
    }
}
