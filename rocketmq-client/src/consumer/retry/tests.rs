use std::time::Duration;

use proptest::prelude::*;
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::{Message, MessageExt, MessageProperties, message_const as names};
use tokio::time::Instant;

use super::properties::DLQ_REASON;
use super::*;

const PLAN: RetryPlan<'static> = RetryPlan {
    group: "g",
    namespace: "",
    max_reconsume_times: 16,
    local_times: 0,
    delay_level: None,
    reason: "out of stock",
    dead_letter: false,
    may_hold_locks: false,
};

fn message(reconsume_times: i32) -> MessageExt {
    message_with(reconsume_times, &[])
}

fn message_with(reconsume_times: i32, properties: &[(&str, &str)]) -> MessageExt {
    let mut message = Message::new("Orders", "body").with_keys("order-7");
    message.properties_mut().put_reserved(names::UNIQ_KEY, "ID1");
    for (name, value) in properties {
        message.properties_mut().put_reserved(name, value);
    }
    let header = RecordHeader { reconsume_times, commit_log_offset: 4_711, ..RecordHeader::default() };
    let mut message = MessageExt::new(message, header);
    message.set_broker_name("broker-a");
    message
}

fn sent(step: RetryStep) -> RetrySend {
    match step {
        RetryStep::Send(send) => send,
        other => panic!("{other:?}"),
    }
}

fn properties(send: &RetrySend) -> MessageProperties {
    MessageProperties::from_wire(send.properties.clone())
}

/// The dead letter that the plan makes of a message.
fn dead_letter(message: &MessageExt, plan: &RetryPlan<'_>) -> RetrySend {
    sent(RetryLadder::default().begin(message, plan))
}

#[test]
fn a_failure_gives_the_message_back_and_lets_the_broker_choose_the_delay() {
    let RetryStep::SendBack(header) = RetryLadder::default().begin(&message(2), &PLAN) else { panic!() };
    assert_eq!((header.offset, header.delay_level, header.max_reconsume_times), (4_711, 0, Some(16)));
    assert_eq!((&*header.group, header.origin_topic.as_deref()), ("g", Some("Orders")));
    assert_eq!(header.broker_name.as_deref(), Some("broker-a"));
}

#[test]
fn the_listener_may_choose_the_delay() {
    let plan = RetryPlan { delay_level: Some(5), ..PLAN };
    let RetryStep::SendBack(header) = RetryLadder::default().begin(&message(2), &plan) else { panic!() };
    assert_eq!(header.delay_level, 5);
}

#[test]
fn a_message_that_cannot_be_given_back_is_sent_to_the_retry_topic() {
    let (now, message) = (Instant::now(), message(2));
    let mut ladder = RetryLadder::default();
    let back = ladder.begin(&message, &PLAN);
    let (next, event) = ladder.failed(now, &back, StepFailure::Unanswered, &message, &PLAN);
    let send = sent(next);
    assert_eq!((&*send.topic, send.queue_id, event), ("%RETRY%g", 0, None));
    assert_eq!((send.reconsume_times, send.max_reconsume_times, send.dead_letter), (3, 16, false));
    let properties = properties(&send);
    for (name, value) in [
        (names::PROPERTY_RETRY_TOPIC, "Orders"),
        (names::PROPERTY_ORIGIN_MESSAGE_ID, "ID1"),
        (names::PROPERTY_RECONSUME_TIME, "3"),
        (names::PROPERTY_MAX_RECONSUME_TIMES, "16"),
        (names::PROPERTY_DELAY_TIME_LEVEL, "5"),
        (names::PROPERTY_KEYS, "order-7"),
        (names::UNIQ_KEY, "ID1"),
    ] {
        assert_eq!(properties.get(name), Some(value), "{name}");
    }
    assert_eq!(ladder.stored(&RetryStep::Send(send)).event, None);
}

#[test]
fn while_a_member_holds_a_lock_nothing_is_sent_to_the_retry_topic() {
    let (now, message) = (Instant::now(), message(0));
    let plan = RetryPlan { may_hold_locks: true, ..PLAN };
    let mut ladder = RetryLadder::default();
    let back = ladder.begin(&message, &plan);
    let (next, event) = ladder.failed(now, &back, StepFailure::Refused, &message, &plan);
    assert_eq!(next, RetryStep::HandleAgain(now + Duration::from_secs(5)));
    assert_eq!(event, Some(RetryEvent::SendBackFailed));
}

