use proptest::prelude::*;

use super::*;
use crate::testdata;

const READABLE: [CompressionType; 3] = [CompressionType::Lz4, CompressionType::Zstd, CompressionType::Zlib];

/// The compressions that this build can write.
fn writable() -> impl Iterator<Item = CompressionType> {
    READABLE.into_iter().filter(|kind| cfg!(feature = "zstd") || *kind != CompressionType::Zstd)
}

/// Words in an order that looks random, with a foreign byte after one in `noise` of them.
fn text(len: usize, noise: u32) -> Vec<u8> {
    const WORDS: [&str; 6] = ["rocket ", "broker ", "queue ", "offset ", "message ", "topic\n"];
    let (mut out, mut x) = (Vec::new(), 12_345u32);
    while out.len() < len {
        x = x.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7FFF_FFFF;
        out.extend_from_slice(WORDS[(x >> 16) as usize % 6].as_bytes());
        if noise != 0 && (x >> 8) % noise == 0 {
            out.push((x >> 20) as u8);
        }
    }
    out.truncate(len);
    out
}

/// A body and a frame of it as another program wrote it.
fn foreign(name: &str) -> (Vec<u8>, Vec<u8>) {
    let frames = testdata::parse(include_str!("../../testdata/zstd.hex"));
    let body = match name.split('_').next().unwrap() {
        "text" => text(3_000, 5),
        "mid" => text(12_000, 9),
        "long" => [&text(300_000, 0)[..140_000], &text(150_000, 997)].concat(),
        "zeros" => vec![0; 300_000],
        "one" => b"x".to_vec(),
        _ => Vec::new(),
    };
    (body, frames[name].clone())
}

const FOREIGN: [&str; 10] = [
    "text_1",
    "text_3",
    "text_19",
    "text_no_checksum",
    "mid_3",
    "mid_19",
    "long_19",
    "zeros_3",
    "one_3",
    "empty_3",
];

#[test]
fn frames_of_the_zstd_tool_are_read() {
    for name in FOREIGN {
        let (body, frame) = foreign(name);
        assert_eq!(decompress(CompressionType::Zstd, &frame, body.len()).unwrap(), body, "{name}");
    }
}

#[test]
fn zstd_frames_behind_each_other_are_one_body() {
    let (text, mut data) = foreign("text_3");
    data.extend_from_slice(&[0x5F, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9]);
    data.extend_from_slice(&foreign("mid_19").1);
    let body = decompress(CompressionType::Zstd, &data, 15_000).unwrap();
    assert_eq!(body, [text, foreign("mid_19").0].concat());
}

#[test]
fn a_zstd_frame_has_the_size_that_it_declares() {
    let mut data = foreign("one_3").1;
    assert_eq!(data[4..6], [0x24, 1]);
    data[5] = 2;
    let error = decompress(CompressionType::Zstd, &data, 100).unwrap_err();
    assert!(error.to_string().ends_with("its content has another size than declared"), "{error}");
}

