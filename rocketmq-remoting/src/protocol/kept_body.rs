//! Bodies that outlive the read buffer.

use bytes::Bytes;

/// Bytes that were read, in which frames lie.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadBytes {
    pub(crate) bytes: Bytes,
    /// The size of the memory that stays allocated while a part of the bytes is kept.
    pub(crate) memory: usize,
}

/// The body of an answer, to be kept for as long as needed.
///
/// It shares the memory of the read buffer if it fills at least half of that memory, as every body above 64 KiB does, and
/// is a copy otherwise: a read buffer of 64 KiB holds many small answers, and one of them would keep it whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptBody {
    bytes: Bytes,
    pinned: usize,
}

impl KeptBody {
    /// Keeps `body`, which lies in `memory` bytes that `bytes` share.
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

    /// The body. What is sliced from it pins as much as the whole.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Bytes of memory that stay allocated while this body, or a slice of it, is kept. They are all attributed to this
    /// body, even where another one lies in the same memory: the sum over kept bodies is never less than the memory
    /// that they keep, and at most twice their length (and one byte each).
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
