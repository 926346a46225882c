use proptest::collection::vec;
use proptest::prelude::*;
use rocketmq_common::MessageQueue;

use super::*;
use crate::consumer::window::{Generation, Generations};

fn queue(broker: &str) -> MessageQueue {
    MessageQueue::new("Orders", broker, 0)
}

/// A table with a queue that was taken at the committed offset 10.
fn owned() -> (CommitTable, MessageQueue, Generation) {
    let (mut table, queue, generation) = (CommitTable::default(), queue("a"), Generations::default().next());
    table.own(queue.clone(), generation, 10, Some(10));
    (table, queue, generation)
}

fn due(table: &mut CommitTable) -> Vec<(String, i64)> {
    let due = table.take_due(|_| true);
    let mut due: Vec<_> = due
        .iter()
        .flat_map(|(broker, commits)| commits.iter().map(|commit| (broker.to_string(), commit.offset)))
        .collect();
    due.sort();
    due
}

#[test]
fn only_what_changed_is_sent_broker_by_broker() {
    let (mut table, a, generation) = owned();
    let b = queue("b");
    table.own(b.clone(), generation, 5, Some(5));
    assert_eq!(due(&mut table), []);
    table.advance(&a, generation, 12);
    table.advance(&b, generation, 6);
    assert_eq!(due(&mut table), [("a".to_owned(), 12), ("b".to_owned(), 6)]);
}

#[test]
fn a_position_that_was_chosen_is_committed() {
    let (mut table, queue, generation) = (CommitTable::default(), queue("a"), Generations::default().next());
    table.own(queue, generation, 7, None);
    assert_eq!(due(&mut table), [("a".to_owned(), 7)]);
}

#[test]
fn a_commit_of_the_user_and_another_are_not_in_flight_together() {
    let (mut table, queue, generation) = owned();
    table.lost(&queue, generation);
    let old = table.take_due_of(&queue, generation).unwrap();
    assert_eq!(table.choose(&queue, generation, 15), None, "the broker could carry out the other one later");
    table.acknowledged(&old);
    let by_hand = table.choose(&queue, generation, 15).unwrap();
    table.lost(&queue, generation);
    assert_eq!(due(&mut table), []);
    table.failed(&by_hand);
    let by_hand = table.choose(&queue, generation, 15).expect("whether it was answered or dropped");
    table.acknowledged(&by_hand);
    assert_eq!((table.committed(&queue), due(&mut table)), (Some(15), vec![]));
}

#[test]
fn a_queue_that_the_user_moved_before_its_offset_was_known_is_committed_by_the_user_alone() {
    let (mut table, queue, generation) = (CommitTable::default(), queue("a"), Generations::default().next());
    table.go_on(&queue, generation);
    table.advance(&queue, generation, 12);
    assert_eq!((table.committed(&queue), due(&mut table)), (None, vec![]));
    let by_hand = table.choose(&queue, generation, 7).unwrap();
    table.acknowledged(&by_hand);
    assert_eq!((table.committed(&queue), due(&mut table)), (Some(7), vec![]));
}

#[test]
fn a_commit_that_failed_stays_dirty() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.advance(&queue, generation, 13);
    assert_eq!(due(&mut table), [], "one commit of a queue is in flight at a time");
    table.failed(&commit);
    let again = table.take_due_of(&queue, generation).unwrap();
    assert_eq!(again.offset, 13);
    table.acknowledged(&again);
    assert_eq!((table.committed(&queue), due(&mut table)), (Some(13), vec![]));
}

#[test]
fn an_offset_never_falls_within_a_generation() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    table.advance(&queue, generation, 3);
    assert_eq!(due(&mut table), [("a".to_owned(), 12)]);
}

#[test]
fn a_reset_begins_a_generation_and_waits_for_the_commit_in_flight() {
    let generations = Generations::default();
    let (mut table, queue) = (CommitTable::default(), queue("a"));
    let (old, new) = (generations.next(), generations.next());
    table.own(queue.clone(), old, 10, Some(10));
    table.advance(&queue, old, 12);
    let before = table.take_due_of(&queue, old).unwrap();
    table.own(queue.clone(), new, 3, None);
    assert_eq!(table.take_due_of(&queue, new), None, "the broker might carry out the older commit last");
    table.acknowledged(&before);
    table.advance(&queue, old, 50);
    assert_eq!(table.take_due_of(&queue, new).unwrap().offset, 3);
}

