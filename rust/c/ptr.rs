//! Every conversion of a caller's pointer, in one place.
//!
//! The rules, the same for all functions:
//!
//! * Null is looked for here, and so is a negative length. Which code they give differs from call
//!   to call, so the answer is an `Option` or [`BadLength`] and the entry point names the code.
//! * Null with length 0 is an empty slice: programs probe sizes that way.
//! * Output memory may be uninitialised, so it is only ever written ([`Out`], `MaybeUninit`).
//! * Nothing here assumes alignment beyond that of the C type's *bytes*: old programs do hand in
//!   pointers into packed buffers, and x86 has always let them.
//! * Names are bytes, in any encoding or none.

use std::ffi::{c_char, c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

use crate::types::{GroupId, GroupName, MembershipInfo, ScatElement, Scatter, VsSetInfo};

/// A length that no memory has: negative, or together with the elements' size beyond the address
/// space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadLength;

/// The bytes of a C string without its NUL, at most `max` of them; `None` for null.
///
/// At most `max` bytes are looked at, so that a name field that is full to its last byte, without a
/// NUL, is no danger. Calls that must tell "too long" from "just fits" ask for one byte more than
/// they accept.
///
/// # Safety
/// `text` is null, or readable up to its first NUL or for `max` bytes, whatever is less, and
/// unchanged for `'a`.
pub(crate) unsafe fn opt_cstr<'a>(text: *const c_char, max: usize) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; `strnlen` stops at the NUL or at `max`, as the caller grants.
    let len = unsafe { libc::strnlen(text, max) };
    // SAFETY: `strnlen` has just read these bytes.
    Some(unsafe { slice::from_raw_parts(text.cast::<u8>(), len) })
}

/// A caller's input of `len` bytes. `Ok(None)` is null with a length: missing data.
///
/// # Errors
/// [`BadLength`] if `len` is negative.
///
/// # Safety
/// `data` is null, or readable for `len` bytes and unchanged for `'a`.
pub(crate) unsafe fn in_slice<'a>(
    data: *const c_char,
    len: c_int,
) -> Result<Option<&'a [u8]>, BadLength> {
    let len = usize::try_from(len).map_err(|_| BadLength)?;
    if len == 0 {
        return Ok(Some(&[]));
    }
    if data.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and a length that was an `int` is below `isize::MAX`; the caller grants the
    // rest.
    Ok(Some(unsafe { slice::from_raw_parts(data.cast(), len) }))
}

/// A caller's room for `len` bytes. Null gives no room, whatever the length.
///
/// # Errors
/// [`BadLength`] if `len` is negative.
///
/// # Safety
/// `room` is null, or writable for `len` bytes, and nobody else uses it during `'a`.
pub(crate) unsafe fn out_slice<'a>(
    room: *mut c_char,
    len: c_int,
) -> Result<&'a mut [MaybeUninit<u8>], BadLength> {
    let len = usize::try_from(len).map_err(|_| BadLength)?;
    if len == 0 || room.is_null() {
        return Ok(&mut []);
    }
    // SAFETY: not null, and a length that was an `int` is below `isize::MAX`; the caller grants the
    // rest.
    Ok(unsafe { slice::from_raw_parts_mut(room.cast(), len) })
}

/// A caller's list of `count` group names. `Ok(None)` is null with a count.
///
/// # Errors
/// [`BadLength`] if `count` is negative.
///
/// # Safety
/// `names` is null, or readable for `count` rows of 32 bytes and unchanged for `'a`.
pub(crate) unsafe fn in_names<'a>(
    names: *const GroupName,
    count: c_int,
) -> Result<Option<&'a [[u8; 32]]>, BadLength> {
    let count = usize::try_from(count).map_err(|_| BadLength)?;
    if count == 0 {
        return Ok(Some(&[]));
    }
    if names.is_null() {
        return Ok(None);
    }
    check_size::<GroupName>(count)?;
    // SAFETY: not null, rows of single bytes have no alignment, and the size fits; the caller
    // grants the rest.
    Ok(Some(unsafe { slice::from_raw_parts(names.cast(), count) }))
}

