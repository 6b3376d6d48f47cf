//! The running networks of the process, by number.

use std::collections::HashMap;
use std::ffi::{CString, c_int};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use network::{Control, Network};

/// A network and the strings that C programs hold of it.
#[derive(Debug)]
pub(crate) struct Entry {
    network: Network,
    daemons: Vec<Strings>,
}

/// Valid as long as the network is in the table.
#[derive(Debug)]
pub(crate) struct Strings {
    pub(crate) name: CString,
    pub(crate) spread_name: CString,
    pub(crate) unix_name: Option<CString>,
}

#[derive(Debug, Default)]
struct Table {
    last: c_int,
    networks: HashMap<c_int, Arc<Entry>>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

fn table() -> MutexGuard<'static, Table> {
    // Entries are put in and taken out whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a network in. Numbers start at 1 and are not used again.
pub(crate) fn insert(network: Network) -> Result<c_int, String> {
    let text = |text: &str| CString::new(text).map_err(|_| "a NUL in a name".to_owned());
    let mut daemons = Vec::new();
    for daemon in network.daemons() {
        daemons.push(Strings {
            name: text(daemon.name())?,
            spread_name: text(&daemon.spread_name())?,
            unix_name: daemon.unix_name().map(|name| text(&name)).transpose()?,
        });
    }
    let mut table = table();
    let number = table.last.checked_add(1).ok_or("no numbers are left")?;
    table.last = number;
    table
        .networks
        .insert(number, Arc::new(Entry { network, daemons }));
    Ok(number)
}

/// Takes a network out; it ends once no other thread is in a call for it.
pub(crate) fn remove(number: c_int) -> Result<Arc<Entry>, String> {
    table()
        .networks
        .remove(&number)
        .ok_or_else(|| unknown(number))
}

pub(crate) fn get(number: c_int) -> Result<Arc<Entry>, String> {
    let found = table().networks.get(&number).cloned();
    found.ok_or_else(|| unknown(number))
}

fn unknown(number: c_int) -> String {
    format!("there is no network {number}")
}

impl Entry {
    pub(crate) fn control(&self) -> &Control {
        &self.network
    }

    pub(crate) fn count(&self) -> usize {
        self.daemons.len()
    }

    pub(crate) fn daemon(&self, number: c_int) -> Result<&Strings, String> {
        let index = usize::try_from(number).ok();
        index
            .and_then(|index| self.daemons.get(index))
            .ok_or_else(|| {
                format!(
                    "there is no daemon {number}: they are counted from 0 to {}",
                    self.count() - 1
                )
            })
    }
}