#[test]
fn nothing_follows_the_commit_of_the_release() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    let LastCommit::Send(last) = table.release(&queue, generation) else { panic!() };
    assert_eq!(last.offset, 12);
    table.advance(&queue, generation, 20);
    table.acknowledged(&last);
    assert_eq!(due(&mut table), []);
    assert_eq!(table.ride(&queue, generation), None);
    assert_eq!(table.release(&queue, generation), LastCommit::Clean);
    assert_eq!(table.forget(&queue, generation), None, "the broker has it");
}

#[test]
fn the_release_waits_for_the_commit_in_flight() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.advance(&queue, generation, 14);
    assert_eq!(table.release(&queue, generation), LastCommit::AfterAnswer);
    table.acknowledged(&commit);
    let LastCommit::Send(last) = table.release(&queue, generation) else { panic!() };
    table.failed(&last);
    assert_eq!(table.forget(&queue, generation), Some(14), "a report names it as uncommitted");
}

#[test]
fn a_released_queue_that_was_taken_again_is_not_forgotten() {
    let generations = Generations::default();
    let (mut table, queue) = (CommitTable::default(), queue("a"));
    let (old, new) = (generations.next(), generations.next());
    table.own(queue.clone(), old, 10, Some(10));
    table.own(queue.clone(), new, 20, Some(20));
    assert_eq!(table.release(&queue, old), LastCommit::Clean);
    assert_eq!(table.forget(&queue, old), None);
    table.advance(&queue, new, 21);
    assert_eq!(due(&mut table), [("a".to_owned(), 21)]);
}

#[test]
fn an_offset_that_rode_on_a_pull_is_committed_by_its_answer() {
    let (mut table, queue, generation) = owned();
    assert_eq!(table.ride(&queue, generation), None, "nothing to commit");
    table.advance(&queue, generation, 12);
    assert_eq!(table.ride(&queue, generation), Some(12));
    table.rode(&queue, generation, 12);
    assert_eq!(due(&mut table), []);
}

#[test]
fn a_pull_that_may_have_taken_a_commit_back_makes_the_offset_dirty() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 11);
    assert_eq!(table.ride(&queue, generation), Some(11));
    table.advance(&queue, generation, 12);
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.acknowledged(&commit);
    assert_eq!(due(&mut table), [], "the pull is under way");
    table.rode(&queue, generation, 11);
    assert_eq!(table.ride(&queue, generation), Some(12), "its answer comes last");
    table.advance(&queue, generation, 13);
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.acknowledged(&commit);
    let LastCommit::Send(last) = table.release(&queue, generation) else { panic!("once more") };
    table.acknowledged(&last);
    assert_eq!(table.release(&queue, generation), LastCommit::Clean);
}

#[test]
fn an_offset_that_the_broker_has_lost_is_committed_again() {
    let (mut table, queue, generation) = owned();
    table.lost(&queue, generation);
    assert_eq!(due(&mut table), [("a".to_owned(), 10)]);
}

#[test]
fn nothing_rides_while_a_commit_is_in_flight() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    table.take_due(|_| true);
    assert_eq!(table.ride(&queue, generation), None);
}

#[test]
fn what_a_broker_knows_after_a_reconnect_is_ours_older_or_a_reset() {
    let (mut table, queue, generation) = owned();
    for offset in [12, 15] {
        table.advance(&queue, generation, offset);
        let commit = table.take_due_of(&queue, generation).unwrap();
        table.acknowledged(&commit);
    }
    assert_eq!(table.read_back(&queue, generation, 15), Some(ReadBack::Ours));
    assert_eq!(table.read_back(&queue, generation, 4), Some(ReadBack::Foreign));
    assert_eq!(table.read_back(&queue, generation, 99), Some(ReadBack::Foreign));
    assert_eq!(due(&mut table), []);
    assert_eq!(table.read_back(&queue, generation, 12), Some(ReadBack::Older));
    assert_eq!(due(&mut table), [("a".to_owned(), 15)], "the broker gets it again");
}

