//! The clocks of this machine. Everything else takes time as a value.

use std::time::{SystemTime, UNIX_EPOCH};

use watchkeeper_core::{BootId, Moment};

/// Wall clock, milliseconds since the Unix epoch, UTC. It may step in either direction.
pub fn wall_clock_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    }
}

/// Monotonic clock, milliseconds since boot, standing still while the machine sleeps.
pub fn monotonic_ms() -> i64 {
    clocks::monotonic_ms()
}

/// Now, on all clocks.
pub(crate) fn moment(boot: BootId) -> Moment {
    Moment { ts_ms: wall_clock_ms(), mono_ms: monotonic_ms(), suspended_ms: clocks::suspended_ms(), boot }
}

/// The current start of the kernel.
pub(crate) fn boot_id() -> BootId {
    clocks::boot_id()
}

#[cfg(target_os = "linux")]
mod clocks {
    use rustix::time::{ClockId, Timespec, clock_gettime};
    use watchkeeper_core::BootId;

    pub(super) fn monotonic_ms() -> i64 {
        ms(clock_gettime(ClockId::Monotonic))
    }

    /// `CLOCK_BOOTTIME` counts time asleep, `CLOCK_MONOTONIC` does not. The clocks cannot be read at one instant: the
    /// attempt with the narrowest bracket wins, so that an interruption in between does not look like sleep.
    pub(super) fn suspended_ms() -> i64 {
        let attempts = (0..3).map(|_| {
            let before_ns = ns(clock_gettime(ClockId::Monotonic));
            let boot_ns = ns(clock_gettime(ClockId::Boottime));
            let after_ns = ns(clock_gettime(ClockId::Monotonic));
            (after_ns - before_ns, boot_ns - i64::midpoint(before_ns, after_ns))
        });
        let asleep_ns = attempts.min().map_or(0, |(_, asleep_ns)| asleep_ns);
        (asleep_ns + 500_000).max(0) / 1_000_000
    }

    /// Without `/proc` the boot is still told apart by what the clocks say.
    pub(super) fn boot_id() -> BootId {
        crate::linux::boot_id(std::path::Path::new("/proc"))
    }

    fn ms(time: Timespec) -> i64 {
        ns(time) / 1_000_000
    }

    fn ns(time: Timespec) -> i64 {
        time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
    }
}

#[cfg(windows)]
mod clocks {
    use std::sync::atomic::{AtomicI64, Ordering};

    use watchkeeper_core::BootId;

    use crate::windows;

    /// The clock that counts time asleep ticks every 16 ms or so: less than this is no sleep.
    const GRANULARITY_MS: i64 = 50;

    pub(super) fn monotonic_ms() -> i64 {
        // The call cannot fail for a pointer that is one.
        windows::clocks_ms().map_or(0, |(awake_ms, _)| awake_ms)
    }

    pub(super) fn suspended_ms() -> i64 {
        static KNOWN_MS: AtomicI64 = AtomicI64::new(0);
        let known_ms = KNOWN_MS.load(Ordering::Relaxed);
        let asleep_ms = windows::clocks_ms().map_or(known_ms, |(awake_ms, all_ms)| all_ms - awake_ms);
        if asleep_ms < known_ms + GRANULARITY_MS {
            return known_ms;
        }
        KNOWN_MS.fetch_max(asleep_ms, Ordering::Relaxed).max(asleep_ms)
    }

    /// The system's own process began with the kernel, and unlike the time of the boot its start is not computed anew when
    /// the clock is set.
    pub(super) fn boot_id() -> BootId {
        let system = windows::processes().and_then(|processes| processes.get(&windows::SYSTEM).copied());
        match system.filter(|system| system.started > 0) {
            Some(system) => BootId(uuid::Uuid::from_u64_pair(super::DERIVED, system.started)),
            None => super::derived_boot_id(sysinfo::System::boot_time().unwrap_or(0)),
        }
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
mod clocks {
    use std::sync::OnceLock;
    use std::time::Instant;

    use rustix::time::{ClockId, clock_gettime};
    use watchkeeper_core::BootId;

    /// What the clocks said when they were first asked.
    struct Anchor {
        uptime_ms: i64,
        /// Stands still while the machine sleeps.
        awake: Instant,
        /// Does not; milliseconds.
        all_ms: i64,
    }

    static ANCHOR: OnceLock<Anchor> = OnceLock::new();

    /// Anchored once at the uptime, then counted by the standard library's clock.
    pub(super) fn monotonic_ms() -> i64 {
        let anchor = anchor();
        anchor.uptime_ms.saturating_add(awake_ms(anchor))
    }

    /// Time asleep since the clocks were first asked.
    pub(super) fn suspended_ms() -> i64 {
        let anchor = anchor();
        (all_ms() - anchor.all_ms - awake_ms(anchor)).max(0)
    }

    pub(super) fn boot_id() -> BootId {
        #[cfg(target_os = "macos")]
        if let Some(session) = crate::macos::boot_session() {
            return BootId(session);
        }
        super::derived_boot_id(sysinfo::System::boot_time().unwrap_or(0))
    }

    fn anchor() -> &'static Anchor {
        ANCHOR.get_or_init(|| {
            let uptime_ms = i64::try_from(sysinfo::System::uptime().unwrap_or(0)).unwrap_or(0).saturating_mul(1_000);
            Anchor { uptime_ms, awake: Instant::now(), all_ms: all_ms() }
        })
    }

    fn awake_ms(anchor: &Anchor) -> i64 {
        i64::try_from(anchor.awake.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn all_ms() -> i64 {
        let time = clock_gettime(ClockId::Monotonic);
        time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
    }
}

/// A boot id where the kernel has none: from the time of the boot (seconds since the epoch), in steps of ten seconds
/// because it is computed from two clocks and wobbles.
pub(crate) fn derived_boot_id(boot_time_secs: u64) -> BootId {
    BootId(uuid::Uuid::from_u64_pair(DERIVED, boot_time_secs / 10))
}

/// The high half only marks an id as derived: "wkboot" in ASCII.
const DERIVED: u64 = 0x0077_6b62_6f6f_7400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_move_forward_together() {
        let boot = boot_id();
        let first = moment(boot);
        let second = moment(boot_id());
        assert_eq!(first.boot, second.boot);
        assert!(first.ts_ms > 1_600_000_000_000, "{first:?}");
        assert!(second.mono_ms >= first.mono_ms && first.mono_ms > 0);
        assert!((second.suspended_ms - first.suspended_ms).abs() <= 1);
    }

    #[test]
    fn a_derived_boot_id_survives_a_wobble_and_tells_boots_apart() {
        assert_eq!(derived_boot_id(1_700_000_001), derived_boot_id(1_700_000_008));
        assert_ne!(derived_boot_id(1_700_000_001), derived_boot_id(1_700_000_101));
    }
}
