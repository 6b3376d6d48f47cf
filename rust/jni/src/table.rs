//! The sessions of Java programs, by number.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use jni::sys::jlong;
use spread_client::SessionHandle;

use crate::asks::Asks;

#[derive(Debug)]
struct Entry {
    session: SessionHandle,
    /// For a session whose restore needs Java.
    asks: Option<Arc<Asks>>,
}

#[derive(Debug, Default)]
struct Table {
    last: jlong,
    sessions: HashMap<jlong, Entry>,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

/// Takes a session in. Numbers start at 1 and are not used again.
pub(crate) fn insert(session: SessionHandle, asks: Option<Arc<Asks>>) -> jlong {
    // Entries are put in and taken out whole, so a poisoned table is sound.
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    table.last += 1;
    let number = table.last;
    table.sessions.insert(number, Entry { session, asks });
    number
}

/// The session with this number.
pub(crate) fn get(number: jlong) -> Option<SessionHandle> {
    find(number, |entry| Some(entry.session.clone()))
}

/// What the session asks Java for.
pub(crate) fn asks(number: jlong) -> Option<Arc<Asks>> {
    find(number, |entry| entry.asks.clone())
}

fn find<T>(number: jlong, what: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
    let table = TABLE.read().unwrap_or_else(PoisonError::into_inner);
    table.sessions.get(&number).and_then(what)
}

/// Takes a session out; only one caller gets it. It asks for nothing any more.
pub(crate) fn remove(number: jlong) -> Option<SessionHandle> {
    let mut table = TABLE.write().unwrap_or_else(PoisonError::into_inner);
    let entry = table.sessions.remove(&number)?;
    drop(table);
    if let Some(asks) = entry.asks {
        asks.close();
    }
    Some(entry.session)
}
