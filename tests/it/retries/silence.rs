//! Brokers that do not answer, or too late.

use std::time::Duration;

use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::Message;

use super::site::{MODES, SLACK, Site, producer, timed};
use crate::peer::{Act, NameServer, Peer};

#[tokio::test]
async fn with_a_limit_of_one_attempt_a_silent_broker_leaves_time_for_another() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::StoreInSilence, Act::Store], |option| {
            option.set_send_msg_timeout(20_000).set_send_msg_max_timeout_per_request(100);
        })
        .await;
        let (sent, took) = timed(mode.send(&site.producer)).await;
        assert_eq!(site.assert_attempts(2), sent.unwrap().msg_id);
        assert!(took >= Duration::from_millis(100) && took < Duration::from_millis(100) + SLACK, "{took:?}");
    }
}

#[tokio::test]
async fn without_one_a_silent_broker_uses_the_whole_budget() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::StoreInSilence], |option| {
            option.set_send_msg_timeout(150);
        })
        .await;
        let (error, took) = timed(mode.send(&site.producer)).await;
        let error = error.unwrap_err();
        site.assert_attempts(1);
        assert!(matches!(error, MQClientError::Remoting { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::MaybeStored);
        assert!(took >= Duration::from_millis(150) && took < Duration::from_millis(150) + SLACK, "{took:?}");
    }
}

#[tokio::test]
async fn one_deadline_covers_all_attempts() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::StoreInSilence; 99], |option| {
            option.set_send_msg_timeout(250).set_send_msg_max_timeout_per_request(100);
            option.set_retry_times_when_send_failed(9).set_retry_times_when_send_async_failed(9);
        })
        .await;
        let (error, took) = timed(mode.send(&site.producer)).await;
        let error = error.unwrap_err();
        assert!(took >= Duration::from_millis(250) && took < Duration::from_millis(250) + SLACK, "{took:?}");
        assert!(error.attempts().len() <= 3, "{:?}", error.attempts());
        assert_eq!(error.outcome(), Outcome::MaybeStored);
        let attempted: Duration = error.attempts().iter().map(|attempt| attempt.took).sum();
        assert!(attempted <= took && attempted >= Duration::from_millis(200), "{attempted:?} of {took:?}");
    }
}

#[tokio::test]
async fn busy_brokers_do_not_hold_a_send_beyond_its_deadline() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::Answer(2); 99], |option| {
            option.set_send_msg_timeout(700);
            option.set_retry_times_when_send_failed(99).set_retry_times_when_send_async_failed(99);
        })
        .await;
        let (error, took) = timed(mode.send(&site.producer)).await;
        assert_eq!(error.unwrap_err().outcome(), Outcome::NotStored);
        assert!(took < Duration::from_millis(700) + SLACK, "{took:?}");
        assert!((2..20).contains(&site.sends()), "{} attempts", site.sends());
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_a_duplicate_that_has_the_same_id() {
    for mode in MODES {
        let site = Site::of_acts(&[Act::StoreAndHangUp, Act::Store], |_| {}).await;
        let sent = mode.send(&site.producer).await.unwrap();
        assert_eq!(site.assert_attempts(2), sent.msg_id);

        let site = Site::of_acts(&[Act::StoreAndHangUp, Act::Answer(14), Act::Answer(13)], |_| {}).await;
        let error = mode.send(&site.producer).await.unwrap_err();
        site.assert_attempts(3);
        assert_eq!(error.response_code().map(|code| code.0), Some(13), "the last attempt's cause");
        let maybe: Vec<bool> = error.attempts().iter().map(|attempt| attempt.maybe_stored).collect();
        assert_eq!((maybe, error.outcome()), (vec![true, false, false], Outcome::MaybeStored));
        assert_eq!(site.producer.get_stats().unwrap().unknown_outcome_count, 1);
    }
}

#[tokio::test]
async fn a_late_answer_is_nobody_else_s() {
    let acts = |nth| if nth % 2 == 0 { Act::StoreInSilence } else { Act::Store };
    let broker = Peer::broker(acts).await;
    let name_server = NameServer::of_broker(&broker.address()).await;
    let producer = producer(&name_server, |option| {
        option.set_send_msg_timeout(50);
    })
    .await;
    for round in 0..5 {
        producer.send(Message::new("T", "given up")).await.unwrap_err();
        assert_eq!(broker.answer_late(), 1);
        let options = rocketmq::producer::SendOptions::new().timeout(20_000);
        let sent = producer.send_with(Message::new("T", "waited for"), options).await.unwrap();
        assert_eq!(broker.ids().last(), Some(&sent.msg_id), "round {round}");
    }
    assert_eq!(broker.server.connections().len(), 1, "a time-out ends its own request only");
}
