//! The public headers: generated from the present sources, clean in every dialect, and in all that
//! a program can see of them equal to the classic ones.

mod abi;
mod generate;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::fs;

use abi::{C_DIALECTS, CXX_DIALECTS, require};
use generate::{HEADERS, generate};
use support::{Compile, Language, Linkage, include_dir};

/// Set to write the generated headers instead of comparing them.
const UPDATE: &str = "UPDATE_HEADERS";

/// The headers that a program may include.
const PUBLIC: [&str; 5] = ["sp.h", "sp_func.h", "sp_events.h", "fl.h", "sp_ext.h"];

/// Compiles a source text in every dialect, warnings being errors.
fn accepted_in_every_dialect(name: &str, text: &str) {
    let c = C_DIALECTS.map(|dialect| (Language::C, dialect));
    let cxx = CXX_DIALECTS.map(|dialect| (Language::Cxx, dialect));
    for (language, dialect) in c.into_iter().chain(cxx) {
        Compile::new(format!("{name}-{dialect}"))
            .language(language)
            .standard(dialect)
            .strict()
            .linkage(Linkage::SyntaxOnly)
            .source_text(text)
            .build()
            .unwrap_or_else(|e| panic!("{name} in {dialect}: {e:?}"));
    }
}

#[test]
fn generated_headers_are_those_of_the_present_sources() {
    for header in &HEADERS {
        let path = include_dir().join(header.file);
        let fresh = generate(header);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&path, &fresh).unwrap();
        }
        let checked_in = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            fresh == checked_in,
            "include/{} does not fit rust/c. Run: {UPDATE}=1 cargo test --test headers\n{fresh}",
            header.file
        );
    }
}

#[test]
fn each_header_compiles_alone_and_twice() {
    for header in PUBLIC {
        let once = format!("#include <{header}>\n");
        accepted_in_every_dialect(&format!("alone-{header}"), &once);
        accepted_in_every_dialect(&format!("twice-{header}"), &once.repeat(2));
    }
}

#[test]
fn headers_compile_in_any_order() {
    for first in 0..PUBLIC.len() {
        for second in 0..PUBLIC.len() {
            let rest = (0..PUBLIC.len()).filter(|i| *i != first && *i != second);
            let text: String = [first, second]
                .into_iter()
                .chain(rest)
                .map(|i| format!("#include \"{}\"\n", PUBLIC[i]))
                .collect();
            accepted_in_every_dialect(&format!("order-{first}{second}"), &text);
        }
    }
}

#[test]
fn constants_have_the_classic_values_and_types() {
    let constants = abi::constants();
    assert_eq!(constants.len(), 67);
    for header in ["sp.h", "sp_events.h", "fl.h"] {
        let mut text = format!("#include <{header}>\n");
        let mut typed = text.clone();
        for constant in constants.iter().filter(|c| c.header == header) {
            let (name, value) = (constant.name, constant.value);
            require(&mut text, &format!("{name} == {value}"));
            // As an operand: a replacement list without parentheses would bind otherwise.
            if i32::try_from(value.saturating_mul(2)).is_ok() || i32::try_from(value).is_err() {
                require(&mut text, &format!("1 - {name} * 2 == {}", 1 - value * 2));
            }
            // Where the preprocessor decides.
            let _ = writeln!(text, "#if {name} != {value}\n#error {name}\n#endif");
            let kind = if i32::try_from(value).is_ok() {
                "int"
            } else {
                "unsigned int"
            };
            let _ = writeln!(
                typed,
                "_Static_assert(_Generic({name}, {kind}: 1, default: 0), \"{name}\");"
            );
        }
        // The value of ENDIAN_RESERVED is unsigned, and so is what is computed with it.
        let text = text.replace(
            "1 - ENDIAN_RESERVED * 2 == -4294967551",
            "ENDIAN_RESERVED > 0",
        );
        accepted_in_every_dialect(&format!("constants-{header}"), &text);
        Compile::new(format!("constant-types-{header}"))
            .standard("c11")
            .strict()
            .linkage(Linkage::SyntaxOnly)
            .source_text(typed)
            .build()
            .unwrap();
    }
}

