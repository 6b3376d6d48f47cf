//! The sessions of Java programs, by number.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

use jni::sys::jlong;
use spread_client::SessionHandle;

#[derive(Debug, Default)]
struct Table {
    last: jlong,
    sessions: HashMap<jlong, SessionHandle>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

/// Takes a session in. Numbers start at 1 and are not used again.
pub(crate) fn insert(session: SessionHandle) -> jlong {
    // Entries are put in and taken out whole, so a poisoned table is sound.
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    table.last += 1;
    let number = table.last;
    table.sessions.insert(number, session);
    number
}

/// The session with this number.
pub(crate) fn get(number: jlong) -> Option<SessionHandle> {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    table.sessions.get(&number).cloned()
}

/// Takes a session out; only one caller gets it.
pub(crate) fn remove(number: jlong) -> Option<SessionHandle> {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    table.sessions.remove(&number)
}
