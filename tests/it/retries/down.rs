//! Brokers that cannot be reached, or that ask their clients to leave.

use std::collections::HashSet;
use std::sync::Arc;

use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::Message;
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::DialError;
use tokio::net::TcpListener;

use super::site::{MODES, SLACK, producer, timed};
use crate::peer::{Act, NameServer, Peer};

/// An address without a listener.
async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_broker_that_is_down_costs_a_send_to_the_other_nothing() {
    let broker = Peer::broker(|_| Act::Store).await;
    let (up, down) = (broker.address(), nobody().await);
    let name_server = NameServer::start(&[("broker-a", 0, &up, 1, 6), ("broker-b", 0, &down, 1, 6)]).await;
    for mode in MODES {
        let producer = producer(&name_server, |_| {}).await;
        let (sent, took) = timed(async {
            for _ in 0..20 {
                mode.send(&producer).await.unwrap();
            }
        })
        .await;
        assert!(took < SLACK, "{took:?}");
        let () = sent;
        assert!(producer.get_stats().unwrap().retry_count > 0);
    }
    assert_eq!(broker.sends().len(), 40);
}

/// The system's answer to the dial that an error tells of. Errors that share a dial share it.
fn dial(error: &MQClientError) -> *const std::io::Error {
    let MQClientError::Remoting { source, .. } = error else { panic!("{error}") };
    let RemotingError::Connect(mut dial) = (**source).clone() else { panic!("{source}") };
    while let DialError::BackingOff { last, .. } = dial {
        dial = *last;
    }
    let DialError::Failed { source, .. } = dial else { panic!("{dial}") };
    Arc::as_ptr(&source)
}

#[tokio::test]
async fn ten_thousand_sends_share_a_few_dials() {
    let name_server = NameServer::of_broker(&nobody().await).await;
    let producer = producer(&name_server, |option| {
        // Long enough for a busy machine: what counts is how often it dials, not how fast it gives up.
        option.set_send_msg_timeout(60_000);
    })
    .await;
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let producer = producer.clone();
        sends.spawn(async move { producer.send(Message::new("T", "x")).await.unwrap_err() });
    }
    let (errors, took) = timed(sends.join_all()).await;
    assert!(errors.iter().all(|error| error.outcome() == Outcome::NotStored && error.attempts().len() == 3));
    let dials: HashSet<_> = errors.iter().map(dial).collect();
    // The waits between dials double from 100 ms, with jitter.
    let most = 2 + (took.as_millis() / 50) as usize;
    assert!(dials.len() <= most, "{} dials in {took:?}", dials.len());
    assert_eq!(producer.get_stats().unwrap().in_flight, 0);
}

#[tokio::test]
async fn go_away_moves_sends_to_a_new_connection() {
    let broker = Peer::broker(|nth| if nth == 1 { Act::Answer(1500) } else { Act::Store }).await;
    let name_server = NameServer::of_broker(&broker.address()).await;
    for mode in MODES {
        let producer = producer(&name_server, |_| {}).await;
        let before = broker.sends().len();
        for _ in 0..3 {
            mode.send(&producer).await.unwrap();
        }
        let ids = broker.ids().split_off(before);
        assert_eq!(ids.len(), if before == 0 { 4 } else { 3 });
        assert!(before > 0 || ids[1] == ids[2], "the refused send kept its id: {ids:?}");
    }
}

#[tokio::test]
async fn a_broker_that_always_says_go_away_does_not_keep_a_send_forever() {
    let broker = Peer::broker(|_| Act::Answer(1500)).await;
    let name_server = NameServer::of_broker(&broker.address()).await;
    for (round, mode) in MODES.into_iter().enumerate() {
        let producer = producer(&name_server, |_| {}).await;
        let error = mode.send(&producer).await.unwrap_err();
        assert!(matches!(&error, MQClientError::Broker { code, .. } if code.0 == 1500), "{error}");
        assert_eq!(broker.sends().len(), 3 * (round + 1));
    }
}
