use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics::ConsumerMeter;

/// Declares each counter once: the field of [`ConsumerStats`], the counter behind it, and what adds to it.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident / $add:ident $(=> $metered:ident)?,)+) => {
        /// The work of a consumer since its start. Counters never go back.
        #[derive(Debug, Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct ConsumerStats {
            $($(#[doc = $doc])+ pub $name: u64,)+
            /// Handlers that run now.
            pub in_flight: u64,
            /// Messages that are pulled and not finished.
            pub cached_count: u64,
            /// Bytes of memory that they pin.
            pub cached_bytes: u64,
            /// Trace records that were dropped, because too many waited or their message was not stored.
            pub trace_dropped_count: u64,
        }

        /// The counters behind [`ConsumerStats`].
        #[derive(Debug, Default)]
        pub(crate) struct ConsumerRecorder {
            $($name: AtomicU64,)+
            meter: ConsumerMeter,
        }

        impl ConsumerRecorder {
            $(
                #[doc = concat!("Adds to `", stringify!($name), "`.")]
                pub(crate) fn $add(&self, count: u64) {
                    self.$name.fetch_add(count, Ordering::Relaxed);
                    $(self.meter.$metered(count);)?
                }
            )+

            /// The counters as they are; what only the caller knows is 0.
            pub(crate) fn snapshot(&self) -> ConsumerStats {
                ConsumerStats {
                    $($name: self.$name.load(Ordering::Relaxed),)+
                    ..ConsumerStats::default()
                }
            }
        }
    };
}

counters! {
    /// Answers of brokers that held messages.
    pull_count / pulled,
    /// Messages that were received and decoded, filtered ones included.
    received_count / received,
    /// Bytes of their records.
    received_bytes / received_bytes_of,
    /// Messages that the tag filter, or a hook, took out.
    filtered_count / filtered,
    /// Records that could not be decoded.
    undecodable_count / undecodable,
    /// Messages that a listener or a stream has finished with success.
    consume_success_count / succeeded => succeeded,
    /// Messages that come again later: failures, panics and time-outs included.
    consume_failure_count / failed => failed,
    /// Messages that went to the dead letter topic.
    dead_letter_count / dead_lettered => dead_lettered,
    /// Panics of the listener.
    panic_count / panicked,
    /// Handlers that were over their time.
    timeout_count / timed_out,
    /// Messages that were stored for another delivery.
    send_back_count / sent_back => sent_back,
    /// Attempts to store a message for another delivery that failed.
    send_back_failure_count / send_back_failed,
    /// Offsets that were committed, one for each queue and time.
    commit_count / committed,
    /// Commits that failed; the next commit repeats them.
    commit_failure_count / commit_failed,
    /// Positions that moved because the broker had other offsets, or by a reset.
    offset_moved_count / offset_moved,
    /// Answers to pops that held messages.
    pop_count / popped,
    /// Popped messages that a broker knows to be done.
    ack_count / acked,
    /// Acknowledgements that a broker refused or did not answer; acknowledgements without an answer are repeated.
    ack_failure_count / ack_failed,
    /// Messages that were done when they were visible again already, by the clock of this client: they come again.
    late_ack_count / acked_late,
    /// How often a popped message was hidden for longer.
    extend_count / extended,
    /// Popped messages that were visible again before a handler began.
    lapsed_count / lapsed,
    /// Popped messages that were given back without a handler.
    hand_back_count / handed_back,
    /// Rebalances that ran.
    rebalance_count / rebalanced => rebalanced,
}

impl ConsumerRecorder {
    /// `group` is the label of the metrics.
    pub(crate) fn new(group: &str) -> Self {
        Self { meter: ConsumerMeter::new(group), ..Self::default() }
    }

    /// Tells the metrics that `count` handlers ran for `took` together.
    pub(crate) fn handled(&self, count: usize, took: Duration) {
        let each = took / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        (0..count).for_each(|_| self.meter.handled(each));
    }

    /// Tells the metrics what only a look at all queues shows.
    pub(crate) fn looked(&self, cached_count: u64, cached_bytes: u64, lag: i64) {
        self.meter.looked(cached_count, cached_bytes, lag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_counts_for_itself() {
        let recorder = ConsumerRecorder::new("g");
        recorder.succeeded(3);
        recorder.succeeded(1);
        recorder.failed(2);
        let stats = recorder.snapshot();
        assert_eq!((stats.consume_success_count, stats.consume_failure_count, stats.pull_count), (4, 2, 0));
    }
}
