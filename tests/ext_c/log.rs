//! What the library says, and where: warnings go to standard error, once each.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::{
    Executable, Finished, ProgramCommand, Variant, library, scaled, scratch, skip,
};
use crate::{command, compile, compile_with, places};

const MANY_GROUPS: &str =
    "everspread: warning: a 5.0.1 daemon delivers a message to more than 43 groups to nobody";

/// Runs the program that gives cause for warnings.
fn says(environment: &[(&str, &str)]) -> Finished {
    static EXECUTABLE: OnceLock<Executable> = OnceLock::new();
    let executable = EXECUTABLE.get_or_init(|| compile("says"));
    let mut command = command(executable, places::embedded());
    for (variable, value) in environment {
        command.env(variable, value);
    }
    let run = command.run();
    run.assert_success();
    run
}

#[test]
fn warnings_go_to_standard_error_once_each() {
    let options = ("SPREAD_OPTIONS", "nosuch=1&disconnect_ms=x&mailbox=stable");
    let run = says(&[options]);
    let text = run.stderr_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(
        lines[0],
        "everspread: warning: SPREAD_OPTIONS: there is no option \"nosuch\""
    );
    assert_eq!(
        lines[1],
        "everspread: warning: SPREAD_OPTIONS: disconnect_ms cannot be \"x\"; it takes 0 to 60000"
    );
    assert!(lines[2].starts_with(MANY_GROUPS), "{text}");
}

#[test]
fn a_mailbox_that_cannot_be_had_is_said_once() {
    let run = says(&[("SPREAD_OPTIONS", "mailbox=socket&failover=auto")]);
    let text = run.stderr_text();
    let expected = "everspread: warning: mailbox=socket cannot be had together with failover=auto; \
                    mailbox=stable is taken";
    assert_eq!(text.lines().next(), Some(expected), "{text}");
    assert_eq!(text.matches("mailbox=socket").count(), 1, "{text}");
}

#[test]
fn the_log_can_be_switched_off() {
    let run = says(&[("SPREAD_LOG", "off"), ("SPREAD_OPTIONS", "nosuch=1")]);
    assert_eq!(run.stderr_text(), "");
}

#[test]
fn a_bad_level_is_said_and_warnings_stay_on() {
    let run = says(&[("SPREAD_LOG", "loud")]);
    let text = run.stderr_text();
    assert!(text.contains("SPREAD_LOG cannot be \"loud\""), "{text}");
    assert!(text.contains(MANY_GROUPS), "{text}");
}

#[test]
fn a_file_takes_the_log_and_is_appended_to() {
    let file = scratch("file").join("client.log");
    fs::write(&file, "before\n").unwrap();
    let path = file.to_str().unwrap();
    let run = says(&[("SPREAD_LOG_FILE", path), ("SPREAD_LOG", "info")]);
    assert_eq!(run.stderr_text(), "");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "before");
    assert!(lines.len() > 1, "{text}");
    for line in &lines[1..] {
        // 2026-11-24T12:40:11Z everspread[4711]: warning: ...
        assert_eq!(line.as_bytes().get(10), Some(&b'T'), "{line}");
        assert!(line[20..].starts_with(" everspread["), "{line}");
    }
    assert_eq!(text.matches("delivers a message").count(), 1, "{text}");
}

#[test]
fn a_file_that_cannot_be_opened_is_said() {
    let run = says(&[("SPREAD_LOG_FILE", "/nonexistent/log")]);
    let text = run.stderr_text();
    assert!(
        text.contains("SPREAD_LOG_FILE: /nonexistent/log:"),
        "{text}"
    );
    assert!(text.contains(MANY_GROUPS), "{text}");
}

#[test]
fn nothing_is_written_to_a_mailbox_with_the_number_of_standard_error() {
    let run = says(&[("CLOSE_STDERR", "1")]);
    assert_eq!(run.stderr_text(), "");
}

