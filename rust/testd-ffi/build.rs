//! Link settings of the C library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libspread_testd.so.0");
        // It owns threads.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
