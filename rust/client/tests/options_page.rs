//! `docs/OPTIONS.md` is what the table of options says.

use std::fs;
use std::path::Path;

#[test]
fn the_page_is_that_of_the_present_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/OPTIONS.md");
    let fresh = spread_client::options_page();
    if std::env::var_os("UPDATE_HEADERS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        fresh == checked_in,
        "docs/OPTIONS.md does not fit the table of options. Run: make headers\n{fresh}"
    );
}
