//! CPU time, context switches, interrupts and forks: `/proc/stat`.

use watchkeeper_core::reading::{CpuReading, CpuTimes};

use super::scan::{decimal, fields, lines};

/// More ticks than any machine can have counted (20,000 CPU years); beyond it the file is not believed, and sums of
/// microseconds never overflow.
const MOST_TICKS: u64 = 1 << 46;

/// What `/proc/stat` says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stat {
    /// All CPUs together. `None`: the kernel does not account CPU time (all columns are zero, as in some sandboxes).
    pub(super) cpu: Option<CpuTimes>,
    /// CPUs online, by number; empty as above.
    pub(super) cpus: Vec<CpuReading>,
    /// CPUs online.
    pub(super) cpu_count: Option<u32>,
    pub(super) context_switches: Option<u64>,
    pub(super) interrupts: Option<u64>,
    pub(super) created: Option<u64>,
}

/// Reads `/proc/stat`. `tick_us` is the length of a tick of `USER_HZ` in microseconds, at most
/// 10,000.
///
/// Guest time is part of user and nice already. Columns that an old kernel does not have are times it does not spend.
/// `iowait` of a CPU may run backwards; that is for the difference to handle. `None`: not understood.
pub(super) fn parse(text: &[u8], tick_us: u64) -> Option<Stat> {
    let mut stat = Stat::default();
    let mut all = None;
    for line in lines(text) {
        let mut columns = fields(line);
        let Some(key) = columns.next() else {
            continue;
        };
        match key {
            b"cpu" => all = Some(times(columns, tick_us)?),
            b"ctxt" => stat.context_switches = Some(decimal(columns.next()?)?),
            b"intr" => stat.interrupts = Some(decimal(columns.next()?)?),
            b"processes" => stat.created = Some(decimal(columns.next()?)?),
            _ => {
                if let Some(number) = key.strip_prefix(b"cpu") {
                    let number = u32::try_from(decimal(number)?).ok()?;
                    stat.cpus.push(CpuReading { number, times: times(columns, tick_us)? });
                }
            }
        }
    }
    stat.cpus.sort_unstable_by_key(|cpu| cpu.number);
    stat.cpus.dedup_by_key(|cpu| cpu.number);
    stat.cpu_count = u32::try_from(stat.cpus.len()).ok().filter(|count| *count > 0);
    // Since boot something was busy or idle: zero in every column means that nobody counts.
    stat.cpu = all.filter(|times| times.total_us() > 0);
    if stat.cpu.is_none() {
        stat.cpus.clear();
    }
    // The same of events: a machine that answers has had some of every kind.
    for count in [&mut stat.context_switches, &mut stat.interrupts, &mut stat.created] {
        *count = count.filter(|count| *count > 0);
    }
    all.map(|_| stat)
}

