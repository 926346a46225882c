use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::Instant;

use super::*;

const HELD: Duration = Duration::from_secs(15);
const AT_ONCE: Duration = Duration::from_millis(1);

fn answer(code: ResponseCode, next_begin: Option<i64>) -> PullAnswer<'static> {
    PullAnswer {
        code,
        remark: "",
        asked: 100,
        next_begin,
        from: 0,
        suggested: Some(0),
        forbidden: None,
        took: AT_ONCE,
    }
}

fn millis(delay: Duration) -> u128 {
    delay.as_millis()
}

/// The delays of verdicts in a row for one answer, in milliseconds.
fn delays(answer: PullAnswer<'_>, times: usize) -> Vec<u128> {
    let mut judge = PullJudge::default();
    let delay = |_| match judge.answered(Instant::now(), &answer).next {
        WhatNext::Again { after }
        | WhatNext::HeartbeatThenAgain { after }
        | WhatNext::Refused { after, .. }
        | WhatNext::Advance { after, .. } => millis(after),
        other => panic!("{other:?}"),
    };
    (0..times).map(delay).collect()
}

#[test]
fn the_offset_moves_on_with_0_19_and_20() {
    for code in [ResponseCode::SUCCESS, ResponseCode::PULL_NOT_FOUND, ResponseCode::PULL_RETRY_IMMEDIATELY] {
        let verdict = PullJudge::default().answered(Instant::now(), &answer(code, Some(132)));
        assert_eq!(verdict.next, WhatNext::Advance { next_begin: 132, after: Duration::ZERO });
        assert_eq!((verdict.read_from, verdict.event), (ReadFrom::Broker(0), None));
    }
}

#[test]
fn an_empty_queue_is_asked_again_at_once_as_the_broker_waits() {
    let mut judge = PullJudge::default();
    for _ in 0..1_000 {
        let idle = PullAnswer { took: HELD, ..answer(ResponseCode::PULL_NOT_FOUND, Some(100)) };
        assert_eq!(judge.answered(Instant::now(), &idle).next, WhatNext::Again { after: Duration::ZERO });
    }
}

