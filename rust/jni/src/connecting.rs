//! Connecting. An authentication method is Java code and runs between two native calls of its thread,
//! so nothing of Java is called from here.

use std::cell::RefCell;
use std::time::Duration;

use jni::sys::jlong;
use spread_client::{
    Connect, ConnectArguments, ConnectProgress, Error, MailboxKind, Options, SessionHandle,
    TimeLimit,
};

use crate::{status, table};

thread_local! {
    /// The connect of this thread that waits for its method.
    static WAITING: RefCell<Option<Connect>> = const { RefCell::new(None) };
    /// What was wrong with the options of the last connect of this thread.
    static COMPLAINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a connect is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) daemons: &'a [u8],
    pub(crate) private_name: &'a [u8],
    /// The program's own method; `None`: the usual one, which does nothing.
    pub(crate) method: Option<&'a [u8]>,
    pub(crate) priority: bool,
    pub(crate) membership: bool,
    /// 0: no limit.
    pub(crate) timeout_ms: u32,
    /// `name=value` pairs with `&` between them.
    pub(crate) options: &'a str,
}

/// Begins to connect. The number of the session, [`status::RUN_METHOD`], or a failure.
pub(crate) fn begin(request: &Request<'_>) -> jlong {
    WAITING.set(None);
    let mut options = Options::from_environment();
    let wrong = options.set_list(request.options);
    if let Some(first) = wrong.first() {
        COMPLAINT.set(first.to_string());
        return status::BAD_OPTION.into();
    }
    // Receivers wait inside the library, and must be wakeable.
    options.mailbox = MailboxKind::Stable;
    let method = request.method.unwrap_or(b"NULL").to_vec();
    let begun = Connect::begin_with(
        &ConnectArguments {
            spread_name: request.daemons,
            private_name: request.private_name,
            priority: request.priority,
            membership: request.membership,
            methods: &[method],
            limit: if request.timeout_ms == 0 {
                TimeLimit::None
            } else {
                TimeLimit::After(Duration::from_millis(request.timeout_ms.into()))
            },
        },
        options,
    );
    match begun {
        Ok(connect) => advance(connect, request.method.is_none()),
        Err(error) => status::of_connect(error),
    }
}

/// Goes on after the method has run.
pub(crate) fn finish(ok: bool) -> jlong {
    let Some(mut connect) = WAITING.take() else {
        return status::BUG.into();
    };
    connect.methods_done(ok);
    advance(connect, true)
}

fn advance(mut connect: Connect, run_method: bool) -> jlong {
    loop {
        match connect.step() {
            ConnectProgress::Blocked => connect.call.run(),
            ConnectProgress::RunMethods(_) if run_method => connect.methods_done(true),
            ConnectProgress::RunMethods(_) => {
                WAITING.set(Some(connect));
                return status::RUN_METHOD;
            }
            ConnectProgress::Done(Ok(connected)) => {
                let handle = SessionHandle::of(connected.mailbox);
                return handle.map_or_else(|| status::of_connect(Error::Bug), table::insert);
            }
            ConnectProgress::Done(Err(error)) => return status::of_connect(error),
        }
    }
}

/// What was wrong with the options of the last connect of this thread.
pub(crate) fn complaint() -> String {
    COMPLAINT.with_borrow(Clone::clone)
}
