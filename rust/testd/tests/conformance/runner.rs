//! Runs cases and compares.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::world::{Setup, World};
use crate::{real, sim};

/// Real daemons are slow enough alone.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) fn run(name: &str, setup: Setup, case: fn(&mut World)) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/conformance")
        .join(format!("{name}.txt"));
    let mut differences = String::new();

    if let Some(program) = std::env::var_os("SPREAD_DAEMON") {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let program = PathBuf::from(program);
        let text = transcript(World::new(real::start(&program, setup)), case);
        if std::env::var_os("CONFORMANCE_RECORD").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        differences += &compare("the real daemon", &recorded(&path), &text);
    }
    let text = transcript(World::new(sim::start(setup)), case);
    differences += &compare("the simulated daemon", &recorded(&path), &text);
    assert!(differences.is_empty(), "case {name}:\n{differences}");
}

fn transcript(mut world: World, case: fn(&mut World)) -> String {
    case(&mut world);
    world.write_down();
    world.transcript.text().to_owned()
}

fn recorded(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lines from the first difference on, as far as they help.
fn compare(who: &str, expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) =
        (expected.lines().collect(), actual.lines().collect());
    let same = expected
        .iter()
        .zip(&actual)
        .take_while(|(e, a)| e == a)
        .count();
    if same == expected.len() && same == actual.len() {
        return String::new();
    }
    let before = &expected[same.saturating_sub(4)..same];
    let show = |sign: &str, lines: &[&str]| {
        let lines = lines.iter().skip(same).take(12);
        lines
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    let context: String = before.iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "{who} differs from line {}:\n{context}{}{}",
        same + 1,
        show("-", &expected),
        show("+", &actual)
    )
}

/// Declares a case as a test.
macro_rules! cases {
    ($($name:ident: $setup:expr => $case:ident;)*) => {
        // In a module of their own, since functions of these names are in this one.
        mod case {
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::runner::run(stringify!($name), $setup, super::$case);
                }
            )*
        }
    };
}
pub(crate) use cases;
