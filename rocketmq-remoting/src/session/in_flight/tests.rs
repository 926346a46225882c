use std::time::Duration;

use super::*;

/// With names for callbacks; an answer is the id that it came with.
type Table = InFlightTable<&'static str, i32>;

/// A stream whose peer has just said something.
const NEWS: Progress = Progress { written: 1000, heard: 1000 };

fn poll(table: &mut Table, opaque: i32) -> Poll<Result<i32, CallEnd>> {
    table.poll(opaque, Waker::noop())
}

/// Whether there is a task that comes to take the answer.
fn answer(table: &mut Table, opaque: i32) -> bool {
    matches!(table.complete(opaque, || opaque), Matched::Kept(_))
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[test]
fn each_caller_gets_its_own_answer_whatever_the_order() {
    let mut table = Table::new(0);
    let ids: Vec<i32> = (0..1000).map(|_| table.insert(later(3), 0, Waiter::Nobody)).collect();
    for id in ids.iter().rev() {
        assert!(answer(&mut table, *id));
    }
    for id in ids {
        assert!(matches!(poll(&mut table, id), Poll::Ready(Ok(found)) if found == id));
    }
    assert!(table.is_empty());
}

#[test]
fn late_repeated_and_invented_answers_match_nobody() {
    let mut table = Table::new(7);
    assert!(!answer(&mut table, 7));
    let id = table.insert(later(3), 0, Waiter::Nobody);
    assert!(!answer(&mut table, id + 64));
    assert!(answer(&mut table, id));
    assert!(!answer(&mut table, id));
    assert!(poll(&mut table, id).is_ready());
    let next = table.insert(later(3), 0, Waiter::Nobody);
    table.cancel(next);
    assert!(!answer(&mut table, next));
    assert!(table.is_empty());
}

#[test]
fn ids_wrap_and_skip_slots_that_are_still_waiting() {
    let mut table = Table::new(i32::MAX - 1);
    let slow = table.insert(later(30), 0, Waiter::Nobody);
    let mut seen = vec![slow];
    for _ in 0..500 {
        let id = table.insert(later(3), 0, Waiter::Nobody);
        assert!(!seen.contains(&id), "a live id was given out twice");
        seen.push(id);
        assert!(answer(&mut table, id));
        assert!(poll(&mut table, id).is_ready());
    }
    assert!(seen.iter().any(|id| *id < 0), "the counter wrapped");
    assert!(answer(&mut table, slow));
    assert!(matches!(poll(&mut table, slow), Poll::Ready(Ok(_))));
}

#[test]
fn a_deadline_ends_its_own_entry_only() {
    let mut table = Table::new(0);
    let start = Instant::now();
    let short = table.insert(start + Duration::from_millis(10), 0, Waiter::Nobody);
    let long = table.insert(start + Duration::from_millis(50), 0, Waiter::Nobody);
    let mut told = Told::default();
    table.expire(start + Duration::from_millis(9), NEWS, &mut told);
    assert!(poll(&mut table, short).is_pending());
    table.expire(start + Duration::from_millis(10), NEWS, &mut told);
    assert_eq!(told.wakers.len(), 1);
    assert!(matches!(poll(&mut table, short), Poll::Ready(Err(CallEnd::DeadlinePassed))));
    assert!(poll(&mut table, long).is_pending());
    assert_eq!(table.earliest_deadline(), Some(start + Duration::from_millis(50)));
}

#[test]
fn the_end_of_a_connection_tells_what_the_peer_may_have_seen() {
    let mut table = Table::new(0);
    let sent = table.insert(later(3), 0, Waiter::Nobody);
    let begun = table.insert(later(3), 100, Waiter::Nobody);
    let unsent = table.insert(later(3), 200, Waiter::Nobody);
    table.end_all(101, &mut Told::default());
    for (id, written) in [(sent, true), (begun, true), (unsent, false)] {
        let end = CallEnd::ConnectionEnded { written };
        assert!(matches!(poll(&mut table, id), Poll::Ready(Err(found)) if found == end));
    }
}

#[test]
fn memory_of_a_burst_is_given_back() {
    let mut table = Table::new(0);
    let start = Instant::now();
    let ids: Vec<i32> = (0..10_000).map(|_| table.insert(start, 0, Waiter::Nobody)).collect();
    for id in ids {
        table.cancel(id);
    }
    table.expire(start, NEWS, &mut Told::default());
    assert_eq!(table.slots.len(), 0);
}

#[test]
fn a_callback_gets_its_outcome_and_leaves_no_entry() {
    let mut table = Table::new(0);
    let (now, mut told) = (Instant::now(), Told::default());
    let answered = table.insert(later(3), 0, Waiter::Callback("answered"));
    table.insert(now, 0, Waiter::Callback("late"));
    table.insert(later(3), 0, Waiter::Callback("written"));
    table.insert(later(3), 100, Waiter::Callback("unsent"));
    assert!(matches!(table.complete(answered, || answered), Matched::Callback("answered")));
    table.expire(now, NEWS, &mut told);
    table.end_all(100, &mut told);
    assert!(table.is_empty() && told.wakers.is_empty());
    let ended = |written| CallEnd::ConnectionEnded { written };
    let ends = [("late", CallEnd::DeadlinePassed), ("written", ended(true)), ("unsent", ended(false))];
    assert_eq!(told.callbacks, ends);
    assert!(!answer(&mut table, answered));
}

#[test]
fn answers_that_nobody_takes_leave_their_place_to_others() {
    let mut table = Table::new(0);
    for _ in 0..100 {
        let (taken, given_up) =
            (table.insert(later(3), 0, Waiter::Nobody), table.insert(later(3), 0, Waiter::Nobody));
        for opaque in [taken, given_up] {
            assert!(answer(&mut table, opaque));
        }
        table.cancel(given_up);
        assert!(matches!(poll(&mut table, taken), Poll::Ready(Ok(found)) if found == taken));
    }
    assert_eq!((table.answers.len(), table.len()), (2, 0));
}

#[test]
fn parked_requests_are_no_load_until_they_are_answered() {
    let mut table = Table::new(0);
    let held = later(15);
    let parked: Vec<i32> = (0..100).map(|_| table.park(later(30), 0, held, Waiter::Nobody)).collect();
    let prompt = table.insert(later(3), 0, Waiter::Nobody);
    assert_eq!((table.len(), table.load(), table.held_until()), (101, 1, Some(held)));
    assert!(answer(&mut table, parked[0]));
    assert_eq!(table.load(), 2, "an answer that waits for its task is load");
    assert!(poll(&mut table, parked[0]).is_ready());
    table.cancel(parked[1]);
    table.cancel(prompt);
    assert_eq!((table.len(), table.load()), (98, 0));
    table.expire(later(60), NEWS, &mut Told::default());
    assert_eq!((table.load(), table.held_until()), (98, None), "their tasks have yet to take the time-outs");
    table.park(later(30), 0, held, Waiter::Callback("poll"));
    table.end_all(0, &mut Told::default());
    assert_eq!((table.len(), table.load()), (98, 98));
}

#[test]
fn parked_requests_that_time_out_one_after_another_cost_four_sweeps_a_second() {
    let (mut table, start) = (Table::new(0), Instant::now());
    // The first deadlines are 30 s away, and there is one every 4 ms: 4,096 in 16 s.
    for place in 0..4096u64 {
        let deadline = start + Duration::from_millis(30_000 + 4 * place);
        table.park(deadline, 0, start, Waiter::Callback("poll"));
    }
    let (mut sweeps, mut told) = (0, Told::default());
    while let Some(due) = table.earliest_deadline() {
        table.expire(due, NEWS, &mut told);
        sweeps += 1;
    }
    assert_eq!((told.callbacks.len(), table.len()), (4096, 0));
    assert!(sweeps <= 4 * 17, "{sweeps} sweeps");
}

#[test]
fn a_time_out_is_silence_only_if_not_one_byte_came_since_its_frame_was_written() {
    let start = Instant::now();
    for (what, frame_start, written, heard, silent) in [
        ("not one byte", 100, 200, 100, true),
        ("nothing ever", 0, 200, 0, true),
        ("a byte after it was written", 100, 200, 200, false),
        ("a byte while it was being written", 100, 200, 150, false),
        ("it is not written yet", 200, 200, 100, false),
    ] {
        let progress = Progress { written, heard };
        let mut table = Table::new(0);
        table.insert(start, frame_start, Waiter::Nobody);
        assert_eq!(table.expire(start, progress, &mut Told::default()), silent, "{what}");
        let given_up = table.insert(start, frame_start, Waiter::Nobody);
        assert_eq!(table.abandon(given_up, start, progress), silent, "{what}: dropped at its deadline");
        let given_up = table.insert(start, frame_start, Waiter::Nobody);
        assert!(
            !table.abandon(given_up, start - Duration::from_secs(1), progress),
            "{what}: it had time left"
        );
        assert_eq!(table.expire(start, progress, &mut Told::default()), silent, "{what}: dropped before");
        assert!(!table.expire(start, progress, &mut Told::default()), "{what}: told once");
    }
}

#[test]
fn a_long_poll_that_was_given_up_does_not_hide_the_silence_of_later_requests() {
    let (start, silence) = (Instant::now(), Progress { written: 10, heard: 0 });
    let (soon, late) = (start + Duration::from_secs(3), start + Duration::from_secs(30));
    let mut table = Table::new(0);
    for deadline in [late, soon, late] {
        let given_up = table.insert(deadline, 0, Waiter::Nobody);
        assert!(!table.abandon(given_up, start, silence));
    }
    assert!(table.expire(soon, silence, &mut Told::default()));
}

#[test]
fn a_long_poll_that_ends_before_its_peer_had_to_answer_says_nothing() {
    let (start, silence) = (Instant::now(), Progress { written: 10, heard: 0 });
    let held_until = start + Duration::from_secs(15);
    for (deadline, silent) in [(start + Duration::from_secs(5), false), (held_until, true)] {
        let mut table = Table::new(0);
        table.park(deadline, 0, held_until, Waiter::Nobody);
        assert_eq!(table.expire(deadline + PARKED_SLACK, silence, &mut Told::default()), silent);
        let given_up = table.park(deadline, 0, held_until, Waiter::Nobody);
        assert_eq!(table.abandon(given_up, deadline, silence), silent);
    }
}
