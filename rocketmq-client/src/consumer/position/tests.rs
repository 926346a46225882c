use tokio::time::{Duration, Instant};

use super::*;

const BOUNDS: Bounds = Bounds { min: 5, max: 90 };

fn rule(from: StartFrom) -> StartRule {
    StartRule { from, retry_topic: false, added_later: false }
}

/// A broker and its group, as a search sees them.
#[derive(Debug, Clone, Copy)]
struct World {
    committed: OffsetReading,
    bounds: Option<Bounds>,
    group: GroupHistory,
    at_time: Option<i64>,
}

const NEW_GROUP: World = World {
    committed: OffsetReading::Absent,
    bounds: Some(BOUNDS),
    group: GroupHistory::New,
    at_time: Some(40),
};

impl World {
    fn answer(&self, step: StartStep) -> StartEvent {
        match step {
            StartStep::AskCommitted { .. } => StartEvent::Committed(self.committed),
            StartStep::AskBounds => StartEvent::Bounds(self.bounds),
            StartStep::AskGroup => StartEvent::Group(self.group),
            StartStep::AskTime(time) => {
                assert_eq!(time, 1_700_000_000_000);
                StartEvent::AtTime(self.at_time)
            }
            StartStep::WaitUntil(_) => StartEvent::Waited,
            StartStep::StartAt { .. } => panic!("the end"),
        }
    }

    /// Where a queue starts, and whether this has to be committed; `None` if the offset is unknown.
    fn start(&self, rule: StartRule) -> Option<(i64, bool)> {
        self.finish(StartMachine::new(rule))
    }

    fn finish(&self, mut machine: StartMachine) -> Option<(i64, bool)> {
        let now = Instant::now();
        let mut step = machine.first_step();
        for _ in 0..9 {
            step = machine.step(now, self.answer(step));
            match step {
                StartStep::StartAt { offset, commit } => return Some((offset, commit)),
                StartStep::WaitUntil(_) => return None,
                _ => {}
            }
        }
        panic!("no end");
    }
}

#[test]
fn a_position_that_is_found_late_is_not_behind_messages_that_are_owed() {
    for (from, start) in [(StartFrom::Last, 40), (StartFrom::LastExactly, 40), (StartFrom::First, 5)] {
        let mut machine = StartMachine::new(rule(from));
        machine.owe(1_700_000_000_000);
        assert_eq!(NEW_GROUP.finish(machine), Some((start, true)), "{from:?}");
    }
}

#[test]
fn a_committed_offset_is_the_start_whatever_the_rule() {
    let world = World { committed: OffsetReading::Found(42), ..NEW_GROUP };
    for from in [StartFrom::Last, StartFrom::LastExactly, StartFrom::First, StartFrom::Timestamp(0)] {
        assert_eq!(world.start(rule(from)), Some((42, false)));
    }
}

#[test]
fn a_new_group_starts_where_the_rule_says_and_commits_it() {
    for (from, offset) in [
        (StartFrom::Last, 90),
        (StartFrom::LastExactly, 90),
        (StartFrom::First, 5),
        (StartFrom::Timestamp(1_700_000_000_000), 40),
    ] {
        assert_eq!(NEW_GROUP.start(rule(from)), Some((offset, true)), "{from:?}");
    }
}

#[test]
fn only_last_exactly_has_brokers_admit_that_a_young_queue_has_no_offset() {
    for (from, zero_if_young) in [
        (StartFrom::Last, true),
        (StartFrom::LastExactly, false),
        (StartFrom::First, true),
        (StartFrom::Timestamp(0), true),
    ] {
        let first = StartMachine::new(rule(from)).first_step();
        assert_eq!(first, StartStep::AskCommitted { zero_if_young });
    }
}

#[test]
fn a_known_group_reads_a_queue_without_an_offset_from_its_first_message() {
    let world = World { group: GroupHistory::Known, ..NEW_GROUP };
    for from in [StartFrom::Last, StartFrom::LastExactly, StartFrom::Timestamp(1_700_000_000_000)] {
        assert_eq!(world.start(rule(from)), Some((5, true)), "{from:?}");
    }
}

#[test]
fn queues_added_while_running_and_retry_topics_are_read_from_their_first_message() {
    for added in [
        StartRule { added_later: true, ..rule(StartFrom::Last) },
        StartRule { retry_topic: true, ..rule(StartFrom::Last) },
    ] {
        assert_eq!(NEW_GROUP.start(added), Some((5, true)));
    }
}

