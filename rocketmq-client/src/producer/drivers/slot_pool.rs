use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::callback::CallbackSlot;

/// Boxes that move between threads together.
const CHUNK: usize = 32;

/// The largest number of chunks that wait for a thread.
const LIMIT: usize = 32;

/// Empty boxes: their memory is what the pool keeps.
type Boxes = Vec<Box<CallbackSlot>>;

/// Boxes of finished sends with callbacks, for reuse by all producers.
///
/// Such a send begins on one thread and ends on another. When one thread frees the memory of another, most allocators
/// take a lock, each time and on both threads; with the pool, threads meet once for a whole chunk.
static RETURNED: Mutex<Vec<Boxes>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: RefCell<Boxes> = const { RefCell::new(Vec::new()) };
}

/// An empty box.
pub(super) fn take() -> Box<CallbackSlot> {
    with_mine(|mine| {
        if mine.is_empty() {
            *mine = returned().pop()?;
        }
        mine.pop()
    })
    .unwrap_or_default()
}

/// Takes a box back, and drops its content.
pub(super) fn give_back(mut used: Box<CallbackSlot>) {
    // Before the pool is borrowed: dropping the content runs user code, which may send again.
    *used = CallbackSlot::default();
    with_mine(|mine| {
        mine.push(used);
        // Keep one chunk: a thread that both takes and returns boxes needs no exchange.
        if mine.len() >= 2 * CHUNK {
            let chunk = mine.split_off(CHUNK);
            let mut returned = returned();
            // Beyond the limit boxes are freed: a burst must not pin memory for ever.
            if returned.len() < LIMIT {
                returned.push(chunk);
            }
        }
        Some(())
    });
}

/// Calls `use_them` with this thread's boxes. `None` on a thread that is ending.
fn with_mine<T>(use_them: impl FnOnce(&mut Boxes) -> Option<T>) -> Option<T> {
    MINE.try_with(|mine| use_them(&mut *mine.try_borrow_mut().ok()?)).ok().flatten()
}

fn returned() -> MutexGuard<'static, Vec<Boxes>> {
    RETURNED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_that_was_given_back_is_used_again() {
        let first = take();
        let slot: *const CallbackSlot = &*first;
        give_back(first);
        assert!(std::ptr::eq(slot, &*take()));
    }

    #[test]
    fn a_burst_leaves_a_limited_number_of_boxes() {
        let burst: Vec<_> = (0..(LIMIT + 4) * CHUNK).map(|_| take()).collect();
        burst.into_iter().for_each(give_back);
        assert!(returned().len() <= LIMIT);
        assert!(with_mine(|mine| Some(mine.len())).is_some_and(|count| count < 2 * CHUNK));
        // Another thread finds them.
        let found = std::thread::spawn(|| {
            drop(take());
            with_mine(|mine| Some(mine.len()))
        });
        assert_eq!(found.join().unwrap(), Some(CHUNK - 1));
    }
}
