//! Frames captured from Apache RocketMQ 5.5.0, for tests.

use bytes::Bytes;

/// The captured bytes under `name` in `testdata/golden-5.5.0.hex`.
pub(crate) fn golden(name: &str) -> Bytes {
    let text = include_str!("../../testdata/golden-5.5.0.hex");
    let hex = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = hex.unwrap_or_else(|| panic!("no golden frame named {name}"));
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}
