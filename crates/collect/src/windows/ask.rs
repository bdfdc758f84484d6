//! The calls themselves.

#![allow(unsafe_code, reason = "the system's calls take pointers; what they answer is understood elsewhere")]

use std::collections::{HashMap, HashSet};
use std::ptr::from_mut;

use watchkeeper_core::reading::{CpuTimes, Swap};
use windows_sys::Wdk::System::SystemInformation::{
    NtQuerySystemInformation, SYSTEM_INFORMATION_CLASS, SystemProcessInformation, SystemProcessorPerformanceInformation,
};
use windows_sys::Win32::Foundation::{FILETIME, HWND, LPARAM, STATUS_INFO_LENGTH_MISMATCH};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{ALL_PROCESSOR_GROUPS, GetActiveProcessorCount, GetSystemTimes};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GetWindowThreadProcessId, IsHungAppWindow, IsWindowVisible,
};
use windows_sys::core::BOOL;

use super::answers::{self, ProcessCounters};

/// `SystemPageFileInformation`, which the bindings do not name.
const PAGE_FILES: SYSTEM_INFORMATION_CLASS = 18;
/// Bytes of the first attempt: enough for some 300 processes with their threads.
const FIRST_BYTES: u32 = 512 << 10;
/// No answer is longer than this, bytes.
const MOST_BYTES: u32 = 64 << 20;

/// All processes by number; `None` if the system does not answer. The layout is that of 64-bit systems.
pub(crate) fn processes() -> Option<HashMap<u32, ProcessCounters>> {
    if cfg!(not(target_pointer_width = "64")) {
        return None;
    }
    Some(answers::processes(&query(SystemProcessInformation)?)).filter(|processes| !processes.is_empty())
}

/// The processors of this thread's group: all there are, up to 64.
pub(crate) fn cpus() -> Option<Vec<CpuTimes>> {
    Some(answers::cpus(&query(SystemProcessorPerformanceInformation)?)).filter(|cpus| !cpus.is_empty())
}

/// All page files together.
pub(crate) fn page_files() -> Option<Swap> {
    query(PAGE_FILES).map(|bytes| answers::page_files(&bytes))
}

/// All processors together, in all groups.
pub(crate) fn total_cpu() -> Option<CpuTimes> {
    let (mut idle, mut kernel, mut user) = (FILETIME::default(), FILETIME::default(), FILETIME::default());
    // SAFETY: the three pointers are to values of the type that is written, and live through the call.
    let told = unsafe { GetSystemTimes(from_mut(&mut idle), from_mut(&mut kernel), from_mut(&mut user)) };
    let steps = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
    (told != 0).then(|| answers::total(steps(idle), steps(kernel), steps(user)))
}

/// Processors online, in all groups.
pub(crate) fn cpu_count() -> Option<u32> {
    // SAFETY: the call takes and gives numbers only.
    let count = unsafe { GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) };
    (count > 0).then_some(count)
}

/// Milliseconds since the boot without and with time asleep.
pub(crate) fn clocks_ms() -> Option<(i64, i64)> {
    let mut awake = 0_u64;
    // SAFETY: the pointer is to a value of the type that is written, and lives through the call.
    let told = unsafe { QueryUnbiasedInterruptTime(from_mut(&mut awake)) };
    // SAFETY: the call takes nothing and gives a number.
    let all_ms = unsafe { GetTickCount64() };
    (told != 0).then_some(((awake / 10_000).cast_signed(), all_ms.cast_signed()))
}

/// What is seen of the windows of this desktop.
#[derive(Default)]
struct Windows {
    visible: bool,
    hung: HashSet<u32>,
}

/// Numbers of processes with a window on this desktop that does not answer: it has not asked for its messages for 5 s.
/// `None` where no window is to be seen, as for a service, which has a desktop of its own.
pub(crate) fn hung() -> Option<HashSet<u32>> {
    let mut windows = Windows::default();
    let place = from_mut(&mut windows) as LPARAM;
    // SAFETY: the function has the signature that is asked for, and is called only until this call returns; the number it
    // is given is the address of a value that lives through the call and that nobody else uses meanwhile.
    let told = unsafe { EnumWindows(Some(look_at_window), place) };
    (told != 0 && windows.visible).then_some(windows.hung)
}

/// Looks at one window.
///
/// SAFETY: `windows` must be the address of a [`Windows`] that nobody else uses during the call.
unsafe extern "system" fn look_at_window(window: HWND, windows: LPARAM) -> BOOL {
    // SAFETY: [`hung`] gives the address of a value that nobody else uses during its call.
    let windows = unsafe { &mut *(windows as *mut Windows) };
    // SAFETY: the calls take a window, which may be gone by now: they say no.
    if unsafe { IsWindowVisible(window) } != 0 {
        windows.visible = true;
        // SAFETY: as above.
        if unsafe { IsHungAppWindow(window) } != 0 {
            let mut pid = 0;
            // SAFETY: the pointer is to a number that lives through the call.
            unsafe { GetWindowThreadProcessId(window, from_mut(&mut pid)) };
            windows.hung.insert(pid);
        }
    }
    // The next one.
    1
}

/// The whole of one kind of system information.
fn query(class: SYSTEM_INFORMATION_CLASS) -> Option<Vec<u8>> {
    let mut bytes = FIRST_BYTES;
    while bytes <= MOST_BYTES {
        // Of words, because the system wants the place of its answer aligned.
        let mut answer = vec![0_u64; bytes as usize / 8];
        let mut length = 0;
        // SAFETY: the pointer is to `bytes` writable, aligned bytes that live through the call, which writes no more than
        // it is told there are, and says in `length` how many those were.
        let status =
            unsafe { NtQuerySystemInformation(class, answer.as_mut_ptr().cast(), bytes, from_mut(&mut length)) };
        if status >= 0 {
            let length = (length as usize).min(bytes as usize);
            let mut told: Vec<u8> = answer.into_iter().flat_map(u64::to_ne_bytes).collect();
            told.truncate(length);
            return Some(told);
        }
        if status != STATUS_INFO_LENGTH_MISMATCH {
            return None;
        }
        // More may have begun until the next attempt.
        bytes = bytes.max(length).saturating_mul(2) & !7;
    }
    None
}
