//! SIGINT and SIGTERM end a command properly.

use std::io;

#[cfg(unix)]
pub(crate) struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    /// From now on the signals do not end the process.
    pub(crate) fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    /// Waits for the first of them.
    pub(crate) fn wait(mut self) {
        self.0.forever().next();
    }
}

/// Without signals the process is ended from outside.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) fn wait(self) {
        loop {
            std::thread::park();
        }
    }
}

/// Has a thread wait for a signal, and end the receive of this mailbox then.
pub(crate) fn interrupt_receive_on_signal(mailbox: i32) -> io::Result<()> {
    let signals = Signals::new()?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            signals.wait();
            // A session that has ended meanwhile ends the command anyway.
            let _ = spread_client::interrupt(mailbox);
        })
        .map(drop)
}
