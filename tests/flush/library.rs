//! The `FL_` calls of the library under test, loaded as a program loads it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;

use crate::support;

/// What output memory holds before a call.
pub(crate) const PATTERN: u8 = 0xee;

/// One row of a list of groups.
pub(crate) type Row = [u8; 32];

/// `scat_element`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Element {
    buf: *mut u8,
    len: usize,
}

/// `scatter`, as large as a program has it.
#[repr(C)]
struct Scatter {
    num_elements: usize,
    elements: [Element; 100],
}

/// What a receive has left in the program's variables.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) service: c_int,
    pub(crate) sender: Row,
    pub(crate) num_groups: c_int,
    pub(crate) groups: Vec<Row>,
    pub(crate) mess_type: i16,
    pub(crate) endian: c_int,
    /// The elements' memory, one behind the other.
    pub(crate) body: Vec<u8>,
    pub(crate) more: c_int,
}

impl Received {
    /// Whether the names are still the pattern.
    pub(crate) fn untouched(bytes: &[u8]) -> bool {
        bytes.iter().all(|&byte| byte == PATTERN)
    }
}

/// The library.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library {
    handle: *mut c_void,
}

// SAFETY: the handle is only used for lookups, which any thread may make.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads it; it stays for the life of the process.
    pub(crate) fn load() -> Self {
        let path = CString::new(support::library().shared.as_os_str().as_bytes()).expect("no NUL");
        // SAFETY: loading our own library runs no code of its own.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{path:?} cannot be loaded");
        Self { handle }
    }

    /// The function of this name as a `F`, which must be the type of a C function.
    ///
    /// # Safety
    /// `F` is the function's type.
    unsafe fn function<F: Copy>(self, name: &CStr) -> F {
        assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
        // SAFETY: a live handle and a C string.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        assert!(!address.is_null(), "{name:?} is not exported");
        // SAFETY: an address of a function, of the type that the caller vouches for.
        unsafe { std::mem::transmute_copy(&address) }
    }

    /// A call with a mailbox and a name, or without the name.
    pub(crate) fn on_group(self, name: &CStr, mbox: c_int, group: &[u8]) -> c_int {
        let group = CString::new(group).expect("a name has no NUL");
        // SAFETY: the type of FL_join, FL_leave, FL_flush.
        let function: unsafe extern "C" fn(c_int, *const c_char) -> c_int =
            unsafe { self.function(name) };
        // SAFETY: a C string.
        unsafe { function(mbox, group.as_ptr()) }
    }

    /// A call with a mailbox alone.
    pub(crate) fn on_mailbox(self, name: &CStr, mbox: c_int) -> c_int {
        // SAFETY: the type of FL_disconnect, FL_poll, FL_more_msgs.
        let function: unsafe extern "C" fn(c_int) -> c_int = unsafe { self.function(name) };
        // SAFETY: any number is allowed.
        unsafe { function(mbox) }
    }

    /// A call without arguments.
    pub(crate) fn plain(self, name: &CStr) -> c_int {
        // SAFETY: the type of FL_lib_init and the three offsets.
        let function: unsafe extern "C" fn() -> c_int = unsafe { self.function(name) };
        // SAFETY: no arguments.
        unsafe { function() }
    }

    pub(crate) fn version(self) -> [c_int; 3] {
        // SAFETY: the type of FL_version.
        let function: unsafe extern "C" fn(*mut c_int, *mut c_int, *mut c_int) =
            unsafe { self.function(c"FL_version") };
        let mut out = [-1; 3];
        let [a, b, c] = &mut out;
        // SAFETY: three ints.
        unsafe { function(a, b, c) };
        out
    }

    /// `FL_connect`: the result, the mailbox and the private group.
    pub(crate) fn connect(
        self,
        daemon: &str,
        user: Option<&[u8]>,
        priority: c_int,
    ) -> (c_int, c_int, Row) {
        type Function =
            unsafe extern "C" fn(*const c_char, *const c_char, c_int, *mut c_int, *mut u8) -> c_int;
        // SAFETY: the type of FL_connect.
        let function: Function = unsafe { self.function(c"FL_connect") };
        let daemon = CString::new(daemon).expect("no NUL");
        let user = user.map(|user| CString::new(user).expect("no NUL"));
        let mut mbox = -1;
        let mut group = [PATTERN; 32];
        // SAFETY: C strings or null, and room for the outputs.
        let code = unsafe {
            function(
                daemon.as_ptr(),
                user.as_ref().map_or(std::ptr::null(), |user| user.as_ptr()),
                priority,
                &raw mut mbox,
                group.as_mut_ptr(),
            )
        };
        (code, mbox, group)
    }

    /// One of the calls that send, chosen by what there is.
    #[expect(
        clippy::multiple_unsafe_ops_per_block,
        reason = "looking a function up and calling it are one thing"
    )]
    pub(crate) fn send(self, mbox: c_int, message: &Outgoing) -> c_int {
        let group = CString::new(&message.group[..]).expect("no NUL");
        let (service, kind) = (message.service, message.mess_type);
        let mut pieces = message.pieces.clone();
        let scatter = message
            .num_elements
            .map(|count| scatter_of(&mut pieces, count));
        let body = message.pieces.first().cloned().unwrap_or_default();
        let data = if body.is_empty() {
            std::ptr::null()
        } else {
            body.as_ptr()
        };
        let len = message.mess_len;
        let mut rows = message.receivers.clone().unwrap_or_default();
        let receivers = rows.as_mut_ptr();
        let one = message
            .unicast
            .as_deref()
            .map(|name| CString::new(name).expect("no NUL"));
        // SAFETY: the types of the six functions; every pointer is to memory of the given length.
        unsafe {
            match (&one, message.num_receivers, &scatter) {
                (None, None, None) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        i16,
                        c_int,
                        *const u8,
                    ) -> c_int = self.function(c"FL_multicast");
                    f(mbox, service, group.as_ptr(), kind, len, data)
                }
                (None, None, Some(scatter)) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        i16,
                        *const Scatter,
                    ) -> c_int = self.function(c"FL_scat_multicast");
                    f(mbox, service, group.as_ptr(), kind, &raw const **scatter)
                }
                (Some(one), _, None) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        *const c_char,
                        i16,
                        c_int,
                        *const u8,
                    ) -> c_int = self.function(c"FL_unicast");
                    f(mbox, service, group.as_ptr(), one.as_ptr(), kind, len, data)
                }
                (Some(one), _, Some(scatter)) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        *const c_char,
                        i16,
                        *const Scatter,
                    ) -> c_int = self.function(c"FL_scat_unicast");
                    f(
                        mbox,
                        service,
                        group.as_ptr(),
                        one.as_ptr(),
                        kind,
                        &raw const **scatter,
                    )
                }
                (None, Some(count), None) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        c_int,
                        *mut Row,
                        i16,
                        c_int,
                        *const u8,
                    ) -> c_int = self.function(c"FL_subgroupcast");
                    f(
                        mbox,
                        service,
                        group.as_ptr(),
                        count,
                        receivers,
                        kind,
                        len,
                        data,
                    )
                }
                (None, Some(count), Some(scatter)) => {
                    let f: unsafe extern "C" fn(
                        c_int,
                        c_int,
                        *const c_char,
                        c_int,
                        *mut Row,
                        i16,
                        *const Scatter,
                    ) -> c_int = self.function(c"FL_scat_subgroupcast");
                    f(
                        mbox,
                        service,
                        group.as_ptr(),
                        count,
                        receivers,
                        kind,
                        &raw const **scatter,
                    )
                }
            }
        }
    }

    /// `FL_receive` with one length, `FL_scat_receive` with a list of them.
    pub(crate) fn receive(
        self,
        mbox: c_int,
        service: c_int,
        max_groups: c_int,
        room: &Room,
    ) -> (c_int, Received) {
        let rows = usize::try_from(max_groups).unwrap_or(0);
        let mut out = Received {
            service,
            sender: [PATTERN; 32],
            num_groups: i32::from_ne_bytes([PATTERN; 4]),
            groups: vec![[PATTERN; 32]; rows],
            mess_type: i16::from_ne_bytes([PATTERN; 2]),
            endian: i32::from_ne_bytes([PATTERN; 4]),
            body: Vec::new(),
            more: i32::from_ne_bytes([PATTERN; 4]),
        };
        let code = match room {
            Room::Whole(len) => {
                out.body = vec![PATTERN; usize::try_from(*len).unwrap_or(0)];
                type Function = unsafe extern "C" fn(
                    c_int,
                    *mut c_int,
                    *mut u8,
                    c_int,
                    *mut c_int,
                    *mut Row,
                    *mut i16,
                    *mut c_int,
                    c_int,
                    *mut u8,
                    *mut c_int,
                ) -> c_int;
                // SAFETY: the type of FL_receive.
                let function: Function = unsafe { self.function(c"FL_receive") };
                // SAFETY: every output has the size that the call is told.
                unsafe {
                    function(
                        mbox,
                        &raw mut out.service,
                        out.sender.as_mut_ptr(),
                        max_groups,
                        &raw mut out.num_groups,
                        out.groups.as_mut_ptr(),
                        &raw mut out.mess_type,
                        &raw mut out.endian,
                        *len,
                        out.body.as_mut_ptr(),
                        &raw mut out.more,
                    )
                }
            }
            Room::Scattered(lens) => {
                let mut pieces: Vec<Vec<u8>> = lens.iter().map(|len| vec![PATTERN; *len]).collect();
                let count = pieces.len();
                let mut scatter = scatter_of(&mut pieces, count);
                type Function = unsafe extern "C" fn(
                    c_int,
                    *mut c_int,
                    *mut u8,
                    c_int,
                    *mut c_int,
                    *mut Row,
                    *mut i16,
                    *mut c_int,
                    *mut Scatter,
                    *mut c_int,
                ) -> c_int;
                // SAFETY: the type of FL_scat_receive.
                let function: Function = unsafe { self.function(c"FL_scat_receive") };
                // SAFETY: every output has the size that the call is told.
                let code = unsafe {
                    function(
                        mbox,
                        &raw mut out.service,
                        out.sender.as_mut_ptr(),
                        max_groups,
                        &raw mut out.num_groups,
                        out.groups.as_mut_ptr(),
                        &raw mut out.mess_type,
                        &raw mut out.endian,
                        &raw mut *scatter,
                        &raw mut out.more,
                    )
                };
                out.body = pieces.concat();
                code
            }
        };
        (code, out)
    }
}

/// Room for a body.
#[derive(Debug)]
pub(crate) enum Room {
    Whole(c_int),
    Scattered(Vec<usize>),
}

/// What to send, and with which call.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) service: c_int,
    pub(crate) group: Vec<u8>,
    pub(crate) mess_type: i16,
    pub(crate) unicast: Option<Vec<u8>>,
    pub(crate) num_receivers: Option<c_int>,
    pub(crate) receivers: Option<Vec<Row>>,
    /// For the calls with a scatter: what its `num_elements` says.
    pub(crate) num_elements: Option<usize>,
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) mess_len: c_int,
}

fn scatter_of(pieces: &mut [Vec<u8>], count: usize) -> Box<Scatter> {
    let nothing = Element {
        buf: std::ptr::null_mut(),
        len: 0,
    };
    let mut scatter = Box::new(Scatter {
        num_elements: count,
        elements: [nothing; 100],
    });
    for (element, piece) in scatter.elements.iter_mut().zip(pieces) {
        *element = Element {
            buf: piece.as_mut_ptr(),
            len: piece.len(),
        };
    }
    scatter
}
