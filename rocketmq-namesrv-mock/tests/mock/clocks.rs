//! Clocks: what stands still until it is moved, and tokio's paused time.

use std::time::Duration;

use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::RequestCode;

use crate::support::*;

fn waiting(millis: &str) -> rocketmq_remoting::protocol::RemotingCommand {
    with(pull_from("T", 0), &[("sysFlag", "6"), ("suspendTimeoutMillis", millis)])
}

#[tokio::test]
async fn a_held_pull_ends_when_the_clock_is_moved_there() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let opaque = peer.send(waiting("1000")).await;
    cluster.wait_until(|cluster| cluster.held_pulls("T") == 1, SOON).await.unwrap();
    cluster.advance(Duration::from_millis(999)).await;
    assert_eq!(cluster.held_pulls("T"), 1);
    cluster.advance(Duration::from_millis(1)).await;
    assert_eq!(cluster.held_pulls("T"), 0);
    let answer = peer.receive().await;
    assert_eq!((answer.opaque, verdict(&answer)), (opaque, (19, "NO_MESSAGE_IN_QUEUE")));
}

#[tokio::test]
async fn delays_of_faults_end_when_the_clock_is_moved_there_in_their_order() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let (mut slow, mut slower) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    for (peer, seconds) in [(&mut slower, 9), (&mut slow, 5)] {
        cluster.clear_faults();
        cluster.inject(Fault::on_sends(FaultAction::Delay(Duration::from_secs(seconds))));
        peer.send(send_to("T")).await;
        let (code, count) = (RequestCode::SEND_MESSAGE_V2, cluster.requests().len() + 1);
        cluster.wait_for_requests(code, count).await.unwrap();
    }
    let start = cluster.now();
    cluster.advance(Duration::from_secs(5)).await;
    assert_eq!(slow.receive().await.code, 0);
    assert_eq!(cluster.message_count("T"), 1);
    cluster.advance(Duration::from_secs(60)).await;
    assert_eq!(slower.receive().await.code, 0);
    let stored = cluster.messages("T").iter().map(|message| message.store_timestamp()).collect::<Vec<_>>();
    let since = |time: i64| time - start.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    assert_eq!(stored.into_iter().map(since).collect::<Vec<_>>(), [5000, 9000]);
}

#[tokio::test]
async fn requests_are_dated_by_the_clock() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    cluster.advance(Duration::from_secs(86_400)).await;
    peer.call(send_to("T")).await;
    let [request] = &cluster.requests()[..] else { panic!("one request") };
    assert_eq!((request.at, request.took()), (cluster.now(), Some(Duration::ZERO)));
}

#[tokio::test]
async fn paused_time_of_tokio_moves_everything_together() {
    let cluster = MockCluster::builder().tokio_clock(true).start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.send(waiting("60000")).await;
    cluster.wait_until(|cluster| cluster.held_pulls("T") == 1, SOON).await.unwrap();
    let (before, real) = (cluster.now(), std::time::Instant::now());
    tokio::time::pause();
    // Nothing else is due, so that time jumps to the end of the wait.
    while cluster.held_pulls("T") == 1 {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    tokio::time::resume();
    assert_eq!(peer.receive().await.code, 19);
    assert!(cluster.now().duration_since(before).unwrap() >= Duration::from_secs(60));
    assert!(real.elapsed() < Duration::from_secs(20));
}