#[test]
fn local_retries_wait_longer_each_time() {
    let (now, message) = (Instant::now(), message(0));
    let mut ladder = RetryLadder::default();
    let waits: Vec<u64> = (0..6)
        .map(|_| {
            let mut step = ladder.begin(&message, &PLAN);
            loop {
                step = ladder.failed(now, &step, StepFailure::Unanswered, &message, &PLAN).0;
                if let RetryStep::HandleAgain(at) = step {
                    return (at - now).as_secs();
                }
            }
        })
        .collect();
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn the_last_failure_is_a_dead_letter_with_its_reason() {
    assert!(!PLAN.is_dead(&message(15)));
    let send = dead_letter(&message(16), &PLAN);
    assert_eq!((send.reconsume_times, send.max_reconsume_times), (17, 16), "the count beats the maximum");
    assert!(send.dead_letter);
    let properties = properties(&send);
    assert_eq!(properties.get(DLQ_REASON), Some("out of stock"));
    assert_eq!(properties.get(names::PROPERTY_DLQ_ORIGIN_TOPIC), Some("Orders"));
    assert_eq!(properties.get(names::PROPERTY_DELAY_TIME_LEVEL), None);
    let end = RetryLadder::default().stored(&RetryStep::Send(send));
    assert_eq!(end.event, Some(RetryEvent::DeadLettered));
}

#[test]
fn a_dead_letter_asked_for_keeps_its_true_count() {
    for plan in [RetryPlan { dead_letter: true, ..PLAN }, RetryPlan { delay_level: Some(-1), ..PLAN }] {
        let send = dead_letter(&message(2), &plan);
        assert_eq!((send.reconsume_times, send.max_reconsume_times), (3, 2));
    }
}

#[test]
fn local_deliveries_count() {
    let plan = RetryPlan { local_times: 14, ..PLAN };
    assert_eq!(dead_letter(&message(2), &plan).reconsume_times, 17);
}

#[test]
fn a_dead_letter_that_no_broker_takes_is_sent_again_without_the_listener() {
    let (now, message) = (Instant::now(), message(16));
    let mut ladder = RetryLadder::default();
    let send = ladder.begin(&message, &PLAN);
    let (next, event) = ladder.failed(now, &send, StepFailure::Unanswered, &message, &PLAN);
    assert_eq!(next, RetryStep::BeginAgain(now + Duration::from_secs(5)));
    assert_eq!(event, Some(RetryEvent::SendBackFailed));
}

#[test]
fn a_dead_letter_that_a_broker_refuses_is_given_back_without_its_reason() {
    let (now, message) = (Instant::now(), message(16));
    let mut ladder = RetryLadder::default();
    let send = ladder.begin(&message, &PLAN);
    let (next, _) = ladder.failed(now, &send, StepFailure::Refused, &message, &PLAN);
    let RetryStep::SendBack(header) = &next else { panic!("{next:?}") };
    assert_eq!(header.delay_level, -1);
    assert_eq!(ladder.stored(&next).event, Some(RetryEvent::DeadLettered));
    let (last, _) = ladder.failed(now, &next, StepFailure::Refused, &message, &PLAN);
    assert!(matches!(last, RetryStep::BeginAgain(_)));
}

#[test]
fn properties_that_would_delay_or_hide_a_dead_letter_are_taken_off() {
    let harmful = [
        names::PROPERTY_TRANSACTION_PREPARED,
        names::PROPERTY_DELAY_TIME_LEVEL,
        names::PROPERTY_REAL_TOPIC,
        names::PROPERTY_REAL_QUEUE_ID,
        names::PROPERTY_MIN_OFFSET,
        names::PROPERTY_MAX_OFFSET,
        names::PROPERTY_TIMER_DELAY_SEC,
        names::PROPERTY_TIMER_DELAY_MS,
        names::PROPERTY_TIMER_DELIVER_MS,
        names::PROPERTY_TIMER_OUT_MS,
        names::PROPERTY_TIMER_ENQUEUE_MS,
        names::PROPERTY_TIMER_DEQUEUE_MS,
        names::PROPERTY_TIMER_ROLL_TIMES,
        names::PROPERTY_TIMER_DELAY_LEVEL,
    ];
    let set: Vec<_> = harmful.iter().map(|name| (*name, "1")).collect();
    let properties = properties(&dead_letter(&message_with(16, &set), &PLAN));
    for name in harmful {
        assert_eq!(properties.get(name), None, "{name}");
    }
}

#[test]
fn a_retried_message_keeps_the_topic_and_the_id_of_its_beginning() {
    let retried = message_with(
        16,
        &[(names::PROPERTY_RETRY_TOPIC, "First"), (names::PROPERTY_ORIGIN_MESSAGE_ID, "ID0")],
    );
    let properties = properties(&dead_letter(&retried, &PLAN));
    assert_eq!(properties.get(names::PROPERTY_RETRY_TOPIC), Some("First"));
    assert_eq!(properties.get(names::PROPERTY_ORIGIN_MESSAGE_ID), Some("ID0"));
    assert_eq!(properties.iter().filter(|(name, _)| *name == names::PROPERTY_RETRY_TOPIC).count(), 1);
}

#[test]
fn the_header_is_that_of_a_plain_message() {
    let message = message(16);
    let send = dead_letter(&message, &PLAN);
    let header = send.header(&message, "broker-b");
    assert_eq!((header.topic, header.queue_id, header.sys_flag), ("%RETRY%g", 0, 0));
    assert_eq!((header.reconsume_times, header.max_reconsume_times), (Some(17), Some(16)));
    assert_eq!((header.producer_group, header.broker_name), ("CLIENT_INNER_PRODUCER", Some("broker-b")));
}

#[test]
fn properties_that_leave_no_room_are_left_to_the_broker() {
    let full = message_with(16, &[("big", &"x".repeat(32_200))]);
    let step = RetryLadder::default().begin(&full, &PLAN);
    let RetryStep::SendBack(header) = &step else { panic!("{step:?}") };
    assert_eq!(header.delay_level, -1);
}

proptest! {
    #[test]
    fn a_reason_is_cut_to_what_fits(reason in "\\PC{0,9000}|[a-z\u{1}\u{2}é€]{0,9000}", filled in 0..32_000_usize) {
        let filler = "x".repeat(filled);
        let message = message_with(16, &[("filler", &filler)]);
        let plan = RetryPlan { reason: &reason, ..PLAN };
        if let RetryStep::Send(send) = RetryLadder::default().begin(&message, &plan) {
            prop_assert!(send.properties.len() <= 32_767 - 512);
            let properties = properties(&send);
            let kept = properties.get(DLQ_REASON).unwrap_or_default();
            let expected = reason.replace(['\u{1}', '\u{2}'], " ");
            prop_assert!(expected.starts_with(kept));
            prop_assert_eq!(properties.get("filler").unwrap_or_default(), &filler);
        }
    }
}