/// A caller's room for `count` group names, as bytes. Null gives no room, whatever the count.
///
/// # Errors
/// [`BadLength`] if `count` is negative.
///
/// # Safety
/// `room` is null, or writable for `count` rows of 32 bytes, and nobody else uses it during `'a`.
pub(crate) unsafe fn out_names<'a>(
    room: *mut GroupName,
    count: c_int,
) -> Result<&'a mut [MaybeUninit<u8>], BadLength> {
    let count = usize::try_from(count).map_err(|_| BadLength)?;
    if count == 0 || room.is_null() {
        return Ok(&mut []);
    }
    check_size::<GroupName>(count)?;
    // SAFETY: not null, rows of single bytes have no alignment, and the size fits; the caller
    // grants the rest.
    Ok(unsafe { slice::from_raw_parts_mut(room.cast(), count * size_of::<GroupName>()) })
}

/// A slice may not be larger than `isize::MAX` bytes. Only 32-bit systems can meet a count that is.
fn check_size<T>(count: usize) -> Result<(), BadLength> {
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(BadLength),
    }
}

/// Writes a text with a NUL at its end, cut to the room. Without any room nothing is written.
///
/// # Errors
/// [`BadLength`] if `max` is negative.
///
/// # Safety
/// `room` is null, or writable for `max` bytes, and nobody else uses it meanwhile.
pub(crate) unsafe fn put_text(room: *mut c_char, max: c_int, text: &str) -> Result<(), BadLength> {
    // SAFETY: the caller's contract.
    let room = unsafe { out_slice(room, max) }?;
    if let Some(most) = room.len().checked_sub(1) {
        let bytes = text.bytes().take(most).chain(std::iter::once(0));
        for (to, byte) in room.iter_mut().zip(bytes) {
            to.write(byte);
        }
    }
    Ok(())
}

/// Reads a caller's structure; `None` for null.
///
/// # Safety
/// `from` is null, or readable and initialised for a `T`.
pub(crate) unsafe fn in_value<T: Copy>(from: *const T) -> Option<T> {
    let from = NonNull::new(from.cast_mut())?;
    // SAFETY: not null; the caller grants the rest, and alignment is not asked for.
    Some(unsafe { from.read_unaligned() })
}

/// Copies `out.len()` bytes from `at` bytes behind `from`.
///
/// # Safety
/// That place is readable and not part of `out`.
pub(crate) unsafe fn copy_in(from: *const c_char, at: usize, out: &mut [u8]) {
    // SAFETY: the place is part of the caller's memory.
    let from = unsafe { from.cast::<u8>().add(at) };
    // SAFETY: readable and apart from `out` by the contract.
    unsafe { from.copy_to_nonoverlapping(out.as_mut_ptr(), out.len()) };
}

/// Fills a caller's `membership_info` field by field, as some messages leave `changed_member` as it
/// was.
///
/// # Safety
/// `info` is not null and may be written.
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "finding a field's place and writing it are one thing"
)]
pub(crate) unsafe fn put_membership_info(
    info: *mut MembershipInfo,
    gid: GroupId,
    changed_member: Option<GroupName>,
    num_vs_sets: c_uint,
    my_vs_set: VsSetInfo,
) {
    // SAFETY: a place inside the caller's structure, written without being read.
    unsafe { (&raw mut (*info).gid).write_unaligned(gid) };
    if let Some(name) = changed_member {
        // SAFETY: as above.
        unsafe { (&raw mut (*info).changed_member).write_unaligned(name) };
    }
    // SAFETY: as above.
    unsafe { (&raw mut (*info).num_vs_sets).write_unaligned(num_vs_sets) };
    // SAFETY: as above.
    unsafe { (&raw mut (*info).my_vs_set).write_unaligned(my_vs_set) };
}

