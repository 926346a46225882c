//! Waiting for several futures at once, and for work on a thread that may block.

use std::future::{Future, poll_fn};
use std::task::Poll;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// The output of the first future that is ready; removes it from the list. `None` for an empty list.
pub(crate) async fn first_ready<K, F: Future + Unpin>(waiting: &mut Vec<(K, F)>) -> Option<(K, F::Output)> {
    poll_fn(|cx| {
        if waiting.is_empty() {
            return Poll::Ready(None);
        }
        for place in 0..waiting.len() {
            if let Poll::Ready(output) = std::pin::Pin::new(&mut waiting[place].1).poll(cx) {
                return Poll::Ready(Some((waiting.swap_remove(place).0, output)));
            }
        }
        Poll::Pending
    })
    .await
}

/// The outputs of all futures, in the order in which they became ready.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| ((), Box::pin(future))).collect();
    let mut outputs = Vec::with_capacity(waiting.len());
    while let Some(((), output)) = first_ready(&mut waiting).await {
        outputs.push(output);
    }
    outputs
}

/// Runs long work on a thread of its own. Dropping the future cancels work that has not begun: a busy machine does no
/// work whose caller has gone.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    struct TakenBack<T>(JoinHandle<T>);

    impl<T> Drop for TakenBack<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    let mut running = TakenBack(spawn_blocking(work));
    (&mut running.0).await
}
