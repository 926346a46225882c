use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most empty boxes that are kept on either side.
const LIMIT: usize = 1024;

/// Boxes whose values are gone, for the next ones.
///
/// A send with a callback begins on one thread and ends on another. Most allocators take a lock for what one thread
/// allocates and another frees, each time and on both threads; here the two meet once for many.
#[derive(Debug)]
pub(super) struct Spare<T> {
    /// For those who begin.
    ready: Boxes<T>,
    /// From those who end.
    returned: Boxes<T>,
}

type Boxes<T> = Mutex<Vec<Box<Option<T>>>>;

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self { ready: Mutex::default(), returned: Mutex::default() }
    }
}

impl<T> Spare<T> {
    /// Puts a value into a box.
    pub(super) fn boxed(&self, value: T) -> Box<Option<T>> {
        match self.take() {
            Some(mut empty) => {
                *empty = Some(value);
                empty
            }
            None => Box::new(Some(value)),
        }
    }

    /// Takes a box back, and drops what is in it.
    pub(super) fn give_back(&self, mut used: Box<Option<T>>) {
        // Not under the lock: dropping runs foreign code.
        *used = None;
        let mut returned = lock(&self.returned);
        if returned.len() < LIMIT {
            returned.push(used);
        }
    }

    fn take(&self) -> Option<Box<Option<T>>> {
        let mut ready = lock(&self.ready);
        if ready.is_empty() {
            std::mem::swap(&mut *ready, &mut *lock(&self.returned));
        }
        ready.pop()
    }
}

fn lock<T>(boxes: &Boxes<T>) -> MutexGuard<'_, Vec<Box<Option<T>>>> {
    boxes.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_box_that_was_given_back_is_used_again_and_its_value_is_gone() {
        let (spare, value) = (Spare::default(), Arc::new(1));
        let first = spare.boxed(value.clone());
        let place: *const Option<Arc<i32>> = &*first;
        spare.give_back(first);
        assert_eq!(Arc::strong_count(&value), 1);
        let second = spare.boxed(Arc::new(2));
        assert!(std::ptr::eq(place, &*second));
        assert_eq!(second.as_deref(), Some(&2));
    }

    #[test]
    fn a_burst_leaves_no_more_than_so_many_boxes() {
        let spare = Spare::default();
        let burst: Vec<_> = (0..LIMIT + 10).map(|number| spare.boxed(number)).collect();
        burst.into_iter().for_each(|used| spare.give_back(used));
        assert_eq!(lock(&spare.returned).len(), LIMIT);
    }
}