#[test]
fn an_offset_without_an_answer_is_not_the_word_of_another() {
    let (mut table, queue, generation) = owned();
    // A broker without an offset of the queue takes 12 with a pull, and its answer is lost; then it takes a commit without an answer.
    table.lost(&queue, generation);
    table.advance(&queue, generation, 12);
    assert_eq!(table.ride(&queue, generation), Some(12));
    assert_eq!(table.read_back(&queue, generation, 12), Some(ReadBack::Ours));
    table.advance(&queue, generation, 14);
    assert_eq!(table.ride(&queue, generation), Some(14));
    assert_eq!(table.read_back(&queue, generation, 12), Some(ReadBack::Older));
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.failed(&commit);
    table.lost(&queue, generation);
    table.advance(&queue, generation, 17);
    assert_eq!(table.read_back(&queue, generation, 14), Some(ReadBack::Older));
    assert_eq!(table.read_back(&queue, generation, 9), Some(ReadBack::Foreign));
    assert_eq!(due(&mut table), [("a".to_owned(), 17)]);
}

#[test]
fn an_offset_of_long_ago_is_a_reset() {
    for (intervals, verdict) in [(7, ReadBack::Older), (8, ReadBack::Foreign)] {
        let (mut table, queue, generation) = owned();
        for offset in 11..11 + intervals {
            table.advance(&queue, generation, offset);
            assert_eq!(table.ride(&queue, generation), Some(offset));
            table.rode(&queue, generation, offset);
            assert_eq!(due(&mut table), [], "an interval ends");
        }
        assert_eq!(table.read_back(&queue, generation, 10), Some(verdict), "{intervals}");
    }
}

#[test]
fn a_commit_of_the_user_whose_answer_is_lost_is_repeated() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    let by_hand = table.choose(&queue, generation, 15).unwrap();
    table.failed(&by_hand);
    assert_eq!(table.read_back(&queue, generation, 10), Some(ReadBack::Older));
    assert_eq!(due(&mut table), [("a".to_owned(), 15)], "12 is not sent over it");
}

#[test]
fn an_offset_is_sent_once_more_when_an_earlier_owner_knows_that_it_is_none() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 12);
    for interval in 1..=30 {
        let sent = due(&mut table);
        // The first interval ends with the commit itself.
        let expected = if [1, 12].contains(&interval) { vec![("a".to_owned(), 12)] } else { Vec::new() };
        assert_eq!(sent, expected, "{interval}");
        if !sent.is_empty() {
            table.acknowledged(&Commit { queue: queue.clone(), generation, offset: 12 });
        }
    }
}

#[test]
fn an_offset_of_before_a_seek_is_not_sent_once_more() {
    let (mut table, queue, _) = owned();
    table.go_on(&queue, Generations::default().next());
    assert!((0..30).all(|_| due(&mut table).is_empty()));
}

#[test]
fn a_lower_offset_of_the_user_may_be_lost_for_an_earlier_one() {
    let (mut table, queue, generation) = owned();
    table.advance(&queue, generation, 20);
    let commit = table.take_due_of(&queue, generation).unwrap();
    table.acknowledged(&commit);
    assert_eq!(due(&mut table), []);
    let lower = table.choose(&queue, generation, 5).unwrap();
    table.acknowledged(&lower);
    assert_eq!(table.read_back(&queue, generation, 20), Some(ReadBack::Older));
    assert_eq!(table.committed(&queue), None);
    assert_eq!(due(&mut table), [("a".to_owned(), 5)]);
}

/// What a driver may do with one queue.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Advance(i64),
    Send,
    /// The broker takes the commit in flight; the answer is lost, or arrives.
    Arrive {
        answered: bool,
    },
    /// The commit in flight never arrives.
    Lose,
    Reset(i64),
    Stale(i64),
    Release,
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        6 => (0..100_i64).prop_map(Doing::Advance),
        4 => Just(Doing::Send),
        4 => any::<bool>().prop_map(|answered| Doing::Arrive { answered }),
        2 => Just(Doing::Lose),
        1 => (0..100_i64).prop_map(Doing::Reset),
        1 => (0..100_i64).prop_map(Doing::Stale),
        1 => Just(Doing::Release),
    ]
}