/// One output parameter, only ever written.
#[derive(Debug)]
pub(crate) struct Out<T>(NonNull<T>);

impl<T> Out<T> {
    /// The output at `to`; `None` for null.
    ///
    /// # Safety
    /// `to` is null, or writable for a `T` as long as this value is used.
    pub(crate) unsafe fn new(to: *mut T) -> Option<Self> {
        NonNull::new(to).map(Self)
    }

    /// Writes it. Without dropping what was there, which may be uninitialised.
    pub(crate) fn write(&mut self, value: T) {
        // SAFETY: writable by the contract of `new`; alignment is not asked for.
        unsafe { self.0.write_unaligned(value) };
    }
}

/// Writes an output that is known not to be null. Alignment is not asked for.
///
/// # Safety
/// `to` may be written for a `T`.
#[inline]
pub(crate) unsafe fn write_to<T: Copy>(to: *mut T, value: T) {
    // SAFETY: the caller's contract.
    unsafe { to.write_unaligned(value) };
}

/// An output array of `count` entries, only ever written.
#[derive(Debug)]
pub(crate) struct OutArray<T> {
    first: NonNull<T>,
    len: usize,
}

impl<T> OutArray<T> {
    /// The array at `to`; `None` for null with a positive count. A negative count is no room.
    ///
    /// # Safety
    /// `to` is null, or writable for `count` values of `T` as long as this value is used.
    pub(crate) unsafe fn new(to: *mut T, count: c_int) -> Option<Self> {
        let len = usize::try_from(count).unwrap_or(0);
        let first = match NonNull::new(to) {
            Some(first) => first,
            None if len == 0 => NonNull::dangling(),
            None => return None,
        };
        Some(Self { first, len })
    }

    /// Entries that there is room for.
    #[cfg(test)]
    const fn len(&self) -> usize {
        self.len
    }

    /// Writes one entry. An index beyond the room is a defect of ours and panics, before anything
    /// is written.
    pub(crate) fn write(&mut self, index: usize, value: T) {
        assert!(index < self.len, "output {index} of {}", self.len);
        // SAFETY: the index is inside the array that `new` was given.
        let slot = unsafe { self.first.add(index) };
        // SAFETY: writable by the contract of `new`; alignment is not asked for.
        unsafe { slot.write_unaligned(value) };
    }
}

/// The used elements of a caller's scatter, in order and with all the empty ones. `None` for null.
///
/// Reads element by element, as the unused rest of a scatter is usually uninitialised.
/// `num_elements` is not bounded here: the classic library takes more than the 100 that the type
/// holds, if the memory is there, and so must callers that check it.
///
/// # Safety
/// `scatter` is null, or its `num_elements` and that many elements are readable and initialised for
/// `'a`.
pub(crate) unsafe fn scatter_elements<'a>(
    scatter: *const Scatter,
) -> Option<impl ExactSizeIterator<Item = ScatElement> + use<'a>> {
    if scatter.is_null() {
        return None;
    }
    // SAFETY: not null; projecting to a field reads nothing.
    let count = unsafe { &raw const (*scatter).num_elements };
    // SAFETY: the caller grants that the count is readable.
    let count = unsafe { count.read_unaligned() };
    // SAFETY: as above.
    let first = unsafe { &raw const (*scatter).elements }.cast::<ScatElement>();
    Some(ScatterElements {
        next: first,
        left: count,
        lent: std::marker::PhantomData,
    })
}

/// See [`scatter_elements`], whose contract keeps the reads sound.
struct ScatterElements<'a> {
    next: *const ScatElement,
    left: usize,
    lent: std::marker::PhantomData<&'a Scatter>,
}

