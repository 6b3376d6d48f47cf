//! Events as text: a word for the kind and its fields, with tabs between them. `SpreadClient` takes
//! them apart.

use spread_client::{Ending, Event, Name};

/// The line of an event; `other` for one that Java programs are not told of.
pub(crate) fn text(event: &Event) -> String {
    match event {
        Event::DaemonLost { daemon } => format!("lost\t{daemon}"),
        Event::Reconnecting { attempt, pause } => {
            format!("reconnecting\t{attempt}\t{}", pause.as_millis())
        }
        Event::Reconnected(how) => format!(
            "reconnected\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            name(how.old_private_group),
            name(how.private_group),
            how.daemon,
            how.gap.as_millis(),
            how.groups,
            how.attempts,
            how.outages
        ),
        Event::Slow { messages, bytes } => format!("slow\t{messages}\t{bytes}"),
        Event::SlowCleared { messages, bytes } => format!("caught-up\t{messages}\t{bytes}"),
        Event::Blocked { reason } => format!("blocked\t{reason}"),
        Event::Dropped { messages, bytes } => format!("dropped\t{messages}\t{bytes}"),
        Event::Closed(ending) => format!("closed\t{}", reason(*ending)),
        // Connected is no news, and what is not known yet has no method in Java.
        _ => String::from("other"),
    }
}

/// As Java has it: ISO 8859-1, as in messages.
pub(crate) fn name(name: Name) -> String {
    name.as_bytes().iter().copied().map(char::from).collect()
}

fn reason(ending: Ending) -> &'static str {
    match ending {
        Ending::DaemonGone => "the daemon is gone",
        Ending::NotRestored => "no other daemon could be reached in time",
        Ending::ByProgram => "by the program",
        Ending::BrokenFrame => "the daemon has sent what is no message",
        Ending::Overflow => "more was received than may wait",
        _ => "unknown",
    }
}
