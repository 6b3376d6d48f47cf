//! `SP_version`, `SP_equal_group_ids` and the two queries that the classic library never had.

use std::ffi::c_int;

use crate::guard::guard;
use crate::ptr::Out;
use crate::types::GroupId;

/// The release of the classic library whose behaviour this one has.
const CLASSIC_VERSION: [c_int; 3] = [5, 0, 1];

/// Tells the version of the classic library that this one stands for: 5, 0, 1.
///
/// Returns 1. If any pointer is null, returns 0 and writes nothing. Any thread may call this at any
/// time.
///
/// # Safety
/// Each pointer is null or points to an `int` that may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_version(
    major_version: *mut c_int,
    minor_version: *mut c_int,
    patch_version: *mut c_int,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's contract.
        let major = unsafe { Out::new(major_version) };
        // SAFETY: the caller's contract.
        let minor = unsafe { Out::new(minor_version) };
        // SAFETY: the caller's contract.
        let patch = unsafe { Out::new(patch_version) };
        let (Some(mut major), Some(mut minor), Some(mut patch)) = (major, minor, patch) else {
            return 0;
        };
        let [x, y, z] = CLASSIC_VERSION;
        major.write(x);
        minor.write(y);
        patch.write(z);
        1
    })
}

/// Compares two group ids.
///
/// Returns 1 if both name the same membership of a group, else 0. Any thread may call this at any
/// time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_equal_group_ids(g1: GroupId, g2: GroupId) -> c_int {
    guard(|| c_int::from(g1 == g2))
}

/// Not declared in any header: exported because the classic library exports it, for programs that
/// name it at link time.
///
/// Always returns -1, as there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_query_groups() -> c_int {
    -1
}

/// Not declared in any header: exported because the classic library exports it, for programs that
/// name it at link time.
///
/// Always returns -1, as there.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_query_members() -> c_int {
    -1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;

    fn version(null_at: Option<usize>) -> (c_int, [c_int; 3]) {
        let mut out = [77; 3];
        let [a, b, c] = &mut out;
        let pick = |i, p: &mut c_int| {
            if null_at == Some(i) {
                null_mut()
            } else {
                &raw mut *p
            }
        };
        let (a, b, c) = (pick(0, a), pick(1, b), pick(2, c));
        // SAFETY: each pointer is null or points to an int of ours.
        let ret = unsafe { SP_version(a, b, c) };
        (ret, out)
    }

    #[test]
    fn version_is_that_of_the_classic_library() {
        assert_eq!(version(None), (1, [5, 0, 1]));
    }

    #[test]
    fn version_writes_nothing_if_any_pointer_is_null() {
        for null_at in 0..3 {
            assert_eq!(version(Some(null_at)), (0, [77; 3]), "{null_at}");
        }
    }

    #[test]
    fn group_ids_are_equal_only_in_all_three_words() {
        let id = GroupId { id: [1, -2, 3] };
        assert_eq!(SP_equal_group_ids(id, id), 1);
        for word in 0..3 {
            let mut other = id;
            other.id[word] ^= 0x100;
            assert_eq!(SP_equal_group_ids(id, other), 0);
            assert_eq!(SP_equal_group_ids(other, id), 0);
        }
    }
}