impl Iterator for ScatterElements<'_> {
    type Item = ScatElement;

    fn next(&mut self) -> Option<ScatElement> {
        self.left = self.left.checked_sub(1)?;
        // SAFETY: one of the elements that the caller of `scatter_elements` granted.
        let element = unsafe { self.next.read_unaligned() };
        self.next = self.next.wrapping_add(1);
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for ScatterElements<'_> {}

/// The bytes of one scatter element as input. `None` for null with a length, or a length beyond the
/// address space.
///
/// # Safety
/// The element's `buf` is null, or readable for its `len` bytes and unchanged for `'a`.
pub(crate) unsafe fn element_bytes<'a>(element: ScatElement) -> Option<&'a [u8]> {
    if element.len == 0 {
        return Some(&[]);
    }
    if element.buf.is_null() || isize::try_from(element.len).is_err() {
        return None;
    }
    // SAFETY: not null and of a possible size; the caller grants the rest.
    Some(unsafe { slice::from_raw_parts(element.buf.cast(), element.len) })
}

/// The room of one scatter element. Null, or a length beyond the address space, gives no room.
///
/// # Safety
/// The element's `buf` is null, or writable for its `len` bytes, and nobody else uses it during
/// `'a`.
pub(crate) unsafe fn element_room<'a>(element: ScatElement) -> &'a mut [MaybeUninit<u8>] {
    if element.len == 0 || element.buf.is_null() || isize::try_from(element.len).is_err() {
        return &mut [];
    }
    // SAFETY: not null and of a possible size; the caller grants the rest.
    unsafe { slice::from_raw_parts_mut(element.buf.cast(), element.len) }
}

#[cfg(test)]
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a table of calls has one contract: every pointer is null or points to something of ours"
)]
mod tests {
    use super::*;
    use std::ptr::{null, null_mut};

    use crate::types::MAX_GROUP_NAME;

