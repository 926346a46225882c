//! Waiting for what happens, and what is remembered of it.

use std::time::{Duration, Instant};

use rocketmq_namesrv_mock::{MockCluster, MockError};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use crate::support::*;

#[tokio::test]
async fn a_test_is_woken_by_the_last_message_that_it_waits_for() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let sends = async {
        for _ in 0..3 {
            peer.call(send_to("T")).await;
        }
    };
    let began = Instant::now();
    let (messages, ()) = tokio::join!(cluster.wait_for_messages("T", 3), sends);
    assert_eq!(messages.unwrap().len(), 3);
    assert!(began.elapsed() < SOON / 2, "it was woken, and did not look again at the end of its wait");
    assert_eq!(cluster.wait_for_messages("T", 1).await.unwrap().len(), 3, "what is there needs no wait");
}

#[tokio::test]
async fn waiting_in_vain_says_what_there_was() {
    let cluster = MockCluster::builder().wait_limit(Duration::from_millis(20)).start().await.unwrap();
    Peer::broker(&cluster).await.call(send_to("T")).await;
    let before = Instant::now();
    let error = cluster.wait_for_messages("T", 2).await.unwrap_err();
    assert_eq!(error.to_string(), "waited 20ms in vain: there is 1 of 2 messages in T");
    let error = cluster.wait_for_requests(RequestCode::PULL_MESSAGE, 1).await.unwrap_err();
    assert_eq!(error.to_string(), "waited 20ms in vain: there is 0 of 1 requests PULL_MESSAGE(11)");
    let error = cluster.wait_until(|_| false, Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, MockError::WaitedInVain { .. }));
    assert!(before.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn what_happens_by_itself_wakes_as_well() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    // A delay level of one second, and then the end of a connection.
    let mut delayed = send_to("T");
    delayed.ext_fields.insert("i", wire("DELAY=1"));
    assert_eq!(peer.call(delayed).await.code, 0);
    assert_eq!(cluster.message_count("T"), 0);
    let began = Instant::now();
    assert_eq!(cluster.wait_for_messages("T", 1).await.unwrap().len(), 1);
    let heartbeat = r#"{"clientID":"c","consumerDataSet":[{"groupName":"g","subscriptionDataSet":[]}]}"#;
    peer.call(request(RequestCode::HEART_BEAT, &[]).with_body(heartbeat)).await;
    assert_eq!(cluster.group_members("g"), ["c"]);
    drop(peer);
    cluster.wait_until(|cluster| cluster.group_members("g").is_empty(), SOON).await.unwrap();
    assert!(began.elapsed() < SOON / 2, "each was noticed when it happened");
}

#[tokio::test]
async fn requests_tell_what_they_were_about_and_when_they_were_answered() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.inject("do=delay_answer ms=1 on=PULL_MESSAGE".parse().unwrap());
    cluster.inject("do=drop_answer on=sends times=1".parse().unwrap());
    let mut peer = Peer::broker(&cluster).await;
    peer.send(send_to("T")).await;
    peer.call(send_to("T")).await;
    peer.send(send_to("T").oneway()).await;
    peer.call(pull_from("T", 0)).await;
    let sends = cluster.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 3).await.unwrap();
    let told: Vec<_> = sends.iter().map(|send| (send.answer, send.oneway, send.body_len)).collect();
    assert_eq!(told, [(None, false, 5), (Some(ResponseCode::SUCCESS), false, 5), (None, true, 5)]);
    assert_eq!((sends[1].topic().unwrap(), sends[1].group().unwrap()), ("T".into(), "group".into()));
    assert_eq!(sends[1].fields.get("e").unwrap(), "0");
    assert!(sends[1].took().unwrap() < SOON && sends[0].took().is_none());
    assert!(sends[0].at <= sends[1].at);
    let pulls = cluster.wait_for_requests(RequestCode::PULL_MESSAGE, 1).await.unwrap();
    assert!(pulls[0].answered_at.is_some());
}
