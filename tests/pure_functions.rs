//! `SP_error`, `SP_strerror`, `SP_version` and the scatter lookups, called from C as programs call them.

mod support;

use support::{Compile, Variant, root};

/// One file in `tests/c-pure`: the folder of the programs that need no daemon.
fn program(name: &str) -> support::Executable {
    Compile::new(name)
        .source(root().join("tests/c-pure").join(format!("{name}.c")))
        .standard("c99")
        .strict()
        .flags(["-D_GNU_SOURCE"])
        .libs(["-lpthread"])
        .variant(Variant::from_env())
        .build()
        .unwrap_or_else(|e| panic!("{e:?}"))
}

#[test]
fn errors_are_printed_in_order_with_the_programs_own_output() {
    let run = program("error_order").command().run();
    run.assert_success();
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/vectors/api-strerror.json")).unwrap();
    let expected: String = golden["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let (code, text) = (&case["code"], case["text"].as_str().unwrap());
            format!("before {code}\nSP_error: ({code}) {text}\nafter {text}\n")
        })
        .collect();
    assert_eq!(run.stdout_text(), expected);
    assert_eq!(run.stderr_text(), "");
}

#[test]
fn thread_can_be_cancelled_while_it_prints_an_error() {
    program("error_cancel").command().run().assert_success();
}
