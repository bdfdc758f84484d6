//! What macOS tells of itself by name.

#![allow(unsafe_code, reason = "sysctlbyname takes pointers")]

use std::ffi::CStr;
use std::ptr::{from_mut, null_mut};

use uuid::Uuid;

/// The current start of the kernel, as the kernel calls it; setting the clock does not change it.
pub(crate) fn boot_session() -> Option<Uuid> {
    let mut text = [0_u8; 64];
    let length = named(c"kern.bootsessionuuid", &mut text)?;
    Uuid::try_parse_ascii(text.get(..length)?.split(|byte| *byte == 0).next()?).ok()
}

/// The value of a name of the kernel, and how many bytes it has.
fn named(name: &CStr, value: &mut [u8]) -> Option<usize> {
    let mut length = value.len();
    // SAFETY: the name ends with a zero byte; the value and its length point to memory of ours that lives through the call,
    // and the kernel writes no more than the length says; nothing is set.
    let answer =
        unsafe { libc::sysctlbyname(name.as_ptr(), value.as_mut_ptr().cast(), from_mut(&mut length), null_mut(), 0) };
    (answer == 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_of_the_kernel_has_a_name() {
        assert!(boot_session().is_some());
        assert_eq!(boot_session(), boot_session());
        assert_eq!(named(c"kern.no-such-name", &mut [0; 8]), None);
    }
}