#[test]
fn ten_quick_answers_without_progress_slow_down() {
    for code in [ResponseCode::PULL_NOT_FOUND, ResponseCode::PULL_RETRY_IMMEDIATELY] {
        let delays = delays(answer(code, Some(100)), 17);
        assert_eq!(delays, [0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    }
}

#[test]
fn progress_ends_the_slow_down() {
    let mut judge = PullJudge::default();
    let stuck = answer(ResponseCode::PULL_RETRY_IMMEDIATELY, Some(100));
    for _ in 0..12 {
        judge.answered(Instant::now(), &stuck);
    }
    judge.answered(Instant::now(), &answer(ResponseCode::SUCCESS, Some(101)));
    assert_eq!(judge.answered(Instant::now(), &stuck).next, WhatNext::Again { after: Duration::ZERO });
}

#[test]
fn a_slave_that_lags_behind_is_left_for_the_master() {
    let mut judge = PullJudge::default();
    let lagging = PullAnswer {
        remark: "OFFSET_OVERFLOW_BADLY",
        from: 1,
        suggested: Some(1),
        ..answer(ResponseCode::PULL_RETRY_IMMEDIATELY, Some(100))
    };
    let reads: Vec<_> = (0..10).map(|_| judge.answered(Instant::now(), &lagging).read_from).collect();
    assert!(reads[..9].iter().all(|read| *read == ReadFrom::Broker(1)));
    assert_eq!(reads[9], ReadFrom::Broker(0));
}

#[test]
fn a_suggested_slave_is_followed() {
    let suggests = PullAnswer { suggested: Some(1), ..answer(ResponseCode::SUCCESS, Some(101)) };
    assert_eq!(PullJudge::default().answered(Instant::now(), &suggests).read_from, ReadFrom::Broker(1));
    let silent = PullAnswer { suggested: None, from: 2, ..suggests };
    assert_eq!(PullJudge::default().answered(Instant::now(), &silent).read_from, ReadFrom::Broker(2));
}

#[test]
fn a_slave_that_refuses_reads_sends_us_to_the_master_at_once() {
    let refused = PullAnswer {
        remark: "[REJECTREQUEST]",
        from: 1,
        suggested: None,
        ..answer(ResponseCode::SYSTEM_BUSY, None)
    };
    let verdict = PullJudge::default().answered(Instant::now(), &refused);
    assert_eq!(verdict.next, WhatNext::Again { after: Duration::ZERO });
    assert_eq!(verdict.read_from, ReadFrom::Broker(0));
}

#[test]
fn a_slave_that_was_of_no_use_is_not_followed_for_thirty_seconds() {
    let now = Instant::now();
    let suggests = PullAnswer { suggested: Some(1), ..answer(ResponseCode::SUCCESS, Some(101)) };
    let refused = PullAnswer { from: 1, suggested: None, ..answer(ResponseCode::SYSTEM_BUSY, None) };
    let (mut silent, mut refusing) = (PullJudge::default(), PullJudge::default());
    silent.unanswered(now, 1);
    refusing.answered(now, &refused);
    for mut judge in [silent, refusing] {
        let soon = now + Duration::from_secs(29);
        assert_eq!(judge.answered(soon, &suggests).read_from, ReadFrom::Broker(0));
        let later = now + Duration::from_secs(30);
        assert_eq!(judge.answered(later, &suggests).read_from, ReadFrom::Broker(1));
    }
}

#[test]
fn reads_go_on_at_a_slave_while_the_master_is_gone() {
    let now = Instant::now();
    let mut judge = PullJudge::default();
    assert_eq!(judge.unanswered(now, 0).read_from, ReadFrom::AnotherThan(0));
    let by_slave = PullAnswer { from: 1, suggested: None, ..answer(ResponseCode::SUCCESS, Some(101)) };
    assert_eq!(judge.answered(now, &by_slave).read_from, ReadFrom::Broker(1));
    let back = PullAnswer { suggested: Some(0), ..by_slave };
    assert_eq!(judge.answered(now, &back).read_from, ReadFrom::Broker(0));
}

#[test]
fn a_busy_broker_is_asked_less_and_less() {
    for code in [ResponseCode::SYSTEM_BUSY, ResponseCode::FLOW_CONTROL] {
        assert_eq!(delays(answer(code, None), 8), [20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    }
}

#[test]
fn a_broker_that_does_not_know_us_gets_a_heartbeat() {
    for code in [ResponseCode::SUBSCRIPTION_NOT_EXIST, ResponseCode::SUBSCRIPTION_NOT_LATEST] {
        let verdict = PullJudge::default().answered(Instant::now(), &answer(code, None));
        assert_eq!(verdict.next, WhatNext::HeartbeatThenAgain { after: Duration::ZERO });
        assert_eq!(delays(answer(code, None), 7), [0, 100, 200, 400, 800, 1_000, 1_000]);
    }
}

#[test]
fn a_missing_topic_is_told_once_and_asked_for_rarely() {
    let mut judge = PullJudge::default();
    let missing = answer(ResponseCode::TOPIC_NOT_EXIST, None);
    assert_eq!(judge.answered(Instant::now(), &missing).event, Some(PullEvent::TopicMissing));
    assert_eq!(judge.answered(Instant::now(), &missing).event, None);
    assert_eq!(delays(missing, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
}

#[test]
fn a_refusal_has_a_type_and_is_tried_again_rarely() {
    for (code, why) in [
        (ResponseCode::NO_PERMISSION, PullRefusal::NoPermission),
        (ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, PullRefusal::GroupNotExist),
    ] {
        let verdict = PullJudge::default().answered(Instant::now(), &answer(code, None));
        assert_eq!(verdict.next, WhatNext::Refused { why, after: Duration::from_secs(1) });
        assert_eq!(delays(answer(code, None), 7).last(), Some(&30_000));
    }
}

#[test]
fn only_the_remark_makes_a_21_a_reset() {
    let reset = PullAnswer { remark: "OFFSET_RESET", ..answer(ResponseCode::PULL_OFFSET_MOVED, Some(7)) };
    assert_eq!(PullJudge::default().answered(Instant::now(), &reset).next, WhatNext::Reset { target: 7 });
    for remark in ["OFFSET_OVERFLOW_BADLY", "OFFSET_TOO_SMALL", "NO_MESSAGE_IN_QUEUE", ""] {
        let claim = PullAnswer { remark, ..reset };
        assert_eq!(
            PullJudge::default().answered(Instant::now(), &claim).next,
            WhatNext::Confirm { claimed: 7 }
        );
    }
}

#[test]
fn a_broker_that_does_not_answer_is_left_for_another() {
    let mut judge = PullJudge::default();
    let verdicts: Vec<_> = (0..4).map(|_| judge.unanswered(Instant::now(), 0)).collect();
    assert!(verdicts.iter().all(|verdict| verdict.read_from == ReadFrom::AnotherThan(0)));
    let events: Vec<_> = verdicts.iter().map(|verdict| verdict.event).collect();
    assert_eq!(events, [None, None, Some(PullEvent::BrokerUnreachable), None]);
    judge.reached();
    let again: Vec<_> = (0..3).map(|_| judge.unanswered(Instant::now(), 0).event).collect();
    assert_eq!(again, [None, None, Some(PullEvent::BrokerUnreachable)], "another outage");
}

#[test]
fn an_answer_without_its_fields_or_with_an_unknown_code_is_told_and_tried_again() {
    for code in [ResponseCode::SUCCESS, ResponseCode::PULL_OFFSET_MOVED, ResponseCode::SYSTEM_ERROR] {
        let mut judge = PullJudge::default();
        let events: Vec<_> =
            (0..4).map(|_| judge.answered(Instant::now(), &answer(code, None)).event).collect();
        assert_eq!(events, [None, None, Some(PullEvent::Unexpected(code)), None]);
        assert_eq!(delays(answer(code, None), 8).last(), Some(&5_000));
    }
}

#[test]
fn any_answer_ten_seconds_long_makes_bounded_requests() {
    let codes = [
        answer(ResponseCode::SUBSCRIPTION_NOT_EXIST, None),
        answer(ResponseCode::SUBSCRIPTION_NOT_LATEST, None),
        answer(ResponseCode::FLOW_CONTROL, None),
        answer(ResponseCode::PULL_RETRY_IMMEDIATELY, Some(100)),
        answer(ResponseCode::SYSTEM_ERROR, None),
    ];
    for answer in codes {
        let mut spent = 0;
        let requests = delays(answer, 100).into_iter().take_while(|delay| {
            spent += delay + millis(AT_ONCE);
            spent < 10_000
        });
        assert!(requests.count() < 40, "{answer:?}");
    }
}