#[test]
fn a_file_of_options_that_is_wrong_is_said_with_its_lines() {
    let file = scratch("conf").join("client.conf");
    fs::write(&file, "mailbox = stable\nmailbox = round\n").unwrap();
    let path = file.to_str().unwrap();
    let run = says(&[("SPREAD_CLIENT_CONF", path)]);
    let text = run.stderr_text();
    let expected = format!("everspread: warning: {path}, line 2: mailbox cannot be \"round\"");
    assert!(text.starts_with(&expected), "{text}");
}

/// Any user but the one who runs the test.
const SOMEBODY: u32 = 65_534;

#[test]
fn set_uid_programs_do_not_look_at_the_environment() {
    if Variant::from_env() != Variant::Plain {
        skip("a set-uid program, which cannot be looked into");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("says");
    let executable = compile_with(
        "says",
        "says-set-uid",
        &["-Wl,-rpath", &format!("-Wl,{}", folder.path().display())],
    );
    fs::copy(executable.path(), &program).unwrap();
    // The loader does not look at LD_LIBRARY_PATH then either.
    fs::copy(&library().shared, folder.path().join("libspread.so.3")).unwrap();
    if chown(&program, Some(SOMEBODY), None).is_err() {
        skip("a set-uid program, as only root can make one");
        return;
    }
    let log = folder.path().join("log");
    for (mode, expected) in [(0o755, true), (0o4755, false)] {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let run = ProgramCommand::new(&program)
            .args(places::embedded().names())
            .env("SPREAD_OPTIONS", "nosuch=1")
            .env("SPREAD_LOG_FILE", &log)
            .run();
        run.assert_success();
        // With the variables the warning is in the file; without, only the other one is said.
        assert_eq!(log.exists(), expected, "mode {mode:o}");
        assert_eq!(
            run.stderr_text().contains("44"),
            !expected,
            "{}",
            run.report()
        );
        assert!(!run.stderr_text().contains("nosuch"), "{}", run.report());
        let _ = fs::remove_file(&log);
    }
}

fn stays() -> &'static Executable {
    static EXECUTABLE: OnceLock<Executable> = OnceLock::new();
    EXECUTABLE.get_or_init(|| compile("stays"))
}

#[test]
fn figures_are_written_as_lines_of_json() {
    let file = scratch("stats").join("stats.jsonl");
    let mut command = command(stays(), places::embedded());
    command.env("SPREAD_STATS_MS", "10");
    command.env("SPREAD_STATS_FILE", &file);
    let mut program = command.spawn();
    program.wait_for_line(|line| line == "ready");
    let end = Instant::now() + scaled(Duration::from_secs(20));
    let lines = loop {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        // The last one may not be whole yet.
        if lines.len() > 3 {
            break lines;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::yield_now();
    };
    program.close_input();
    program.finish().assert_success();
    for (at, line) in lines[..lines.len() - 1].iter().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["mailbox"].is_i64(), "{line}");
        assert_eq!(line["state"], "open", "{line}");
        assert!(
            line["daemon"].as_str().is_some_and(|d| !d.is_empty()),
            "{line}"
        );
        assert!(line["waiting_bytes"].is_u64(), "{line}");
        assert_eq!(line["messages_in_per_s"].is_u64(), at > 0, "{line}");
    }
}

#[test]
fn the_cause_of_a_loss_is_guessed() {
    let mut slow = command(stays(), places::embedded()).spawn();
    let mut quick = command(stays(), places::embedded()).spawn();
    slow.wait_for_line(|line| line == "ready");
    quick.wait_for_line(|line| line == "ready");
    // Nobody reads for it now.
    slow.signal(libc::SIGSTOP);
    quick.write_line("flood 5000");
    quick.wait_for_line(|line| line == "flooded");
    slow.signal(libc::SIGCONT);
    slow.write_line("receive");
    let line = slow.wait_for_line(|line| line.contains("messages, then"));
    assert!(line.contains("then -8: the daemon at "), "{line}");
    assert!(line.contains("probably dropped as a slow reader"), "{line}");
    slow.close_input();
    quick.close_input();
    let said = slow.finish().stderr_text();
    assert!(said.contains("probably dropped as a slow reader"), "{said}");
    quick.finish().assert_success();
}
