use proptest::prelude::*;

use super::*;

/// As the kernel prints it; fields that are not used hold numbers of their own so that a shift would be seen.
fn stat_line(name: &[u8], stat: &Stat<'_>) -> Vec<u8> {
    let mut line = b"4711 (".to_vec();
    line.extend_from_slice(name);
    let Stat { state, parent, flags, minor_faults, major_faults, user_ticks, system_ticks, .. } = *stat;
    let Stat { threads, start_ticks, virtual_bytes, layout, .. } = *stat;
    let state = char::from(state);
    line.extend_from_slice(
        format!(
            ") {state} {parent} 905 906 907 -1 {flags} {minor_faults} 911 {major_faults} 913 {user_ticks} \
             {system_ticks} 916 917 -18 -19 {threads} 0 {start_ticks} {virtual_bytes} 924 18446744073709551615 {} \
             927 928 929 930 931 932 933 934 935 936 937 938 939 940 941 942 943 944 945 946 947 {} 949 950 951 952\n",
            layout.code, layout.arguments
        )
        .as_bytes(),
    );
    line
}

prop_compose! {
    fn any_stat()(
        state in prop::sample::select(b"RSDITtZX".to_vec()),
        parent in any::<u32>(), threads in any::<u32>(), flags in any::<u64>(),
        faults in any::<(u64, u64)>(), ticks in any::<(u64, u64)>(),
        start_ticks in any::<u64>(), virtual_bytes in any::<u64>(), layout in any::<(u64, u64)>(),
    ) -> Stat<'static> {
        Stat {
            name: b"", state, parent, flags, minor_faults: faults.0, major_faults: faults.1, user_ticks: ticks.0,
            system_ticks: ticks.1, threads, start_ticks, virtual_bytes,
            layout: Layout { code: layout.0, arguments: layout.1 },
        }
    }
}

proptest! {
    #[test]
    fn a_stat_line_reads_back_whatever_the_name(name in prop::collection::vec(any::<u8>(), 0..64), written in any_stat()) {
        let line = stat_line(&name, &written);
        prop_assert_eq!(stat(&line), Some(Stat { name: &name, ..written }));
    }

    #[test]
    fn names_that_look_like_the_end_of_the_name_are_read_whole(
        name in r"[a-z]{0,3}(\) [RSZ] [0-9]{1,3}|\)|\(|\n){1,3}", written in any_stat(),
    ) {
        let line = stat_line(name.as_bytes(), &written);
        prop_assert_eq!(stat(&line).map(|read| read.name), Some(name.as_bytes()));
    }

    #[test]
    fn a_cut_stat_line_never_gives_wrong_numbers(written in any_stat(), keep in 0_usize..400) {
        let line = stat_line(b"cut", &written);
        let keep = keep.min(line.len());
        if let Some(read) = stat(&line[..keep]) {
            // Only the last field may be short.
            prop_assert_eq!(read.start_ticks, written.start_ticks);
            prop_assert_eq!(read.user_ticks, written.user_ticks);
            prop_assert_eq!(read.threads, written.threads);
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = (stat(&bytes), statm_resident_pages(&bytes), schedstat(&bytes), io(&bytes), number(&bytes));
    }

    #[test]
    fn any_blanks_and_digits_are_answered(bytes in "[0-9 ():\n-]{0,400}") {
        let bytes = bytes.as_bytes();
        let _ = (stat(bytes), statm_resident_pages(bytes), schedstat(bytes), io(bytes), number(bytes));
    }

    #[test]
    fn small_files_read_back(a in any::<u64>(), b in any::<u64>(), c in any::<u64>()) {
        let text = format!("{a} {b} {c} 1 0 6 0\n");
        prop_assert_eq!(statm_resident_pages(text.as_bytes()), Some(b));
        prop_assert_eq!(schedstat(text.as_bytes()), Some(Schedstat { run_ns: a, slices: c }));
        let text = format!("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: {a}\nwrite_bytes: {b}\ncancelled_write_bytes: {c}\n");
        prop_assert_eq!(io(text.as_bytes()), Some(Io { read_bytes: a, written_bytes: b }));
    }
}

#[test]
fn files_that_the_kernel_would_not_write_are_refused() {
    for bytes in [&b""[..], b"\n", b"1 (x) S", b"1 (x) SS 1", b"1 x S 1", b")(", b"1 ) x ( S 1 2 3"] {
        assert_eq!(stat(bytes), None, "{bytes:?}");
    }
    for bytes in [&b""[..], b"12", b"12 x", b"x 12", b"1 18446744073709551616"] {
        assert_eq!(statm_resident_pages(bytes), None, "{bytes:?}");
    }
    assert_eq!(schedstat(b"1 2\n"), None);
    assert_eq!(io(b"rchar: 1\nread_bytes: 5\n"), None, "half of the file is missing");
    assert_eq!(io(b"read_bytes: -5\nwrite_bytes: 3\n"), None);
}

#[test]
fn a_line_without_the_layout_is_enough() {
    let line = b"1 (init) S 0 1 1 0 -1 4194560 100 200 3 4 5 6 7 8 20 0 1 0 42 1000000 300 18446744073709551615\n";
    let read = stat(line).expect("a stat line of an old kernel");
    assert_eq!((read.start_ticks, read.virtual_bytes, read.layout), (42, 1_000_000, Layout::default()));
}

#[test]
fn the_kernels_own_files_are_understood() {
    let read = |name: &str| std::fs::read(format!("/proc/self/{name}")).expect("this process is there");
    let text = read("stat");
    let this = stat(&text).expect("stat of this process");
    assert_eq!(this.parent, std::os::unix::process::parent_id());
    assert!(this.threads >= 1 && this.virtual_bytes > 0 && this.layout != Layout::default());
    assert!(statm_resident_pages(&read("statm")).is_some_and(|pages| pages > 0));
    assert!(schedstat(&read("schedstat")).is_some_and(|sched| sched.run_ns > 0));
    assert!(io(&read("io")).is_some());
}