proptest! {
    #[test]
    fn a_broker_sees_offsets_rise_but_for_resets_and_none_after_the_release(history in vec(doing(), 0..80)) {
        let generations = Generations::default();
        let (mut table, queue) = (CommitTable::default(), queue("a"));
        let stale = generations.next();
        let mut generation = generations.next();
        table.own(queue.clone(), generation, 0, Some(0));
        let (mut value, mut broker, mut floor) = (0, 0, 0);
        let mut flying: Option<Commit> = None;
        let (mut released, mut last_sent) = (false, false);
        for doing in history {
            match doing {
                Doing::Advance(offset) => {
                    if !released { value = value.max(offset); }
                    table.advance(&queue, generation, offset);
                }
                Doing::Stale(offset) => table.advance(&queue, stale, offset),
                Doing::Send if !released => {
                    if let Some(commit) = table.take_due_of(&queue, generation) {
                        prop_assert!(flying.is_none(), "one at a time");
                        prop_assert_eq!(commit.offset, value);
                        flying = Some(commit);
                    }
                }
                Doing::Send => prop_assert!(table.take_due(|_| true).is_empty()),
                Doing::Arrive { answered } => if let Some(commit) = flying.take() {
                    if commit.generation == generation {
                        prop_assert!(commit.offset >= floor, "never falls within a generation");
                        floor = commit.offset;
                    }
                    broker = commit.offset;
                    if answered { table.acknowledged(&commit) } else { table.failed(&commit) }
                },
                Doing::Lose => if let Some(commit) = flying.take() { table.failed(&commit) },
                Doing::Reset(target) => if !released {
                    generation = generations.next();
                    (value, floor) = (target, 0);
                    table.own(queue.clone(), generation, target, None);
                },
                Doing::Release => {
                    released = true;
                    if let LastCommit::Send(commit) = table.release(&queue, generation) {
                        prop_assert!(flying.is_none());
                        prop_assert_eq!(commit.offset, value);
                        flying = Some(commit);
                        last_sent = true;
                    }
                }
            }
        }
        if let Some(commit) = flying.take() {
            broker = commit.offset;
            table.acknowledged(&commit);
        }
        if !last_sent {
            if let LastCommit::Send(commit) = table.release(&queue, generation) {
                broker = commit.offset;
                table.acknowledged(&commit);
            }
            prop_assert_eq!(broker, value, "the next owner begins where this one ended");
        }
        prop_assert!(table.take_due(|_| true).is_empty());
    }
}

#[test]
fn what_a_reset_replaced_is_not_the_word_of_another() {
    let (generations, mut table, queue) = (Generations::default(), CommitTable::default(), queue("a"));
    let (first, second, third) = (generations.next(), generations.next(), generations.next());
    table.own(queue.clone(), first, 10, Some(10));
    table.advance(&queue, first, 20);
    let commit = table.take_due_of(&queue, first).unwrap();
    table.acknowledged(&commit);
    // Both positions are set anew, and no broker has taken the second.
    table.own(queue.clone(), second, 5, None);
    let refused = table.take_due_of(&queue, second).unwrap();
    table.failed(&refused);
    for ours in [5, 20] {
        assert_ne!(table.read_back(&queue, second, ours), Some(ReadBack::Foreign), "{ours}");
    }
    assert_eq!(table.read_back(&queue, second, 3), Some(ReadBack::Foreign));
    table.own(queue.clone(), third, 2, None);
    assert_eq!(table.read_back(&queue, third, 20), Some(ReadBack::Older), "the first may still be there");
    let taken = table.take_due_of(&queue, third).unwrap();
    table.acknowledged(&taken);
    assert_eq!(table.read_back(&queue, third, 20), Some(ReadBack::Foreign), "another set it since");
}
