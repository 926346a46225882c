//! The book of a queue on virtual time.

use std::time::Duration;

use tokio::time::Instant;

use super::handle::TopicKind;
use super::{PopBook, PopHandle};

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
    assert!(run.book.extended(0, Some(second), run.at(40)).is_none());
    assert_eq!(run.sweep(79), (vec![], vec![]), "its time counts from when the request was sent");
    assert_eq!(run.sweep(80), (vec![0], vec![]));
    run.book.extended(0, None, run.at(80));
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
    for (answer, valid) in [(Some(PopHandle { pop_time: 40_500, ..handle(0) }), 40_500), (None, 1_000)] {
        let mut run = Run::new(1);
        run.sweep(40);
        assert!(run.book.finish(0).is_none(), "which handle is valid is not known yet");
        assert_eq!((run.book.acking(), run.book.unacknowledged()), (1, 1));
        let ack = run.book.extended(0, answer, run.at(40)).unwrap();
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
    run.book.extended(1, Some(handle(1)), run.at(40));
    run.book.extended(2, Some(handle(2)), run.at(40));
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
