//! What the README shows is true: its program compiles as it stands.

mod support;

use support::{Compile, Linkage, root};

#[test]
fn c_program_of_the_readme_compiles() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```c\n").unwrap();
    let (program, _) = rest.split_once("```").unwrap();
    Compile::new("hello")
        .source_text(program)
        .standard("c89")
        .strict()
        .linkage(Linkage::Shared)
        .build()
        .unwrap();
}

#[test]
fn files_that_the_readme_names_are_there() {
    for page in ["README.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let links = text.split("](").skip(1);
        let files: Vec<_> = links
            .filter_map(|rest| rest.split(')').next())
            .filter(|target| !target.contains("://"))
            .collect();
        assert!(!files.is_empty(), "{page}");
        for file in files {
            assert!(root().join(file).is_file(), "{page} names {file}");
        }
    }
}