#[test]
fn ignorance_is_no_position() {
    let worlds = [
        World { committed: OffsetReading::Unknown, ..NEW_GROUP },
        World { committed: OffsetReading::Found(-1), ..NEW_GROUP },
        World { bounds: None, ..NEW_GROUP },
        World { bounds: Some(Bounds { min: 9, max: 3 }), ..NEW_GROUP },
        World { bounds: Some(Bounds { min: 0, max: -1 }), ..NEW_GROUP },
        World { group: GroupHistory::Unknown, ..NEW_GROUP },
        World { at_time: None, ..NEW_GROUP },
    ];
    for world in worlds {
        assert_eq!(world.start(rule(StartFrom::Timestamp(1_700_000_000_000))), None, "{world:?}");
    }
}

#[test]
fn an_empty_queue_starts_at_0() {
    let world = World { bounds: Some(Bounds { min: -1, max: 0 }), ..NEW_GROUP };
    for from in [StartFrom::Last, StartFrom::First] {
        assert_eq!(world.start(rule(from)), Some((0, true)));
    }
}

#[test]
fn a_time_outside_the_queue_is_its_nearest_end() {
    for (at_time, offset) in [(0, 5), (91, 90)] {
        let world = World { at_time: Some(at_time), ..NEW_GROUP };
        assert_eq!(world.start(rule(StartFrom::Timestamp(1_700_000_000_000))), Some((offset, true)));
    }
}

#[test]
fn an_unknown_offset_is_asked_for_again_from_the_beginning() {
    let (now, mut machine) = (Instant::now(), StartMachine::new(rule(StartFrom::Last)));
    let mut waits = Vec::new();
    for _ in 0..6 {
        machine.step(now, StartEvent::Committed(OffsetReading::Absent));
        let StartStep::WaitUntil(at) = machine.step(now, StartEvent::Bounds(None)) else { panic!() };
        waits.push((at - now).as_millis());
        assert!(machine.is_unknown());
        assert_eq!(machine.step(at, StartEvent::Waited), machine.first_step());
    }
    assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
    let found = machine.step(now, StartEvent::Committed(OffsetReading::Found(7)));
    assert_eq!(found, StartStep::StartAt { offset: 7, commit: false });
}

#[test]
fn a_group_is_known_by_any_offset_and_new_only_if_all_brokers_say_so() {
    use OffsetReading::{Absent, Found, Unknown};
    for (readings, history) in [
        (vec![], GroupHistory::New),
        (vec![Absent, Absent], GroupHistory::New),
        (vec![Absent, Unknown, Found(0)], GroupHistory::Known),
        (vec![Absent, Unknown], GroupHistory::Unknown),
    ] {
        assert_eq!(GroupHistory::of(readings), history);
    }
}

/// What a claim of 21 leads to while the master gives these bounds.
fn corrected(position: i64, claimed: i64, bounds: Bounds) -> Option<i64> {
    let now = Instant::now();
    let mut machine = CorrectionMachine::new(position, claimed);
    assert_eq!(machine.first_step(), CorrectionStep::AskBounds);
    match machine.step(now, CorrectionEvent::Bounds(Some(bounds))) {
        CorrectionStep::MoveTo(correction) => {
            assert_eq!((correction.from, correction.bounds), (position, bounds));
            Some(correction.to)
        }
        CorrectionStep::StayUntil(at) => {
            assert!(at > now);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_moves_the_position_only_if_the_queue_lacks_it() {
    assert_eq!(corrected(3, 5, BOUNDS), Some(5), "messages were deleted");
    assert_eq!(corrected(100, 90, BOUNDS), Some(90), "the broker has lost messages");
    assert_eq!(corrected(100, 5, BOUNDS), Some(5), "brokers send a consumer to the start, too");
    assert_eq!(corrected(50, 90, BOUNDS), None, "no message is skipped on a wrong claim");
    assert_eq!(corrected(50, 5, BOUNDS), None);
    assert_eq!(corrected(90, 0, BOUNDS), None, "the end is within the queue");
}

#[test]
fn an_absurd_claim_is_brought_into_the_queue() {
    assert_eq!(corrected(100, i64::MAX, BOUNDS), Some(90));
    assert_eq!(corrected(3, -7, BOUNDS), Some(5));
}

#[test]
fn a_claim_that_cannot_be_confirmed_waits() {
    let (now, mut machine) = (Instant::now(), CorrectionMachine::new(100, 0));
    for wait in [100, 200, 400, 800, 1_000, 1_000] {
        let step = machine.step(now, CorrectionEvent::Bounds(None));
        assert_eq!(step, CorrectionStep::WaitUntil(now + Duration::from_millis(wait)));
        assert_eq!(machine.step(now, CorrectionEvent::Waited), CorrectionStep::AskBounds);
    }
}
