//! The tools of the C tests do what the tests trust them to do: a failing, hanging or leaking
//! program is seen as one.

mod support;

use std::time::{Duration, Instant};

use support::{Compile, Linkage, ProgramCommand, Variant, library};

fn program(name: &str, text: &str, variant: Variant) -> support::Executable {
    Compile::new(name)
        .source_text(text)
        .linkage(Linkage::Nothing)
        .variant(variant)
        .build()
        .unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn library_is_built_and_linked_under_every_classic_name() {
    let lib = library();
    assert!(lib.archive.is_file());
    for name in [
        "libspread.so",
        "libspread.so.3",
        "libspread-core.so.3",
        "libtspread-core.so.3",
    ] {
        let link = lib.dir.join(name);
        assert_eq!(
            link.canonicalize().unwrap(),
            lib.shared.canonicalize().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn output_input_and_exit_code_come_through() {
    let echo = program(
        "echo",
        "#include <stdio.h>\nint main(void) { int c; while ((c = getchar()) != EOF) putchar(c); fputs(\"err\", stderr); return 7; }",
        Variant::Plain,
    );
    let run = echo.command().input("one\ntwo\n").run();
    assert_eq!(run.code(), Some(7), "{}", run.report());
    assert_eq!(run.stdout_text(), "one\ntwo\n");
    assert_eq!(run.stderr_text(), "err");
    assert!(!run.success());
}

#[test]
fn hanging_program_and_its_children_are_killed_at_the_limit() {
    let hang = program(
        "hang",
        "#include <stdio.h>\n#include <unistd.h>\nint main(void) { pid_t child = fork(); if (child == 0) for (;;) pause(); printf(\"%d\\n\", child); fflush(stdout); for (;;) pause(); }",
        Variant::Plain,
    );
    let run = hang.command().limit(Duration::from_millis(300)).run();
    assert!(!run.in_time);
    assert_eq!(run.code(), None);
    let child = run.stdout_text().trim().to_owned();
    assert!(child.parse::<u32>().is_ok(), "{}", run.report());
    // It is whose child it falls to that takes note of its end, sooner or later.
    let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
    let is_over = || {
        state()
            .rsplit(") ")
            .next()
            .is_none_or(|s| s.is_empty() || s.starts_with('Z'))
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_over() {
        assert!(Instant::now() < deadline, "the child lives: {}", state());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn line_of_a_running_program_can_be_awaited() {
    let mut cat = ProgramCommand::new("cat").spawn();
    cat.write_line("first");
    assert_eq!(cat.wait_for_line(|l| l.starts_with("fir")), "first");
    cat.write_line("second");
    assert_eq!(cat.wait_for_line(|l| l == "second"), "second");
    cat.close_input();
    cat.finish().assert_success();
}

#[test]
fn compiler_errors_are_told() {
    let refused = Compile::new("refused")
        .source_text("int main(void) { return missing; }")
        .linkage(Linkage::SyntaxOnly)
        .build()
        .unwrap_err();
    assert!(refused.text().contains("missing"), "{refused:?}");
}

#[test]
fn sanitizer_and_valgrind_runs_find_memory_errors() {
    let overrun = "#include <stdlib.h>\nint main(int n, char **v) { char *p = malloc(4); (void)v; p[3 + n] = 1; n = p[3]; free(p); return n * 0; }";
    let leak = "#include <stdlib.h>\nstatic void f(void) { char *volatile p = malloc(4); p = 0; (void)p; }\nint main(void) { f(); return 0; }";
    for variant in [
        Variant::Sanitized("address,undefined".into()),
        Variant::Valgrind,
    ] {
        if !variant.is_available() {
            support::skip(format_args!("{variant:?} is not available here"));
            continue;
        }
        for (name, text) in [("overrun", overrun), ("leak", leak)] {
            let name = format!("{name}-{}", variant.slowdown());
            let run = program(&name, text, variant.clone()).command().run();
            assert_eq!(run.code(), Some(99), "{variant:?} {name}: {}", run.report());
        }
    }
}
