//! The memory of Java's direct buffers.
#![expect(unsafe_code, reason = "the JVM hands out addresses")]

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use jni::Env;
use jni::objects::JByteBuffer;
use jni::sys::jlong;
use spread_client::OutSlice;

/// The first `length` bytes of the direct buffer at `address`, to read. `None`: it has no address.
///
/// The address is what [`address`] has said of this very buffer, so that the JVM is not asked for each
/// message: `spread.FrameWriter` keeps both together and fills no more than the buffer holds. The
/// reference has the collector keep the memory.
///
/// The slice must not outlive the native method, whose caller writes nothing into the buffer meanwhile
/// (`spread.Session` holds its lock for sending).
pub(crate) fn to_read<'l>(
    _buffer: &'l JByteBuffer<'l>,
    address: jlong,
    length: usize,
) -> Option<&'l [u8]> {
    let start = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(
        usize::try_from(address).ok()?,
    ))?;
    // SAFETY: at this address the JVM has the memory of the buffer, at least up to the end of the
    // method, which has a reference to it. That it is as long, and nobody writes, is said above.
    Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), length) })
}

/// Where a direct buffer is, as long as there are references to it. `None`: it is not direct.
pub(crate) fn address(env: &Env<'_>, buffer: &JByteBuffer<'_>) -> Option<jlong> {
    let (start, _) = place(env, buffer)?;
    jlong::try_from(start.expose_provenance()).ok()
}

/// All of a direct buffer, to write. `None`: it is not direct.
///
/// The slice must not outlive the native method, and nobody touches the buffer meanwhile:
/// `spread.Session` holds its lock for receiving.
pub(crate) fn to_write<'l>(env: &Env<'l>, buffer: &'l JByteBuffer<'l>) -> Option<OutSlice<'l>> {
    let (start, capacity) = place(env, buffer)?;
    let start = start.cast::<MaybeUninit<u8>>();
    // SAFETY: the JVM says that so many bytes are there, at least up to the end of the method, which
    // has a reference to the buffer; nobody reads or writes them, as said above.
    let memory = unsafe { std::slice::from_raw_parts_mut(start, capacity) };
    Some(OutSlice::new(memory))
}

fn place(env: &Env<'_>, buffer: &JByteBuffer<'_>) -> Option<(*mut u8, usize)> {
    let start = env.get_direct_buffer_address(buffer).ok()?;
    let capacity = env.get_direct_buffer_capacity(buffer).ok()?;
    (!start.is_null()).then_some((start, capacity))
}
