//! The book of a queue on virtual time.

use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;

use super::handle::TopicKind;
use super::{Ack, Extended, PopBook, PopHandle};

fn handle(offset: i64) -> PopHandle {
    let (pop_time, invisible, revive_queue) = (1_000, 60_000, 3);
    PopHandle { start: 0, pop_time, invisible, revive_queue, kind: TopicKind::Own, queue_id: 0, offset }
}

/// A book with messages that were popped at the beginning.
struct Run {
    began: Instant,
    book: PopBook,
}

impl Run {
    fn new(count: i64) -> Self {
        let began = Instant::now();
        let mut book = PopBook::new(began);
        (0..count).for_each(|number| book.add(number, handle(number), began));
        Self { began, book }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.began + Duration::from_secs(seconds)
    }

    /// Ends a request to hide a message for a minute.
    fn extended(&mut self, number: i64, ended: Extended, sent: u64) -> Option<Ack> {
        self.book.extended(number, ended, self.at(sent), Duration::from_secs(60))
    }

    /// Which messages are to be hidden for longer, and which are visible again.
    fn sweep(&mut self, seconds: u64) -> (Vec<i64>, Vec<i64>) {
        let swept = self.book.sweep(self.at(seconds), |_| true);
        (swept.extend.into_iter().map(|(number, _)| number).collect(), swept.lapsed)
    }
}

#[test]
fn a_message_is_hidden_for_longer_after_two_thirds_of_its_time_and_once_with_each_handle() {
    let mut run = Run::new(1);
    let swept = run.book.sweep(run.at(39), |_| true);
    assert_eq!((swept.extend.len(), swept.next), (0, Some(run.at(40))));
    assert_eq!(run.sweep(40), (vec![0], vec![]));
    assert_eq!(run.sweep(45), (vec![], vec![]), "its answer is awaited");
    let second = PopHandle { pop_time: 41_000, ..handle(0) };
    assert!(run.extended(0, Extended::To(second), 40).is_none());
    assert_eq!(run.sweep(79), (vec![], vec![]), "its time counts from when the request was sent");
    assert_eq!(run.sweep(80), (vec![0], vec![]));
    run.extended(0, Extended::Unknown, 80);
    assert_eq!(run.sweep(81), (vec![], vec![]), "without an answer the handle may be used up");
    assert_eq!(run.sweep(100), (vec![], vec![0]));
}

#[test]
fn a_message_is_not_hidden_for_longer_when_the_request_could_come_too_late() {
    let mut run = Run::new(1);
    assert_eq!(run.sweep(50), (vec![], vec![]));
    assert_eq!(run.sweep(49), (vec![], vec![]), "that holds for this handle");
    assert_eq!(run.sweep(60), (vec![], vec![0]));
}

#[test]
fn a_message_that_ends_while_it_is_extended_is_acknowledged_by_the_handle_that_is_valid_then() {
    let second = PopHandle { pop_time: 40_500, ..handle(0) };
    for (answer, valid) in
        [(Extended::To(second), 40_500), (Extended::Unknown, 1_000), (Extended::Unsent, 1_000)]
    {
        let mut run = Run::new(1);
        run.sweep(40);
        assert!(run.book.finish(0).is_none(), "which handle is valid is not known yet");
        assert_eq!((run.book.acking(), run.book.unacknowledged()), (1, 1));
        assert_eq!(run.book.may_extend(0, run.at(40)), None, "it is finished");
        let ack = run.extended(0, answer, 40).unwrap();
        assert_eq!(ack.handle.pop_time, valid);
        run.book.acked(1);
        assert_eq!((run.book.acking(), run.book.unacknowledged()), (0, 0));
    }
}

#[test]
fn what_is_given_up_is_not_acknowledged_and_comes_again_by_itself_when_its_time_is_over() {
    let mut run = Run::new(3);
    assert_eq!(run.book.give_up(0, run.at(10)), Some(handle(0)));
    assert!(run.book.finish(0).is_none());
    assert_eq!(run.book.give_up(1, run.at(60)), None);
    assert!(run.book.finish(2).is_some());
    assert!(run.book.finish(2).is_none(), "a message ends once");
    assert_eq!(run.book.acking(), 1);
}

#[test]
fn a_release_gives_up_what_is_open_and_no_request_is_under_way_for() {
    let mut run = Run::new(4);
    run.book.finish(0);
    run.sweep(40);
    run.extended(1, Extended::To(handle(1)), 40);
    run.extended(2, Extended::To(handle(2)), 40);
    let given_up = run.book.give_up_all(run.at(41), |number| number != 2);
    assert_eq!(given_up.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1]);
    assert_eq!(run.book.unacknowledged(), 3);
}

#[test]
fn an_answer_that_lagged_behind_others_was_popped_earlier() {
    let mut run = Run::new(0);
    let second = Duration::from_secs(1);
    let book = &mut run.book;
    let received = run.began + 10 * second;
    assert_eq!(book.popped_at(500_000, run.began, received), received, "the first answer is a quick answer");
    // Popped 20 s later by the broker's clock, and received 50 s later by ours.
    let received = run.began + 60 * second;
    assert_eq!(book.popped_at(520_000, run.began, received), run.began + 30 * second);
    assert_eq!(book.popped_at(520_000, run.began + 40 * second, received), run.began + 40 * second);
}