fn times<'line>(columns: impl Iterator<Item = &'line [u8]>, tick_us: u64) -> Option<CpuTimes> {
    let mut ticks = [0_u64; 8];
    let mut count = 0;
    for (slot, column) in ticks.iter_mut().zip(columns) {
        *slot = decimal(column).filter(|ticks| *ticks < MOST_TICKS)?;
        count += 1;
    }
    // Four columns have been there since the first kernels.
    if count < 4 {
        return None;
    }
    let [user, nice, system, idle, iowait, interrupt, softirq, steal] = ticks.map(|ticks| ticks * tick_us);
    Some(CpuTimes {
        user_us: user,
        nice_us: nice,
        system_us: system,
        idle_us: idle,
        iowait_us: iowait,
        interrupt_us: interrupt,
        softirq_us: softirq,
        steal_us: steal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn modes_are_told_apart_and_guest_time_is_not_counted_twice() {
        let text = b"cpu  10 2 3 400 5 6 7 8 9 1\ncpu0 10 2 3 400 5 6 7 8 9 1\nintr 77 1 2 3\nctxt 88\nbtime 1\nprocesses 99\nprocs_running 1\n";
        let stat = parse(text, 10_000).expect("understood");
        let cpu = stat.cpu.expect("accounted");
        assert_eq!(
            cpu,
            CpuTimes {
                user_us: 100_000,
                nice_us: 20_000,
                system_us: 30_000,
                idle_us: 4_000_000,
                iowait_us: 50_000,
                interrupt_us: 60_000,
                softirq_us: 70_000,
                steal_us: 80_000,
            }
        );
        assert_eq!(cpu.total_us(), 4_410_000);
        assert_eq!(stat.cpus, [CpuReading { number: 0, times: cpu }]);
        assert_eq!((stat.cpu_count, stat.interrupts), (Some(1), Some(77)));
        assert_eq!((stat.context_switches, stat.created), (Some(88), Some(99)));
    }

    #[test]
    fn only_cpus_online_are_counted_under_their_own_numbers() {
        let stat = parse(b"cpu 9 0 0 9\ncpu0 3 0 0 3\ncpu4 3 0 0 3\ncpu2 3 0 0 3\n", 1).expect("understood");
        assert_eq!(stat.cpus.iter().map(|cpu| cpu.number).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(stat.cpu_count, Some(3));
        let twice = parse(b"cpu 9 0 0 9\ncpu0 3 0 0 3\ncpu0 3 0 0 3\n", 1).expect("understood");
        assert_eq!((twice.cpus.len(), twice.cpu_count), (1, Some(1)));
    }

    #[test]
    fn a_kernel_that_does_not_account_is_unknown_and_not_zero() {
        let stat = parse(b"cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\nctxt 0\n", 10_000).expect("understood");
        assert_eq!((stat.cpu, stat.cpus.len(), stat.cpu_count), (None, 0, Some(1)));
        assert_eq!(stat.context_switches, None);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "intr 5\n",
            "cpu  1 2 3\n",
            "cpu  1 2 x 4\n",
            "cpu  1 2 3 -4\n",
            "cpu  1 2 3 4\ncpux 1 2 3 4\n",
            "cpu  1 2 3 18446744073709551615\n",
            "cpu  1 2 3 4\nctxt\n",
        ] {
            assert_eq!(parse(text.as_bytes(), 10_000), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(text in "(cpu|intr|ctxt|processes)?[0-9 \\n\\x00-\\xff]{0,200}", tick in 1_u64..=10_000) {
            if let Some(stat) = parse(text.as_bytes(), tick) {
                let _ = stat.cpu.map(|cpu| cpu.total_us());
            }
        }

        #[test]
        fn written_files_read_back(cpus in proptest::collection::vec(proptest::array::uniform10(0_u64..1 << 40), 1..20)) {
            use std::fmt::Write as _;
            let mut text = String::new();
            let mut sum = [0_u64; 10];
            let mut rows = String::new();
            for (number, row) in cpus.iter().enumerate() {
                let _ = write!(rows, "cpu{number}");
                for (total, value) in sum.iter_mut().zip(row) {
                    *total = (*total + value) % MOST_TICKS;
                    let _ = write!(rows, " {value}");
                }
                rows.push('\n');
            }
            let _ = writeln!(text, "cpu  {}", sum.map(|value| value.to_string()).join(" "));
            text.push_str(&rows);
            let stat = parse(text.as_bytes(), 10_000).expect("understood");
            prop_assume!(stat.cpu.is_some());
            prop_assert_eq!(stat.cpus.len(), cpus.len());
            for (cpu, row) in stat.cpus.iter().zip(&cpus) {
                prop_assert_eq!(cpu.times.user_us, row[0] * 10_000);
                prop_assert_eq!(cpu.times.steal_us, row[7] * 10_000);
                prop_assert_eq!(cpu.times.total_us(), row[..8].iter().sum::<u64>() * 10_000);
            }
        }
    }
}