    #[test]
    fn null_text_is_none() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { opt_cstr(null(), 32) }, None);
    }

    #[test]
    fn text_ends_at_its_nul_or_at_the_limit() {
        let field = *b"abc\0defg";
        let text = field.as_ptr().cast();
        for (max, expected) in [(0, &b""[..]), (2, b"ab"), (3, b"abc"), (8, b"abc")] {
            // SAFETY: eight readable bytes.
            assert_eq!(unsafe { opt_cstr(text, max) }, Some(expected));
        }
        let full = [b'x'; 8];
        // SAFETY: eight readable bytes, and no more are looked at although there is no NUL.
        let text = unsafe { opt_cstr(full.as_ptr().cast(), 8) };
        assert_eq!(text, Some(&full[..]));
    }

    #[test]
    fn input_tells_missing_data_from_none_and_from_nonsense() {
        let data = *b"abcd";
        let p: *const c_char = data.as_ptr().cast();
        // SAFETY: four readable bytes, or null.
        unsafe {
            assert_eq!(in_slice(p, 4), Ok(Some(&b"abcd"[..])));
            assert_eq!(in_slice(p, 0), Ok(Some(&b""[..])));
            assert_eq!(in_slice(null(), 0), Ok(Some(&b""[..])));
            assert_eq!(in_slice(null(), 1), Ok(None));
            assert_eq!(in_slice(p, -1), Err(BadLength));
            assert_eq!(in_slice(null(), c_int::MIN), Err(BadLength));
        }
    }

    #[test]
    fn room_is_what_the_caller_has() {
        let mut room = [1_u8; 4];
        let p: *mut c_char = room.as_mut_ptr().cast();
        // SAFETY: four writable bytes, or null.
        unsafe {
            assert_eq!(out_slice(p, 4).unwrap().len(), 4);
            assert_eq!(out_slice(p, 0).unwrap().len(), 0);
            assert_eq!(out_slice(null_mut(), 9).unwrap().len(), 0);
            assert_eq!(out_slice(p, -1).unwrap_err(), BadLength);
            out_slice(p, 4).unwrap()[3].write(9);
        }
        assert_eq!(room, [1, 1, 1, 9]);
    }

    #[test]
    fn names_are_rows_of_32_bytes() {
        let mut rows = [[7 as c_char; MAX_GROUP_NAME]; 3];
        let p = rows.as_mut_ptr();
        // SAFETY: three rows, or null.
        unsafe {
            assert_eq!(in_names(p, 3), Ok(Some(&[[7; 32]; 3][..])));
            assert_eq!(in_names(null(), 0), Ok(Some(&[][..])));
            assert_eq!(in_names(null(), 2), Ok(None));
            assert_eq!(in_names(p, -1), Err(BadLength));
            assert_eq!(out_names(p, 3).unwrap().len(), 96);
            assert_eq!(out_names(null_mut(), 3).unwrap().len(), 0);
            assert_eq!(out_names(p, -1).unwrap_err(), BadLength);
            for byte in &mut out_names(p, 3).unwrap()[32..64] {
                byte.write(8);
            }
        }
        assert_eq!(rows, [[7; 32], [8; 32], [7; 32]]);
    }

    #[test]
    fn outputs_may_be_misaligned_and_missing() {
        let mut bytes = [0_u8; 9];
        let p = bytes.as_mut_ptr().wrapping_add(1).cast::<u32>();
        // SAFETY: null, or eight writable bytes.
        unsafe {
            assert!(Out::<u32>::new(null_mut()).is_none());
            Out::new(p).unwrap().write(0x0101_0101);
            let mut array = OutArray::new(p, 2).unwrap();
            assert_eq!(array.len(), 2);
            array.write(1, 0x0202_0202);
            assert_eq!(in_value(p.cast_const()), Some(0x0101_0101));
            assert_eq!(in_value(null::<u32>()), None);
        }
        assert_eq!(bytes, [0, 1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn missing_array_is_room_for_nothing_only_if_that_is_asked_for() {
        // SAFETY: null is allowed.
        unsafe {
            assert!(OutArray::<u32>::new(null_mut(), 1).is_none());
            assert_eq!(OutArray::<u32>::new(null_mut(), 0).unwrap().len(), 0);
            assert_eq!(OutArray::<u32>::new(null_mut(), -1).unwrap().len(), 0);
        }
    }

    #[test]
    #[should_panic(expected = "output 1 of 1")]
    fn output_array_is_never_overrun() {
        let mut room = [0_u32; 2];
        // SAFETY: writable for one entry and more.
        let mut array = unsafe { OutArray::new(room.as_mut_ptr(), 1) }.unwrap();
        array.write(0, 1);
        array.write(1, 1);
    }

    #[test]
    fn scatter_elements_come_in_order_and_no_more_than_there_are() {
        let mut a = *b"ab";
        let element = ScatElement {
            buf: a.as_mut_ptr().cast(),
            len: 2,
        };
        let nothing = ScatElement {
            buf: null_mut(),
            len: 0,
        };
        let broken = ScatElement {
            buf: null_mut(),
            len: 5,
        };
        let endless = ScatElement {
            buf: a.as_mut_ptr().cast(),
            len: usize::MAX,
        };
        let mut scatter = Scatter {
            num_elements: 4,
            elements: [broken; 100],
        };
        scatter.elements[..4].copy_from_slice(&[element, nothing, broken, endless]);
        // SAFETY: initialised elements of ours.
        let elements = unsafe { scatter_elements(&raw const scatter) }.unwrap();
        assert_eq!(elements.len(), 4);
        // SAFETY: the first element's bytes are there; the others are refused or empty.
        let bytes: Vec<_> = elements.map(|e| unsafe { element_bytes(e) }).collect();
        assert_eq!(bytes, [Some(&b"ab"[..]), Some(&b""[..]), None, None]);
        // SAFETY: as above.
        let rooms: Vec<_> = unsafe { scatter_elements(&raw const scatter) }
            .unwrap()
            // SAFETY: as above.
            .map(|e| unsafe { element_room(e) }.len())
            .collect();
        assert_eq!(rooms, [2, 0, 0, 0]);
        // SAFETY: null is allowed.
        assert!(unsafe { scatter_elements(null()) }.is_none());
    }
}