#[test]
fn an_ordered_message_is_hidden_for_longer_in_time_though_its_handle_counts_from_the_pop() {
    let mut run = Run::new(1);
    for extension in 1..10 {
        let at = 40 * extension;
        assert_eq!(run.sweep(at - 1), (vec![], vec![]));
        assert_eq!(run.sweep(at), (vec![0], vec![]), "extension {extension}");
        assert_eq!(run.book.may_extend(0, run.at(at)), Some(run.at(at + 20)));
        // The broker keeps the time of the pop, and answers how long the message is hidden from then on.
        let invisible = i64::try_from(at + 60).unwrap() * 1_000;
        run.extended(0, Extended::To(PopHandle { invisible, ..handle(0) }), at);
        assert_eq!(run.book.live_until(0, run.at(at)), Some(run.at(at + 60)));
    }
    let ack = run.book.finish(0).unwrap();
    assert_eq!((ack.handle.pop_time, ack.handle.invisible), (1_000, 420_000), "the numbers of the broker");
}

#[test]
fn a_handle_that_may_be_used_up_is_for_acknowledgements_alone() {
    let mut run = Run::new(3);
    run.sweep(40);
    (0..3).for_each(|number| assert!(run.extended(number, Extended::Unknown, 40).is_none()));
    assert_eq!(run.book.give_up(0, run.at(41)), None);
    assert_eq!(run.book.finish(1).map(|ack| ack.handle), Some(handle(1)));
    assert_eq!(run.book.give_up_all(run.at(41), |_| true).len(), 0);
    assert_eq!(run.book.unacknowledged(), 1);
}

#[test]
fn a_request_that_waits_for_its_turn_is_not_sent_when_it_would_come_too_late() {
    let mut run = Run::new(1);
    run.sweep(40);
    assert_eq!(run.book.may_extend(0, run.at(49)), Some(run.at(60)), "its answer counts until then");
    assert_eq!(run.book.may_extend(0, run.at(50)), None);
    run.extended(0, Extended::Unsent, 50);
    assert_eq!(run.sweep(52), (vec![], vec![]));
    assert_eq!(run.book.give_up(0, run.at(52)), Some(handle(0)), "its handle is valid yet");
}

#[test]
fn a_request_that_was_not_sent_is_repeated_a_second_later_or_in_time() {
    let mut short = PopBook::new(Instant::now());
    let now = Instant::now();
    short.add(0, PopHandle { invisible: 6_000, ..handle(0) }, now);
    let due = now + Duration::from_secs(4);
    assert_eq!(short.sweep(due, |_| true).extend.len(), 1);
    short.extended(0, Extended::Unsent, due, Duration::from_secs(6));
    assert_eq!(short.sweep(due, |_| true).next, Some(due + Duration::from_millis(500)));
    let mut run = Run::new(1);
    run.sweep(40);
    run.extended(0, Extended::Unsent, 42);
    let swept = run.book.sweep(run.at(42), |_| true);
    assert_eq!((swept.extend.len(), swept.next), (0, Some(run.at(43))));
    assert_eq!(run.sweep(43), (vec![0], vec![]));
}

#[test]
fn in_order_what_was_popped_behind_a_message_whose_time_is_over_comes_again_too() {
    let mut run = Run::new(4);
    run.book = run.book.in_order();
    assert_eq!(run.sweep(40), (vec![0, 1, 2, 3], vec![]));
    for number in [0, 2, 3] {
        run.extended(number, Extended::To(handle(number)), 40);
    }
    run.extended(1, Extended::Unknown, 40);
    assert!(run.book.may_begin(2, run.at(49)));
    assert_eq!(run.sweep(60), (vec![], vec![1, 2, 3]), "the broker hands 1 out, and 2 and 3 after it");
    assert!(run.book.may_begin(0, run.at(60)));
    assert!(!run.book.may_begin(2, run.at(60)) && !run.book.may_begin(3, run.at(60)));
    run.book.add(4, handle(4), run.at(60));
    assert!(run.book.may_begin(4, run.at(60)), "what is popped later has its order");
}

#[test]
fn in_order_no_handler_begins_what_cannot_be_hidden_for_longer_any_more() {
    let mut run = Run::new(2);
    assert!(run.book.may_begin(0, run.at(59)), "without an order it may come twice");
    run.book = run.book.in_order();
    assert!(run.book.may_begin(0, run.at(49)));
    assert!(!run.book.may_begin(0, run.at(50)));
    assert!(!run.book.may_begin(1, run.at(49)), "it comes after the first");
    assert_eq!(run.sweep(49), (vec![], vec![0, 1]));
}

#[test]
fn the_end_of_an_ownership_tells_whoever_waits_for_an_acknowledgement() {
    let mut run = Run::new(3);
    let mut told: Vec<_> = (0..3).map(|number| run.book.watch(number).unwrap()).collect();
    let ack = run.book.finish(0).unwrap();
    run.sweep(40);
    assert!(run.book.finish(1).is_none());
    run.book.end();
    assert!(told.remove(0).try_recv().is_err_and(|error| error == TryRecvError::Empty), "it is on its way");
    assert!(told.iter_mut().all(|told| told.try_recv() == Err(TryRecvError::Closed)));
    assert!(ack.waiter.is_some());
    assert!(run.extended(1, Extended::Unsent, 40).is_some(), "the broker learns of it all the same");
}