#[test]
fn wrong_constant_is_refused() {
    let mut text = "#include <sp.h>\n".to_owned();
    require(&mut text, "MAX_GROUP_NAME == 33");
    let refused = Compile::new("wrong-constant")
        .linkage(Linkage::SyntaxOnly)
        .source_text(text)
        .build()
        .unwrap_err();
    assert!(refused.text().contains("negative"), "{refused:?}");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn types_have_the_classic_layout() {
    let mut text = "#include <sp.h>\n".to_owned();
    for (name, size, align, fields) in abi::LAYOUTS {
        require(&mut text, &format!("sizeof({name}) == {size}"));
        let number = text.lines().count();
        let _ = writeln!(text, "struct align_{number} {{ char before; {name} at; }};");
        require(
            &mut text,
            &format!("offsetof(struct align_{number}, at) == {align}"),
        );
        for (field, offset, size) in fields {
            require(&mut text, &format!("offsetof({name}, {field}) == {offset}"));
            require(
                &mut text,
                &format!("sizeof((({name} *)0)->{field}) == {size}"),
            );
        }
    }
    for (name, tag) in abi::TAGS {
        let _ = writeln!(
            text,
            "extern {name} same_{tag};\nextern struct {tag} same_{tag};"
        );
    }
    // Signed and unsigned parts; and the macros that must stay macros.
    require(&mut text, "(mailbox)-1 < 0 && (service)-1 < 0");
    text.push_str(
        "extern unsigned int16 two_bytes; extern unsigned int32 four_bytes;\n\
         #if !defined(int16) || !defined(int32)\n#error int16 and int32 are macros\n#endif\n",
    );
    accepted_in_every_dialect("layout", &text);
}

#[test]
fn classic_prototypes_can_be_declared_again() {
    let prototypes = abi::prototypes();
    assert_eq!(prototypes.len(), 67);
    let mut text = "#include <fl.h>\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n".to_owned();
    for prototype in &prototypes {
        let _ = writeln!(text, "{}", prototype.declaration());
    }
    text.push_str("#ifdef __cplusplus\n}\n#endif\n");
    accepted_in_every_dialect("again", &text);
}

#[test]
fn prototype_of_another_type_is_refused() {
    for (i, wrong) in [
        "void SP_error(long);",
        "int SP_equal_group_ids(const group_id *, group_id);",
        "int SP_get_vs_set_members(const char *, const vs_set_info *, char **, int);",
        "int SP_get_vs_set_members(const char *, vs_set_info *, char (*)[32], int);",
    ]
    .iter()
    .enumerate()
    {
        let refused = Compile::new(format!("other-type-{i}"))
            .linkage(Linkage::SyntaxOnly)
            .source_text(format!("#include <sp.h>\n{wrong}\n"))
            .build()
            .unwrap_err();
        assert!(refused.text().contains("conflicting types"), "{refused:?}");
    }
}

#[test]
fn every_classic_function_is_declared() {
    for header in ["sp.h", "sp_events.h", "fl.h"] {
        let mut text = format!("#include <{header}>\ntypedef void (*any)(void);\n");
        for prototype in abi::prototypes() {
            let is_here = prototype.header == header
                || header == "fl.h"
                || header == "sp.h" && prototype.header != "fl.h";
            if is_here {
                let name = prototype.name;
                let _ = writeln!(
                    text,
                    "any use_{name}(void);\nany use_{name}(void) {{ return (any){name}; }}"
                );
            }
        }
        accepted_in_every_dialect(&format!("declared-{header}"), &text);
    }
}

#[test]
fn type_macros_look_at_the_right_bits() {
    let mut text = "#include <stdio.h>\n#include <fl.h>\nint main(void)\n{\n".to_owned();
    let mut expected = String::new();
    for kind in abi::types_to_try() {
        for test in abi::TYPE_TESTS {
            let name = test.name;
            // The argument's own operator binds weaker than the macro's: parentheses are needed
            // inside.
            let _ = writeln!(
                text,
                "    printf(\"{name} {kind:#x} %#x\\n\", (unsigned){name}((service)0 | (service){kind:#x}u));"
            );
            let _ = writeln!(expected, "{name} {kind:#x} {}", c_hex((test.gives)(kind)));
        }
    }
    text.push_str("    return 0;\n}\n");
    let run = Compile::new("type-macros")
        .standard("c99")
        .strict()
        .linkage(Linkage::Nothing)
        .source_text(text)
        .build()
        .unwrap()
        .command()
        .run();
    run.assert_success();
    assert_eq!(run.stdout_text(), expected);
}

/// As `%#x` prints it.
fn c_hex(value: u32) -> String {
    if value == 0 {
        "0".to_owned()
    } else {
        format!("{value:#x}")
    }
}

#[test]
fn flip_macros_swap_bytes() {
    let mut text =
        "#include <stdio.h>\n#include <sp.h>\nint main(void)\n{\n    int16 s;\n    int32 i;\n"
            .to_owned();
    let mut expected = String::new();
    for value in [0, 1, 0x1234, 0x7fff, -1, -2, i16::MIN, 0x80] {
        let _ = writeln!(
            text,
            "    s = {value}; s = (int16)Flip_int16(s); printf(\"%d\\n\", s);"
        );
        let _ = writeln!(expected, "{}", value.swap_bytes());
    }
    for value in [0, 1, 0x1234_5678, i32::MAX, -1, -2, i32::MIN, 0x80] {
        // The smallest number cannot be written as a negated literal.
        let _ = writeln!(
            text,
            "    i = (int32){:#x}u; i = (int32)Flip_int32(i); printf(\"%d\\n\", i);",
            value.cast_unsigned()
        );
        let _ = writeln!(expected, "{}", value.swap_bytes());
    }
    text.push_str("    return 0;\n}\n");
    let sanitized = support::Variant::Sanitized("undefined".into());
    for variant in [support::Variant::Plain, sanitized] {
        if !variant.is_available() {
            support::skip(format_args!("{variant:?} is not available here"));
            continue;
        }
        let run = Compile::new(format!("flip-macros-{}", variant.slowdown()))
            .standard("c99")
            .linkage(Linkage::Nothing)
            .variant(variant)
            .source_text(&text)
            .build()
            .unwrap()
            .command()
            .run();
        run.assert_success();
        assert_eq!(run.stdout_text(), expected);
    }
}

#[test]
fn cxx_program_links() {
    let run = Compile::new("cxx-links")
        .language(Language::Cxx)
        .standard("c++17")
        .strict()
        .source_text(
            "#include <sp.h>\n#include <cstring>\nint main()\n{\n    int a, b, c;\n    group_id g = {{1, 2, 3}};\n    \
             return SP_version(&a, &b, &c) == 1 && a == 5 && SP_equal_group_ids(g, g) == 1\n        \
             && !std::strcmp(SP_strerror(ILLEGAL_TIME), \"Illegal time.\") ? 0 : 1;\n}\n",
        )
        .build()
        .unwrap()
        .command()
        .run();
    run.assert_success();
}
