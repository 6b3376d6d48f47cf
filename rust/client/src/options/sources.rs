//! Options from outside the program: the environment, and a file that it names.

use std::fs::File;
use std::io::Read as _;

use super::{OptionError, Options};
use crate::environment;

/// `name=value&name=value`.
const LIST: &str = "SPREAD_OPTIONS";

/// The path of a file of options.
const FILE: &str = "SPREAD_CLIENT_CONF";

/// A file of options is not longer than this.
const MAX_FILE: u64 = 64 * 1024;

/// Applies file and environment, in this order. Returns what is wrong with them, for the log.
pub(super) fn apply(options: &mut Options) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(path) = environment::text(FILE) {
        match read(&path) {
            Ok(text) => wrong.extend(
                apply_file(options, &text)
                    .into_iter()
                    .map(|(line, error)| format!("{path}, line {line}: {error}")),
            ),
            Err(reason) => wrong.push(format!("{FILE}: {path}: {reason}")),
        }
    }
    if let Some(list) = environment::text(LIST) {
        let errors = options.set_list(&list);
        wrong.extend(errors.into_iter().map(|error| format!("{LIST}: {error}")));
    }
    wrong
}

/// Applies the lines of a file; returns the wrong ones with their numbers.
fn apply_file(options: &mut Options, text: &str) -> Vec<(usize, OptionError)> {
    let mut wrong = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let result = match line.split_once('=') {
            Some((name, value)) => options.set(name.trim_end(), value.trim_start()),
            None => Err(OptionError::NoValue(line.to_owned())),
        };
        if let Err(error) = result {
            wrong.push((at + 1, error));
        }
    }
    wrong
}

fn read(path: &str) -> Result<String, String> {
    let say = |error: std::io::Error| error.to_string();
    // Opening or reading a pipe or a device might wait for ever.
    if !std::fs::metadata(path).map_err(say)?.is_file() {
        return Err("not a file".to_owned());
    }
    let file = File::open(path).map_err(say)?;
    let mut text = String::new();
    let count = file
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)
        .map_err(say)?;
    if count as u64 > MAX_FILE {
        return Err(format!("longer than {MAX_FILE} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_lines_comments_and_blanks() {
        let mut options = Options::default();
        let text = "# ours\n\n  disconnect_ms = 5\nmailbox=stable\r\nnosuch = 1\nmailbox\n";
        let wrong = apply_file(&mut options, text);
        assert_eq!(options.disconnect_ms, 5);
        assert_eq!(options.mailbox, super::super::MailboxKind::Stable);
        let lines: Vec<usize> = wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [5, 6]);
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        assert_eq!(read("/dev/null").unwrap_err(), "not a file");
        assert!(read("/nonexistent/conf").is_err());
    }
}
