//! Bodies that outlive the read buffer.

use bytes::Bytes;

/// Bytes that were read, in which frames lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadBytes {
    pub(crate) bytes: Bytes,
    /// The size of the memory that stays allocated while a part of the bytes is kept.
    pub(crate) memory: usize,
}

/// The body of an answer, kept after its frame is handed out.
///
/// It shares the read buffer's memory if it fills at least half of it; every body above 64 KiB does. Otherwise it is a
/// copy: a 64 KiB read buffer holds many small answers, and a single kept answer would pin all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptBody {
    bytes: Bytes,
    pinned: usize,
}

impl KeptBody {
    /// Keeps `body`, which lies in `memory` bytes shared by `bytes`.
    pub(super) fn new(body: &[u8], owner: Option<(&Bytes, usize)>) -> Self {
        match owner {
            Some((owner, memory)) if memory / 2 <= body.len() => {
                Self { bytes: owner.slice_ref(body), pinned: memory }
            }
            _ => Self { bytes: Bytes::copy_from_slice(body), pinned: body.len() },
        }
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body. A slice of it pins as much memory as the whole.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Bytes of memory that stay allocated while this body or a slice of it is kept. The whole memory counts for this
    /// body, even if another body lies in it. The sum over kept bodies is therefore at least the memory that they pin,
    /// and at most twice their length (plus one byte each).
    #[must_use]
    pub fn pinned(&self) -> usize {
        self.pinned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_shares_memory_that_it_fills_by_half_and_is_copied_otherwise() {
        let memory = Bytes::from(vec![7; 64 * 1024]);
        for (length, shared) in
            [(0, false), (1, false), (32 * 1024 - 1, false), (32 * 1024, true), (65_000, true)]
        {
            let body = &memory[100..(100 + length).min(memory.len())];
            let kept = KeptBody::new(body, Some((&memory, memory.len())));
            assert_eq!(kept.bytes(), body);
            assert_eq!(kept.pinned(), if shared { memory.len() } else { body.len() }, "{length}");
            assert_eq!(
                std::ptr::eq(kept.bytes().as_ptr(), body.as_ptr()),
                shared && !body.is_empty(),
                "{length}"
            );
        }
        assert_eq!(KeptBody::new(b"x", None).pinned(), 1, "memory of unknown size is not kept");
    }
}
