//! `docs/OPTIONS.md`, written from the table.

use std::fmt::Write as _;

use super::TABLE;

const HEAD: &str = "\
# Options

<!-- Generated from the table in rust/client/src/options/table.rs: make headers. Do not edit. -->

Without any option a session behaves as with the classic library, except that a slow reader is not thrown out. What an
option changes is opt-in.

| way | example | what is wrong there |
| --- | --- | --- |
| the program | `SPX_conf_set(conf, \"disconnect_ms\", \"0\")` (`sp_ext.h`) | `SPX_BAD_OPTION`, the reason in `SPX_last_error` |
| the name of the daemon | `4803@host?disconnect_ms=0&mailbox=stable` | `ILLEGAL_SPREAD`, the reason in `SPX_last_error` |
| the environment | `SPREAD_OPTIONS=\"disconnect_ms=0&mailbox=stable\"` | a warning in the log; the rest counts |
| a file | `SPREAD_CLIENT_CONF=/etc/spread-client.conf`, with lines `disconnect_ms = 0`; `#` begins a comment line | a warning in the log; the rest counts |

Earlier rows go before later ones, and all before the defaults. They are read at each connect and hold for that session.
Programs with more rights than their caller (set-uid) do not look at the environment.

Sizes take `K`, `M`, `G` or `T` behind the number: factors of 1024, 1024 x 1024 and so on.

";

const LOG: &str = "
## The log

Warnings (an option that cannot be, a group list that a daemon delivers to nobody, a slow reader) go to standard error, one
line each, the same line at most once a minute. Message bodies are never logged.

| variable | meaning |
| --- | --- |
| `SPREAD_LOG` | what is logged: `off`, `error`, `warn` (the default), `info`, `debug` |
| `SPREAD_LOG_FILE` | appended to instead of standard error; lines have the time and the process id then |

## Statistics

With `SPREAD_STATS_MS=1000` every session gives its figures every 1000 ms, as one line of JSON in the file that
`SPREAD_STATS_FILE` names (appended to), or on standard error: the members of `SPX_stats` (`sp_ext.h`), the daemon, the
private group, why the connection was lost last, and rates since the line before.

A program whose standard error has become a socket since the library was first used (it has closed number 2) gets no
lines there.
";

/// The text of `docs/OPTIONS.md`.
#[must_use]
pub fn options_page() -> String {
    let mut page = HEAD.to_owned();
    for row in TABLE {
        let _ = writeln!(page, "## `{}`\n", row.name);
        for line in row.doc.lines() {
            let _ = writeln!(page, "{}", line.trim());
        }
        let _ = writeln!(
            page,
            "\n| kind | takes | default |\n| --- | --- | --- |\n| {} | {} | `{}` |\n",
            row.kind,
            row.takes(),
            row.default
        );
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page.push_str(LOG);
    page
}
