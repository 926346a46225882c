//! The window that a zstd frame declares costs no memory. Alone in its process, because it counts what the process
//! allocates.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::alloc::System;

use rocketmq_common::compression::{CompressionType, decompress};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LIMIT: usize = 1 << 20;
/// Twice the limit, doubled while it grows, and a block.
const BOMB_ALLOCATES: usize = 6 << 20;

/// A frame without content size, with blocks of 128 KiB that repeat a zero, and a last one of one byte.
fn frame(window: u8, blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, window];
    frame.extend([0x02, 0x00, 0x10, 0x00].repeat(blocks));
    frame.extend([0x09, 0x00, 0x00, b'x']);
    frame
}

#[test]
fn a_declared_window_is_not_allocated() {
    let allocated = |data: &[u8]| {
        let region = Region::new(ALLOCATOR);
        let result = decompress(CompressionType::Zstd, data, LIMIT).map_err(|error| error.to_string());
        (result, region.change().bytes_allocated)
    };
    // 2 MiB as Java declares at its usual level, and 128 MiB as at the highest: a short body is read all the same.
    for window in [0x58, 0x88] {
        let two = [frame(window, 0), frame(window, 0)].concat();
        let (result, bytes) = allocated(&two);
        assert_eq!(result.unwrap(), "xx");
        assert!(bytes < 128 << 10, "window {window:#x}: {bytes} bytes allocated");
        // Nor does a large window put off the limit.
        let (result, bytes) = allocated(&frame(window, 10_000));
        assert_eq!(result.unwrap_err(), "it inflates to more than 1048576 bytes");
        assert!(bytes < BOMB_ALLOCATES, "window {window:#x}: {bytes} bytes allocated");
    }
    // Up from 144 MiB: no encoder of RocketMQ's makes such frames.
    for window in [0x89, 0x90, 0xA0, 0xF8, 0xFF] {
        let (result, bytes) = allocated(&frame(window, 0));
        let error = result.unwrap_err();
        assert!(error.starts_with("it is no valid Zstd data: "), "window {window:#x}: {error}");
        assert!(bytes < 4 << 10, "window {window:#x}: {bytes} bytes allocated");
    }
}
