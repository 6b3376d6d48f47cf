//! The Everspread command: an embedded Spread network and small tools.

fn main() {}
