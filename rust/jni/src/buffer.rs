//! The memory of Java's direct buffers.
#![expect(unsafe_code, reason = "the JVM hands out addresses")]

use std::mem::MaybeUninit;

use jni::Env;
use jni::objects::JByteBuffer;
use spread_client::OutSlice;

/// The first `length` bytes of a direct buffer, to read. `None`: it is not direct, or shorter.
///
/// The slice must not outlive the native method, whose caller keeps the buffer and writes nothing
/// into it meanwhile (`spread.Session` holds its lock for sending).
pub(crate) fn to_read<'l>(
    env: &Env<'l>,
    buffer: &'l JByteBuffer<'l>,
    length: usize,
) -> Option<&'l [u8]> {
    let (start, capacity) = place(env, buffer)?;
    if length > capacity {
        return None;
    }
    // SAFETY: the JVM says that so many bytes are there, at least up to the end of the method, which
    // has a reference to the buffer; nobody writes into them, as said above.
    Some(unsafe { std::slice::from_raw_parts(start, length) })
}

/// All of a direct buffer, to write. `None`: it is not direct.
///
/// The same holds; `spread.Session` holds its lock for receiving.
pub(crate) fn to_write<'l>(env: &Env<'l>, buffer: &'l JByteBuffer<'l>) -> Option<OutSlice<'l>> {
    let (start, capacity) = place(env, buffer)?;
    let start = start.cast::<MaybeUninit<u8>>();
    // SAFETY: as above; nobody reads or writes the bytes meanwhile.
    let memory = unsafe { std::slice::from_raw_parts_mut(start, capacity) };
    Some(OutSlice::new(memory))
}

fn place(env: &Env<'_>, buffer: &JByteBuffer<'_>) -> Option<(*mut u8, usize)> {
    let start = env.get_direct_buffer_address(buffer).ok()?;
    let capacity = env.get_direct_buffer_capacity(buffer).ok()?;
    (!start.is_null()).then_some((start, capacity))
}
