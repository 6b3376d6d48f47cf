//! Values of a trace.

use std::ffi::c_int;

use serde_json::Value;

use crate::library::Row;

pub(crate) fn row(name: &str) -> Row {
    let mut row = [0; 32];
    row[..name.len().min(31)].copy_from_slice(&name.as_bytes()[..name.len().min(31)]);
    row
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

pub(crate) fn int(value: i64) -> c_int {
    c_int::try_from(value).unwrap_or_else(|_| u32::try_from(value).expect("32 bits").cast_signed())
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Bits, written as a hexadecimal number.
pub(crate) fn bits(value: &Value) -> i64 {
    let digits = text(value).trim_start_matches("0x");
    i64::from_str_radix(digits, 16).unwrap_or(-1)
}

pub(crate) fn bytes_of(event: &Value) -> Vec<u8> {
    let once = unhex(text(&event["hex"]));
    once.repeat(
        event["repeat"]
            .as_u64()
            .map_or(1, |n| usize::try_from(n).expect("small")),
    )
}

/// A body: bytes in hex, or a run of them.
pub(crate) fn body_of(value: &Value) -> Vec<u8> {
    match value.as_str() {
        Some(digits) => unhex(digits),
        None => bytes_of(value),
    }
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
