//! Link settings of the C library: its soname, and no unloading (it owns a thread).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libspread.so.3");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
