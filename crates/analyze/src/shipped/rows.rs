//! What each shipped rule is for, and what only looks like it: numbers over time.

use super::sets;
use crate::scenes::Machine;

/// A rule with what it must and must not say.
pub(super) struct Row {
    pub(super) id: &'static str,
    /// Seconds from look to look.
    pub(super) interval_s: i64,
    /// Seconds in all.
    pub(super) length_s: i64,
    pub(super) fires: Course,
    pub(super) near: &'static [Course],
}

/// A number over time.
pub(super) struct Course {
    pub(super) name: &'static str,
    /// What the number is.
    pub(super) set: fn(&mut Machine, f64),
    /// The number so many seconds after the beginning.
    pub(super) value: fn(f64) -> f64,
}

const fn course(name: &'static str, set: fn(&mut Machine, f64), value: fn(f64) -> f64) -> Course {
    Course { name, set, value }
}

/// A rule that is looked at once a second.
const fn row(id: &'static str, length_s: i64, fires: Course, near: &'static [Course]) -> Row {
    Row { id, interval_s: 1, length_s, fires, near }
}

/// A rule over hours that is looked at once a minute.
const fn slow(id: &'static str, hours: i64, fires: Course, near: &'static [Course]) -> Row {
    Row { id, interval_s: 60, length_s: hours * 3_600, fires, near }
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;

/// One value until a time, another one after it.
const fn until(t: f64, end: f64, before: f64, after: f64) -> f64 {
    if t < end { before } else { after }
}

/// The part of a period that has passed, 0 to 1.
fn phase(t: f64, period: f64) -> f64 {
    t % period / period
}

pub(super) const ROWS: &[Row] = &[
    row(
        "host-cpu",
        1_200,
        course("a runaway", sets::cpu, |_| 0.97),
        &[
            course("a build of fourteen minutes", sets::cpu, |t| until(t, 14.0 * MINUTE, 1.0, 0.1)),
            course("a machine that is well used", sets::cpu, |_| 0.89),
            course("builds with pauses", sets::cpu, |t| until(phase(t, 300.0), 0.9, 1.0, 0.3)),
        ],
    ),
    row(
        "host-load",
        900,
        course("a queue that does not drain", sets::load, |_| 7.0),
        &[
            course("a build with four jobs on two CPUs", sets::load, |_| 4.5),
            course("a burst", sets::load, |t| until(t, 9.0 * MINUTE, 20.0, 1.0)),
        ],
    ),
    row(
        "host-memory",
        600,
        course("little left", sets::memory, |_| 0.93),
        &[
            course("well used", sets::memory, |_| 0.89),
            course("a large job", sets::memory, |t| until(t, 4.0 * MINUTE, 0.95, 0.5)),
        ],
    ),
    row(
        "host-memory-critical",
        120,
        course("nothing left", sets::memory, |_| 0.985),
        &[
            course("little left", sets::memory, |_| 0.965),
            course("a moment", sets::memory, |t| until(t, 25.0, 0.99, 0.6)),
        ],
    ),
    row(
        "swap-used",
        900,
        course("nowhere to go", sets::swap_in_need, |_| 0.9),
        &[
            course("swap full of what nobody uses", sets::swap_at_ease, |_| 0.99),
            course("half of it", sets::swap_in_need, |_| 0.7),
        ],
    ),
    row(
        "swap-traffic",
        900,
        course("thrashing", sets::swapping, |t| until(phase(t, 10.0), 0.5, 12.0, 0.0)),
        &[
            course("a program that is used again", sets::swapping_in, |_| 20.0),
            course("a quarter of a minute", sets::swapping, |t| until(t, 15.0, 30.0, 0.0)),
        ],
    ),
    row(
        "pressure-cpu",
        2_700,
        course("always somebody waits", sets::waits_for_cpu, |_| 0.97),
        &[
            course("a build of twenty minutes", sets::waits_for_cpu, |t| until(t, 20.0 * MINUTE, 0.99, 0.1)),
            course("often somebody waits", sets::waits_for_cpu, |_| 0.8),
        ],
    ),
    row(
        "pressure-memory",
        180,
        course("everybody waits for memory", sets::waits_for_memory, |_| 0.2),
        &[
            course("a little", sets::waits_for_memory, |_| 0.08),
            course("half a minute", sets::waits_for_memory, |t| until(t, 30.0, 0.5, 0.0)),
        ],
    ),
    row(
        "pressure-io",
        2_700,
        course("everybody waits for disks", sets::waits_for_disks, |_| 0.95),
        &[
            course("a backup that works as well", sets::waits_for_disks, |_| 0.7),
            course("a quarter of an hour", sets::waits_for_disks, |t| until(t, 15.0 * MINUTE, 1.0, 0.1)),
        ],
    ),
    row(
        "oom-kill",
        60,
        course("a kill", sets::oom_kills, |t| until((t - 30.0).abs(), 0.5, 1.0, 0.0)),
        &[course("none", sets::oom_kills, |_| 0.0)],
    ),
    row(
        "clock-jump",
        60,
        course("an hour back", sets::clock_step, |t| until((t - 30.0).abs(), 0.5, -3_600.0, 0.0)),
        &[course("a time service that catches up", sets::clock_step, |t| until((t - 30.0).abs(), 0.5, 0.8, 0.0))],
    ),
    row(
        "anomaly",
        420,
        course("another state of the machine", sets::strange, |_| 0.62),
        &[
            course("trees that do not agree", sets::doubtful, |_| 0.62),
            course("strange looks now and then", sets::strange, |t| until(phase(t, 60.0), 0.5, 0.7, 0.4)),
        ],
    ),
    row(
        "filesystem-full",
        300,
        course("93 %", sets::filesystem, |_| 0.93),
        &[
            course("89 %", sets::filesystem, |_| 0.89),
            course("temporary files of a build", sets::filesystem, |t| until(t, 100.0, 0.96, 0.8)),
        ],
    ),
    row(
        "filesystem-full-critical",
        180,
        course("99 %", sets::filesystem, |_| 0.99),
        &[
            course("96 %", sets::filesystem, |_| 0.96),
            course("a moment", sets::filesystem, |t| until(t, 50.0, 1.0, 0.8)),
        ],
    ),
    slow(
        "filesystem-full-soon",
        4,
        course("six hundredths an hour", sets::filesystem, |t| 0.70 + 0.06 * t / HOUR),
        &[
            course("one hundredth an hour", sets::filesystem, |t| 0.80 + 0.01 * t / HOUR),
            course("a dump of ten hundredths at once", sets::filesystem, |t| until(t, 2.5 * HOUR, 0.75, 0.85)),
            course("fast, but half of it is free", sets::filesystem, |t| 0.30 + 0.08 * t / HOUR),
            course("rotated logs", sets::filesystem, |t| 0.75 + 0.04 * phase(t, 0.5 * HOUR)),
        ],
    ),
    slow(
        "filesystem-full-soon",
        4,
        course("steps of a hundredth every ten minutes", sets::filesystem, |t| 0.72 + 0.01 * (t / 600.0).floor()),
        &[course("a step of three hundredths every hour that is taken back", sets::filesystem, |t| {
            0.80 + until(phase(t, HOUR), 0.5, 0.03, 0.0)
        })],
    ),
    row(
        "filesystem-inodes",
        300,
        course("95 % of the inodes", sets::inodes, |_| 0.95),
        &[course("85 % of them", sets::inodes, |_| 0.85)],
    ),
    row(
        "disk-saturated",
        1_500,
        course("busy with a queue", sets::disk_with_queue, |_| 1.0),
        &[
            course("one reader that keeps it busy", sets::disk_with_one_reader, |_| 1.0),
            course("a checkpoint of ten minutes", sets::disk_with_queue, |t| until(t, 10.0 * MINUTE, 1.0, 0.2)),
        ],
    ),
    row(
        "interface-errors",
        900,
        course("a bad cable", sets::broken_packets, |_| 50.0),
        &[
            course("one in a hundred thousand", sets::broken_packets, |t| until(phase(t, 100.0), 0.01, 1.0, 0.0)),
            course("a link that comes up", sets::broken_packets, |t| until(t, 0.9, 90.0, 0.0)),
        ],
    ),
    row(
        "interface-drops",
        900,
        course("a buffer that is too small", sets::dropped_packets, |_| 200.0),
        &[
            course("frames that nobody understands", sets::dropped_packets, |_| 5.0),
            course("a burst", sets::dropped_packets, |t| until(t, 5.0, 900.0, 0.0)),
        ],
    ),
    row(
        "listener-not-accepting",
        180,
        course("a program that hangs", sets::waiting, |_| 3.0),
        &[
            course("a busy server", sets::waiting, |t| until(phase(t, 20.0), 0.9, 40.0, 0.0)),
            course("nobody waits", sets::waiting, |_| 0.0),
        ],
    ),
    row(
        "unread-queue",
        420,
        course("a program that does not read", sets::unread, |_| 200.0),
        &[
            course("a busy server", sets::unread, |_| 30.0),
            course("a large upload", sets::unread, |t| until(t, 200.0, 400.0, 0.0)),
        ],
    ),
    row(
        "new-listening-port",
        60,
        course("a new port", sets::opened, |t| until((t - 30.0).abs(), 0.5, 1.0, 0.0)),
        &[course("the same port as before", sets::opened, |_| 0.0)],
    ),
    row(
        "process-cpu",
        1_500,
        course("a runaway", sets::process_cpu, |_| 0.95),
        &[
            course("one of two cores", sets::process_cpu, |_| 0.5),
            course("a report of a quarter of an hour", sets::process_cpu, |t| until(t, 15.0 * MINUTE, 1.0, 0.0)),
        ],
    ),
    row(
        "process-memory",
        900,
        course("four fifths", sets::process_memory, |_| 0.8),
        &[
            course("a database with two thirds", sets::process_memory, |_| 0.66),
            course("nine minutes", sets::process_memory, |t| until(t, 9.0 * MINUTE, 0.9, 0.3)),
        ],
    ),
    slow(
        "memory-leak",
        9,
        course("5 MiB a minute", sets::grown, |t| 300.0 + 5.0 * t / MINUTE),
        &[
            course("sessions of a morning", sets::grown_with_users, |t| 400.0 + 600.0 * (t / (6.0 * HOUR)).sin()),
            course("a start-up that is over", sets::grown, |t| until(t, 0.5 * HOUR, t / HOUR * 4_000.0, 2_000.0)),
            course("a cache that fills", sets::grown, |t| 2_000.0 * (1.0 - (-t / (0.7 * HOUR)).exp())),
            course("a collector", sets::grown, |t| 300.0 + 500.0 * phase(t, 0.4 * HOUR)),
            course("a program that stays as it is", sets::grown, |t| 800.0 + 20.0 * (t / 700.0).sin()),
            course("a small one that grows a little", sets::grown, |t| 100.0 + 5.0 * t / HOUR),
        ],
    ),
    slow(
        "memory-leak",
        10,
        course("a leak under the sawtooth of a collector", sets::grown, |t| {
            300.0 + 2.0 * t / MINUTE + 200.0 * phase(t, 0.3 * HOUR)
        }),
        &[course("the sawtooth alone", sets::grown, |t| 600.0 + 200.0 * phase(t, 0.3 * HOUR))],
    ),
    slow(
        "descriptor-leak",
        10,
        course("two a minute", sets::descriptors, |t| 300.0 + 2.0 * t / MINUTE),
        &[
            course("the users of a morning", sets::descriptors_of_users, |t| 300.0 + 300.0 * t / HOUR),
            course("connections of a day", sets::descriptors, |t| 300.0 + 150.0 * (t / (4.0 * HOUR)).sin()),
            course("a large server", sets::descriptors, |t| 5_000.0 + 300.0 * (t / 500.0).sin()),
        ],
    ),
    slow(
        "thread-growth",
        10,
        course("one a minute", sets::threads, |t| 100.0 + t / MINUTE),
        &[
            course("a pool that grows to its size", sets::threads, |t| (100.0 + 10.0 * t / MINUTE).min(400.0)),
            course("a thread for each user", sets::threads_of_users, |t| 100.0 + 100.0 * t / HOUR),
            course("requests", sets::threads, |t| 300.0 + 50.0 * (t / 300.0).sin()),
        ],
    ),
    row(
        "fork-bomb",
        700,
        course("a shell that forks itself", sets::instances, |t| 1.0 + (4.0 * (t - 600.0)).clamp(0.0, 12.0).exp2()),
        &[
            course("a build with four hundred jobs", sets::instances, |t| until(t, 600.0, 1.0, 400.0)),
            course("a machine that always has many", sets::instances, |t| 5_000.0 + 300.0 * (t / 50.0).sin()),
            course("many a day, one after the other", sets::instances, |t| 1.0 + 3.0 * t),
        ],
    ),
    row(
        "zombie",
        1_200,
        course("nobody waits for it", sets::zombie, |_| 1.0),
        &[course("a slow parent", sets::zombie, |t| until(t, 10.0 * MINUTE, 1.0, 0.0))],
    ),
    row(
        "uninterruptible",
        420,
        course("a disk that is gone", sets::stuck, |_| 1.0),
        &[
            course("heavy input and output", sets::stuck, |t| until(phase(t, 40.0), 0.95, 1.0, 0.0)),
            course("a disk that wakes up", sets::stuck, |t| until(t, 30.0, 1.0, 0.0)),
        ],
    ),
    row(
        "stopped",
        900,
        course("a signal", sets::stopped, |_| 1.0),
        &[
            course("a debugger", sets::traced, |_| 1.0),
            course("a pause", sets::stopped, |t| until(t, 5.0 * MINUTE, 1.0, 0.0)),
        ],
    ),
    row(
        "window-hung",
        180,
        course("a window that hangs", sets::hung, |_| 1.0),
        &[course("a slow dialogue", sets::hung, |t| until(t, 20.0, 1.0, 0.0))],
    ),
    row(
        "executable-replaced",
        600,
        course("after an update", sets::replaced, |_| 1.0),
        &[
            course("as it was", sets::replaced, |_| 0.0),
            course("restarted by the update", sets::replaced, |t| until(t, 60.0, 1.0, 0.0)),
        ],
    ),
    row(
        "service-restarts",
        1_200,
        course("a crash loop", sets::service, |t| until(phase(t, 40.0), 0.02, 1.0, 0.0)),
        &[
            course("a deployment", sets::service, |t| until((t % 300.0 - 10.0).abs(), 0.5, f64::from(t < 600.0), 0.0)),
            course("restarts by the hour", sets::service, |t| until(t % 400.0, 0.5, 1.0, 0.0)),
            course("a timer's job of every minute", sets::service, |t| until(t % 60.0, 0.5, 1.0, 0.0)),
        ],
    ),
    row(
        "check-failed",
        300,
        course("an outage", sets::check, |t| until(t, 100.0, 1.0, 0.0)),
        &[course("one try that failed", sets::check, |t| until((t - 115.0).abs(), 15.0, 0.0, 1.0))],
    ),
    row(
        "sampling-late",
        900,
        course("five seconds late", sets::late, |_| 5.0),
        &[
            course("a tenth of a second late", sets::late, |_| 0.1),
            course("once by a minute", sets::late, |t| until((t - 400.0).abs(), 0.5, 60.0, 0.0)),
        ],
    ),
    row(
        "looks-dropped",
        900,
        course("every fourth", sets::lost, |t| until(t % 3.0, 0.5, 1.0, 0.0)),
        &[course("looks that come late", sets::late, |_| 10.0)],
    ),
    row(
        "log-failing",
        180,
        course("a full disk", sets::log_fails, |t| t),
        &[course("a slow one", sets::log_fails, |t| t % 30.0)],
    ),
    row(
        "state-failing",
        120,
        course("a full disk", sets::state_fails, |t| t),
        &[course("a busy database", sets::state_fails, |t| t % 20.0)],
    ),
    row(
        "channel-failing",
        600,
        course("a mail server that is gone", sets::channel_fails, |t| t),
        &[course("one that restarts", sets::channel_fails, |t| t % 200.0)],
    ),
    row(
        "outbox-old",
        2_400,
        course("nobody takes the mail", sets::outbox, |t| t),
        &[course("greylisting", sets::outbox, |t| t % 900.0)],
    ),
];
