//! `SP_error`, `SP_strerror`, `SP_version` and the scatter lookups, called from C as programs call
//! them.

mod support;

use support::{Compile, Linkage, Variant, root};

/// One file in `tests/c-pure`: the folder of the programs that need no daemon.
fn program(name: &str) -> support::Executable {
    compile(name, name, Linkage::Shared)
}

fn compile(as_name: &str, name: &str, linkage: Linkage) -> support::Executable {
    Compile::new(as_name)
        .source(root().join("tests/c-pure").join(format!("{name}.c")))
        .standard("c99")
        .strict()
        .flags(["-D_GNU_SOURCE"])
        .libs(["-lpthread"])
        .linkage(linkage)
        .variant(Variant::from_env())
        .build()
        .unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn errors_are_printed_in_order_with_the_programs_own_output() {
    let run = program("error_order").command().run();
    run.assert_success();
    assert_eq!(run.stdout_text(), expected_errors());
    assert_eq!(run.stderr_text(), "");
}

/// What `error_order` prints, from the recorded texts.
fn expected_errors() -> String {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/vectors/api-strerror.json")).expect("JSON");
    golden["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|case| {
            let (code, text) = (&case["code"], case["text"].as_str().expect("a text"));
            format!("before {code}\nSP_error: ({code}) {text}\nafter {text}\n")
        })
        .collect()
}

#[test]
fn membership_lookups_read_nothing_behind_the_message() {
    program("memb_bounds").command().run().assert_success();
}

#[test]
fn statically_linked_program_runs() {
    let run = compile("error_order_static", "error_order", Linkage::Static)
        .command()
        .run();
    run.assert_success();
    assert_eq!(run.stdout_text(), expected_errors());
}

#[test]
fn thread_can_be_cancelled_while_it_prints_an_error() {
    program("error_cancel").command().run().assert_success();
}
