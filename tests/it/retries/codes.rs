//! Answers: which are tried again and where, and which are statuses of a message that is stored.

use std::time::Duration;

use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, SendStatus};
use rocketmq::producer::SendOptions;

use super::site::{MODES, Mode, Site, timed};
use crate::peer::Act;

/// The codes after which another broker is tried: TOPIC_NOT_EXIST, SERVICE_NOT_AVAILABLE, SYSTEM_ERROR, SYSTEM_BUSY,
/// NO_PERMISSION, NO_BUYER_ID, NOT_IN_CURRENT_UNIT, GO_AWAY.
const RETRIED: [i32; 8] = [17, 14, 1, 2, 16, 204, 205, 1500];

#[tokio::test]
async fn an_answer_of_the_table_is_tried_on_another_broker_with_the_same_id() {
    for mode in MODES {
        for code in RETRIED {
            let site = Site::of_acts(&[Act::Answer(code), Act::Store], |_| {}).await;
            let sent = mode.send(&site.producer).await.unwrap();
            assert_eq!(site.assert_attempts(2), sent.msg_id, "{mode:?} {code}");
            let stats = site.producer.get_stats().unwrap();
            assert_eq!((stats.send_success_count, stats.retry_count), (1, 1), "{mode:?} {code}");
        }
    }
}

#[tokio::test]
async fn when_every_broker_refuses_the_error_lists_the_attempts() {
    for mode in MODES {
        for code in RETRIED {
            let site = Site::of_acts(&[Act::Answer(code); 9], |_| {}).await;
            let error = mode.send(&site.producer).await.unwrap_err();
            site.assert_attempts(3);
            assert_eq!(error.response_code().map(|code| code.0), Some(code));
            assert_eq!(matches!(error, MQClientError::ServiceNotAvailable { .. }), code == 14, "{error}");
            assert!(error.is_retryable());
            let outcome = if code == 1 { Outcome::MaybeStored } else { Outcome::NotStored };
            assert_eq!(error.outcome(), outcome, "{code}");
            assert_eq!(error.attempts().len(), 3);
            for attempt in error.attempts() {
                let index = usize::from(attempt.queue.broker_name() == "broker-b");
                assert_eq!(*attempt.address, *site.addresses[index]);
                assert_eq!(attempt.code.map(|code| code.0), Some(code));
                assert!(attempt.error.contains("as scripted"), "{}", attempt.error);
                assert!(!attempt.took.is_zero());
            }
        }
    }
}

#[tokio::test]
async fn any_other_answer_is_final() {
    for mode in MODES {
        for code in [3, 4, 13, 15, 206, 9999, -1] {
            let site = Site::of_acts(&[Act::Answer(code), Act::Store], |_| {}).await;
            let error = mode.send(&site.producer).await.unwrap_err();
            site.assert_attempts(1);
            assert!(matches!(&error, MQClientError::Broker { code: told, .. } if told.0 == code), "{error}");
            assert_eq!((error.outcome(), error.is_retryable()), (Outcome::NotStored, false));
            let stats = site.producer.get_stats().unwrap();
            assert_eq!((stats.send_failure_count, stats.unknown_outcome_count), (1, 0));
        }
    }
}

#[tokio::test]
async fn how_often_is_an_option_of_each_mode_and_of_each_send() {
    let site = Site::of_acts(&[Act::Answer(14); 99], |option| {
        option.set_retry_times_when_send_failed(0).set_retry_times_when_send_async_failed(4);
    })
    .await;
    Mode::Sync.send(&site.producer).await.unwrap_err();
    assert_eq!(site.sends(), 1);
    Mode::Async.send(&site.producer).await.unwrap_err();
    assert_eq!(site.sends(), 1 + 5);
    let options = SendOptions::new().retry_times(1);
    site.producer.send_with(Message::new("T", "x"), options).await.unwrap_err();
    assert_eq!(site.sends(), 1 + 5 + 2);
}

#[tokio::test]
async fn a_busy_broker_is_given_time() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::Answer(2), Act::Answer(2), Act::Store], |_| {}).await;
        mode.send(&site.producer).await.unwrap();
        let mut at: Vec<_> =
            site.brokers.iter().flat_map(|broker| broker.sends()).map(|seen| seen.at).collect();
        at.sort();
        assert!(at[1] - at[0] >= Duration::from_millis(25), "{:?}", at[1] - at[0]);
        assert!(at[2] - at[1] >= Duration::from_millis(50), "it grows: {:?}", at[2] - at[1]);
    }
}

#[tokio::test]
async fn a_weak_store_is_a_status() {
    for mode in MODES {
        for (code, status) in [
            (10, SendStatus::FlushDiskTimeout),
            (11, SendStatus::SlaveNotAvailable),
            (12, SendStatus::FlushSlaveTimeout),
        ] {
            let site = Site::of_acts(&[Act::Answer(code), Act::Store], |_| {}).await;
            let sent = mode.send(&site.producer).await.unwrap();
            assert_eq!((sent.send_status, sent.queue_offset), (status, 7));
            assert_eq!(site.assert_attempts(1), sent.msg_id);
        }
    }
}

#[tokio::test]
async fn with_retry_next_server_a_weak_store_is_tried_elsewhere() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::Answer(12), Act::Store], |option| {
            option.set_retry_next_server(true);
        })
        .await;
        let sent = mode.send(&site.producer).await.unwrap();
        assert_eq!(sent.send_status, SendStatus::SendOk);
        assert_eq!(site.assert_attempts(2), sent.msg_id);
    }
}

#[tokio::test]
async fn a_weak_store_is_better_than_an_error() {
    for mode in MODES {
        for then in [Act::Answer(14), Act::Answer(13), Act::Answer(12), Act::StoreAndHangUp] {
            let site = Site::of_acts(&[Act::Answer(10), then, then], |option| {
                option.set_retry_next_server(true);
            })
            .await;
            let sent = mode.send(&site.producer).await.unwrap();
            assert_ne!(sent.send_status, SendStatus::SendOk);
            assert!(site.sends() >= 2);
        }
    }
}

#[tokio::test]
async fn a_weak_store_in_a_named_queue_stays_the_only_one() {
    let site = Site::of_acts(&[Act::Answer(11); 9], |option| {
        option.set_retry_next_server(true);
    })
    .await;
    let queue = site.producer.fetch_publish_message_queues("T").await.unwrap().remove(0);
    let sent = site.producer.send_to(Message::new("T", "x"), &queue).await.unwrap();
    assert_eq!((sent.send_status, site.sends()), (SendStatus::SlaveNotAvailable, 1));
}

#[tokio::test]
async fn retries_stay_on_a_named_queue() {
    let site = Site::of_acts(&[Act::Answer(14), Act::Answer(14), Act::Store], |_| {}).await;
    let queue = site.producer.fetch_publish_message_queues("T").await.unwrap().remove(4);
    let (sent, took) = timed(Box::pin(site.producer.send_to(Message::new("T", "x"), &queue))).await;
    assert_eq!(site.ids()[1], vec![sent.unwrap().msg_id; 3], "after {took:?}");
    assert!(site.ids()[0].is_empty());
}