#[test]
fn the_checksum_of_a_zstd_frame_is_looked_at() {
    let (_, mut frame) = foreign("text_3");
    *frame.last_mut().unwrap() ^= 1;
    let error = decompress(CompressionType::Zstd, &frame, 3_000).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
#[cfg(not(feature = "zstd"))]
fn zstd_without_its_feature_says_which_one() {
    let error = compress(CompressionType::Zstd, b"hello", DEFAULT_LEVEL).unwrap_err();
    assert_eq!(error.to_string(), "Zstd compression is not built in; enable the cargo feature `zstd`");
}

#[test]
fn a_body_of_exactly_the_limit_is_inflated_and_one_more_byte_is_not() {
    let body = text(10_000, 7);
    for kind in writable() {
        let data = compress(kind, &body, DEFAULT_LEVEL).unwrap();
        assert_eq!(decompress(kind, &data, body.len()).unwrap(), body);
        let limit = body.len() - 1;
        assert_eq!(decompress(kind, &data, limit), Err(DecompressError::TooLarge { limit }), "{kind:?}");
    }
    let (body, frame) = foreign("mid_19");
    let limit = body.len() - 1;
    assert_eq!(decompress(CompressionType::Zstd, &frame, limit), Err(DecompressError::TooLarge { limit }));
}

#[test]
fn a_body_that_is_cut_short_anywhere_is_an_error() {
    let frames = writable().map(|kind| (kind, compress(kind, &text(600, 5), 9).unwrap().to_vec()));
    for (kind, frame) in frames.chain([(CompressionType::Zstd, foreign("text_19").1)]) {
        for end in 0..frame.len() {
            let error = decompress(kind, &frame[..end], 3_000).unwrap_err();
            assert!(!matches!(error, DecompressError::TooLarge { .. }), "{kind:?} at {end}: {error}");
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    for kind in writable() {
        let data = compress(kind, &zeros, 9).unwrap();
        assert!(data.len() < 64 << 10);
        assert_eq!(decompress(kind, &data, 1 << 20), Err(DecompressError::TooLarge { limit: 1 << 20 }));
    }
    // A frame without declared size: blocks of 128 KiB of zeros that are four bytes each.
    let mut data = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    data.extend([0x02, 0x00, 0x10, 0x00].repeat(1_000));
    let error = decompress(CompressionType::Zstd, &data, 1 << 20);
    assert_eq!(error, Err(DecompressError::TooLarge { limit: 1 << 20 }));
}

#[test]
fn a_zstd_block_cannot_grow_beyond_what_blocks_may_hold() {
    // One byte of literals that is repeated by matches of 65,539 + n bytes, at an offset of 1, three times.
    let block: &[u8] = &[
        0x08, 0x00, // one raw literal
        0x03, 0x54, // three sequences, all three tables of one symbol
        0x01, 0x00, 0x34, // one literal, offset code 0, match code 52
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
    ];
    let mut data = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    data.extend_from_slice(&((block.len() as u32) << 3 | 5).to_le_bytes()[..3]);
    data.extend_from_slice(block);
    let error = decompress(CompressionType::Zstd, &data, 16 << 20).unwrap_err();
    assert_eq!(error.to_string(), "it is no valid Zstd data: a block is broken");
}

#[test]
fn a_zstd_match_does_not_reach_into_the_frame_before() {
    let mut data = foreign("one_3").1;
    data.extend_from_slice(&[0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58, 0x45, 0x00, 0x00]);
    // The literal `y`, then three bytes at an offset of two, of which the frame has only one.
    data.extend_from_slice(&[0x08, b'y', 0x01, 0x54, 0x01, 0x02, 0x00, 0x05]);
    let error = decompress(CompressionType::Zstd, &data, 100).unwrap_err();
    assert_eq!(error.to_string(), "it is no valid Zstd data: a block is broken");
    // At an offset of one it is a match of what is there.
    let end = data.len();
    data[end - 1] = 0x04;
    assert_eq!(decompress(CompressionType::Zstd, &data, 100).unwrap(), "xyyyy");
}

#[test]
fn declared_sizes_allocate_nothing() {
    // zstd: a window of 2^41 bytes and a content of 2^62, then nothing.
    let zstd = [0x28, 0xB5, 0x2F, 0xFD, 0xC0, 0xF8, 0, 0, 0, 0, 0, 0, 0, 0x40];
    let limit = usize::MAX >> 1;
    assert_eq!(decompress(CompressionType::Zstd, &zstd, limit), Err(DecompressError::Truncated));
    // A content of 2^40 in one segment, which is its own window.
    let zstd = [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 1, 0, 0];
    assert_eq!(decompress(CompressionType::Zstd, &zstd, limit), Err(DecompressError::Truncated));
    for limit in [9, 1 << 30] {
        assert_eq!(decompress(CompressionType::Zstd, &zstd, limit), Err(DecompressError::TooLarge { limit }));
    }
    // A content of 1 MiB is refused before its first block.
    let zstd = [0x28, 0xB5, 0x2F, 0xFD, 0x80, 0x58, 0, 0, 0x10, 0];
    assert_eq!(decompress(CompressionType::Zstd, &zstd, 9), Err(DecompressError::TooLarge { limit: 9 }));
    // LZ4: blocks of 4 MiB, and a block that says it has 2 GiB.
    let mut lz4 = compress(CompressionType::Lz4, b"x", 0).unwrap().to_vec();
    lz4[7..11].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
    assert_eq!(decompress(CompressionType::Lz4, &lz4, limit), Err(DecompressError::Truncated));
}

proptest! {
    #[test]
    fn every_body_survives(words in 0usize..3_000, noise in 0u32..9, tail: Vec<u8>, level in -1i32..30) {
        let body = [text(words, noise), tail].concat();
        for kind in writable() {
            let data = compress(kind, &body, level).unwrap();
            prop_assert_eq!(&decompress(kind, &data, body.len()).unwrap()[..], &body[..]);
        }
    }

    #[test]
    fn any_bytes_are_a_body_or_an_error(data: Vec<u8>, limit in 0usize..5_000) {
        for (kind, magic) in READABLE.into_iter().zip([&[4, 0x22, 0x4D, 0x18][..], &[0x28, 0xB5, 0x2F, 0xFD], &[0x78]]) {
            for data in [data.clone(), [magic, &data].concat()] {
                if let Ok(body) = decompress(kind, &data, limit) {
                    prop_assert!(body.len() <= limit);
                }
            }
        }
    }

    #[test]
    fn a_frame_with_changed_bytes_is_a_body_or_an_error(
        name in prop::sample::select(&FOREIGN[..6]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (_, mut frame) = foreign(name);
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Ok(body) = decompress(CompressionType::Zstd, &frame, 20_000) {
            prop_assert!(body.len() <= 20_000);
        }
    }
}

#[test]
fn an_inflated_body_keeps_no_more_memory_than_its_length() {
    for kind in writable() {
        for len in [1, 512, 65_536, 100_000] {
            let body = decompress(kind, &compress(kind, &vec![b'x'; len], 5).unwrap(), len).unwrap();
            let memory = body.try_into_mut().unwrap();
            assert_eq!(memory.capacity(), len, "{kind:?}");
        }
    }
}
