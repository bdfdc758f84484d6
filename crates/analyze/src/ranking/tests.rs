use watchkeeper_core::catalogue::Kind;

use super::*;

#[test]
fn a_metric_is_explained_by_what_processes_do() {
    for (metric, by, whole) in [
        ("system.cpu.utilization", CPU, "this machine's CPU"),
        ("system.cpu.logical.utilization", CPU, "this machine's CPU"),
        ("system.linux.load.1m", CPU, "this machine's CPU"),
        ("system.linux.pressure.cpu.some", CPU, "this machine's CPU"),
        ("system.network.connection.count", CPU, "this machine's CPU"),
        ("process.cpu.cores", CPU, "this machine's CPU"),
        ("process.executable.replaced", CPU, "this machine's CPU"),
        ("process.state", CPU, "this machine's CPU"),
        ("system.memory.utilization", MEMORY, "this machine's memory"),
        ("system.paging.utilization", MEMORY, "this machine's memory"),
        ("system.linux.pressure.memory.full", MEMORY, "this machine's memory"),
        ("process.memory.utilization", MEMORY, "this machine's memory"),
        ("process.memory.virtual", MEMORY, "this machine's memory"),
        ("system.linux.oom_kills", MEMORY, "this machine's memory before the kill"),
        ("system.paging.faults.major", "process.paging.faults.major", "all page faults that read from disk"),
        ("system.network.io.transmit", "process.network.io", "all bytes sent and received over sockets"),
        ("system.network.packet.dropped.receive", "process.network.io", "all bytes sent and received over sockets"),
        ("system.filesystem.utilization", WRITTEN, "all bytes written by processes in the last 15 minutes"),
        ("system.filesystem.inodes.free", WRITTEN, "all bytes written by processes in the last 15 minutes"),
        ("system.disk.utilization", WRITTEN, "all bytes written by processes in the last 15 minutes"),
        ("system.linux.pressure.io.some", WRITTEN, "all bytes written by processes in the last 15 minutes"),
        ("process.disk.io.read", "process.disk.io.read", "all bytes read from storage"),
        ("process.thread.count", "process.thread.count", "all threads"),
        ("process.unix.file_descriptor.count", "process.unix.file_descriptor.count", "all open file descriptors"),
    ] {
        let ranked_by = Measure::of(catalogue::metric(metric).unwrap()).ranked_by();
        assert_eq!((ranked_by.metric.as_str(), ranked_by.whole.as_str()), (by, whole), "{metric}");
    }
}

#[test]
fn every_metric_is_explained_by_numbers_of_processes() {
    for metric in catalogue::metrics() {
        let by = Measure::of(metric).metric;
        assert!(matches!(by.read, catalogue::Read::Process(_)), "{}", metric.name);
        assert_ne!(by.kind, Kind::Label, "{}", metric.name);
    }
}
