//! Tests of the command as a user sees it.
#![cfg(unix)]

#[cfg(test)]
mod client;
#[cfg(test)]
mod testd;
