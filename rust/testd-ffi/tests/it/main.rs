//! The header, and C programs that use it.

#[cfg(test)]
mod header;
#[cfg(test)]
mod program;
