//! Values of processes, and processes that are only counted.

use std::sync::Arc;

use watchkeeper_core::process::{Command, Executable};
use watchkeeper_core::quantity::Span;
use watchkeeper_core::reading::ProcessCpu;
use watchkeeper_core::snapshot::{Exited, Process};
use watchkeeper_core::{BootId, Image, Metric, ProcessKey, ProcessState, Snapshot};

use super::host::unused_memory;
use super::{CPUS, difference, machine_us};
use crate::series_test::config::TestProcess;
use crate::series_test::values::Slot;

/// Process ids of those that are only counted begin here, beyond those that Linux gives.
const FIRST_COUNTED_PID: u32 = 10_000_000;
/// Most of them.
const MOST_COUNTED: f64 = 100_000.0;

/// One life of a process of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::series_test) struct Instance {
    pub(in crate::series_test) key: ProcessKey,
}

/// Adds a process with its values.
pub(super) fn write(
    snapshot: &mut Snapshot,
    process: &TestProcess,
    instance: Instance,
    values: &[(&'static Metric, Slot)],
) {
    let mut own = Process::unknown(instance.key, process.parent.unwrap_or(1), Arc::new(image(process)));
    for (metric, slot) in values {
        match slot {
            Slot::State(state) => own.state = Some(*state),
            Slot::Number(value) => number(snapshot, &mut own, metric.name, *value),
            Slot::Unknown | Slot::Absent => {}
        }
    }
    snapshot.processes.get_or_insert_default().push(own);
}

fn image(process: &TestProcess) -> Image {
    let command = process.command.clone();
    Image {
        name: process.name.clone(),
        program: process.program.clone().unwrap_or_else(|| process.name.clone()),
        executable: process.executable.clone().map(|path| Executable { path, ..Executable::default() }),
        command: command.map(|text| Command { length: text.len() as u64, text }),
        unit: process.unit.clone(),
        container: None,
    }
}

fn number(snapshot: &mut Snapshot, own: &mut Process, name: &str, value: f64) {
    let changed = difference(snapshot, value);
    match name {
        "process.cpu.utilization" => cpu(own, (value * machine_us(snapshot)).round() as u64),
        "process.cpu.cores" => {
            let cpus = f64::from(snapshot.host.cpu_count.unwrap_or(CPUS));
            cpu(own, (value / cpus * machine_us(snapshot)).round() as u64);
        }
        "process.cpu.utilization.user" => {
            let user_us = (value * machine_us(snapshot)).round() as u64;
            let known = own.cpu.get_or_insert(ProcessCpu { total_us: user_us, user_us: 0 });
            known.user_us = user_us;
        }
        "process.cpu.utilization.system" => {
            let system_us = (value * machine_us(snapshot)).round() as u64;
            let known = own.cpu.get_or_insert_default();
            known.total_us = known.total_us.max(known.user_us + system_us);
            known.user_us = known.total_us - system_us;
        }
        "process.memory.usage" => own.memory.get_or_insert_default().resident_bytes = value.round() as u64,
        "process.memory.utilization" => {
            let total_bytes = snapshot.host.memory.get_or_insert_with(unused_memory).total_bytes;
            own.memory.get_or_insert_default().resident_bytes = super::part(value, total_bytes);
        }
        "process.memory.virtual" => own.memory.get_or_insert_default().virtual_bytes = value.round() as u64,
        "process.paging.faults.minor" => own.faults.get_or_insert_default().minor = changed,
        "process.paging.faults.major" => own.faults.get_or_insert_default().major = changed,
        "process.disk.io.read" => own.io.get_or_insert_default().read_bytes = changed,
        "process.disk.io.write" => own.io.get_or_insert_default().written_bytes = changed,
        "process.disk.io" => {
            let io = own.io.get_or_insert_default();
            io.written_bytes = changed.saturating_sub(io.read_bytes);
        }
        "process.network.io.receive" => own.network.get_or_insert_default().received_bytes = changed,
        "process.network.io.transmit" => own.network.get_or_insert_default().sent_bytes = changed,
        "process.network.io" => {
            let network = own.network.get_or_insert_default();
            network.sent_bytes = changed.saturating_sub(network.received_bytes);
        }
        "process.thread.count" => own.threads = Some(value.round() as u32),
        "process.unix.file_descriptor.count" => own.descriptors = Some(value.round() as u32),
        "process.executable.replaced" => {
            let image = Arc::make_mut(&mut own.image);
            let path = format!("/usr/bin/{}", image.name);
            let executable = image.executable.get_or_insert(Executable { path, ..Executable::default() });
            // Somebody has looked at it.
            executable.inode.get_or_insert(1);
            executable.deleted = value != 0.0;
        }
        _ => {}
    }
}

fn cpu(own: &mut Process, total_us: u64) {
    own.cpu = Some(ProcessCpu { total_us, user_us: 0 });
}

/// Adds processes until there are as many as the host's series say, by state and together.
pub(super) fn pad(snapshot: &mut Snapshot, values: &[(&'static Metric, Slot)]) {
    let (mono_ms, boot) = (snapshot.at.mono_ms, snapshot.at.boot);
    let processes = snapshot.processes.get_or_insert_default();
    for (metric, slot) in values {
        let Slot::Number(wanted) = slot else { continue };
        let state = match metric.name {
            "system.process.count.running" => Some(ProcessState::Running),
            "system.process.count.uninterruptible" => Some(ProcessState::DiskSleep),
            "system.process.count.zombie" => Some(ProcessState::Zombie),
            "system.process.count" => None,
            _ => continue,
        };
        let there = processes.iter().filter(|process| state.is_none() || process.state == state).count();
        let missing = (wanted.round().clamp(0.0, MOST_COUNTED) as usize).saturating_sub(there);
        for _ in 0..missing {
            let pid = FIRST_COUNTED_PID + processes.len() as u32;
            let key = ProcessKey { boot, pid, start_ticks: mono_ms.unsigned_abs() / 20 };
            let counted = Image { name: "counted".to_owned(), program: "counted".to_owned(), ..Image::default() };
            let mut process = Process::unknown(key, 1, Arc::new(counted));
            process.state = Some(state.unwrap_or(ProcessState::Sleeping));
            processes.push(process);
        }
    }
}

/// The last row of a process that is not there any more.
pub(in crate::series_test) fn exited(process: &TestProcess, instance: Instance, ts_ms: i64) -> Exited {
    Exited {
        key: instance.key,
        parent: process.parent.unwrap_or(1),
        image: Arc::new(image(process)),
        uid: None,
        ts_ms,
        code: None,
        signal: None,
        cpu: None,
        faults: None,
        io: None,
        network: None,
    }
}

impl Instance {
    /// A process that was first seen at this time and is then as old as it says.
    pub(in crate::series_test) fn begin(
        process: &TestProcess,
        pid: u32,
        boot: BootId,
        mono_ms: i64,
        interval_ms: i64,
    ) -> Self {
        // Without an age it began in the middle of the interval.
        let age_ms = process.age.map_or(interval_ms / 2, Span::ms);
        let start_ticks = mono_ms.saturating_sub(age_ms).max(0).unsigned_abs() / 10;
        Self { key: ProcessKey { boot, pid, start_ticks } }
    }
}
