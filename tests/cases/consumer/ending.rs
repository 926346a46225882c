//! What is there after a shutdown.

use std::sync::Arc;
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::consumer::{ConsumeFromWhere, PushConsumer};
use rocketmq::error::MQClientError;
use tokio::sync::OnceCell;

use super::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::Site;
use crate::stage;

#[tokio::test]
async fn a_shutdown_commits_and_the_next_consumer_goes_on_there() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("commits", 4).await, fresh_group("commits"));
    for round in 0..3 {
        send(&site, &topic, bodies(&format!("round{round}-"), 40)).await;
        let seen = Seen::default();
        let collect = seen.clone();
        let consumer = consumer(name_server, &group).subscribe(&topic, "*").listener(move |message, _| {
            collect.add(message);
            async {}
        });
        let consumer = consumer.start().await.unwrap();
        seen.wait_for(40).await;
        let report = consumer.shutdown().await.unwrap();
        assert!(report.is_clean(), "{report:?}");
        assert_eq!(seen.len(), 40, "nothing of an earlier round comes again");
        assert!(seen.bodies().iter().all(|body| body.starts_with(&format!("round{round}-"))));
        let again = consumer.shutdown().await.unwrap();
        assert_eq!(again.took, report.took, "a second shutdown is the first");
        assert!(matches!(consumer.start().await, Err(MQClientError::ShutDown { .. })));
    }
}

#[tokio::test]
async fn a_handler_that_does_not_end_is_in_the_report_and_its_message_comes_again() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("unfinished", 1).await, fresh_group("unfinished"));
    send(&site, &topic, bodies("m", 5)).await;
    let seen = Seen::default();
    let collect = seen.clone();
    let first = consumer(name_server, &group).subscribe(&topic, "*").listener(move |message, _| {
        collect.add(message.clone());
        async move {
            if &message.body()[..] == b"m2" {
                std::future::pending::<()>().await;
            }
        }
    });
    let first = first.start().await.unwrap();
    seen.wait_for(5).await;
    let report = first.shutdown_within(Duration::from_secs(3)).await.unwrap();
    assert_eq!((report.unfinished, report.uncommitted.len()), (1, 0), "{report:?}");
    assert!(report.took < Duration::from_secs(4), "{report:?}");
    let seen = Seen::default();
    let collect = seen.clone();
    let second = consumer(name_server, &group).subscribe(&topic, "*").listener(move |message, _| {
        collect.add(message);
        async {}
    });
    let second = second.start().await.unwrap();
    seen.wait_for(3).await;
    second.shutdown().await.unwrap();
    assert_eq!(
        seen.bodies().iter().map(String::as_str).collect::<Vec<_>>()[..1],
        ["m2"],
        "the lowest unfinished"
    );
}

#[tokio::test]
async fn a_listener_may_shut_its_consumer_down() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("from_within", 1).await;
    let itself: Arc<OnceCell<PushConsumer>> = Arc::default();
    let handle = itself.clone();
    let consumer =
        consumer(name_server, &fresh_group("from_within")).subscribe(&topic, "*").listener(move |_, _| {
            let handle = handle.clone();
            async move {
                let consumer = handle.get().expect("it is set").clone();
                let _ = consumer.shutdown_within(Duration::from_secs(2)).await;
            }
        });
    let consumer = consumer.start().await.unwrap();
    itself.set(consumer.clone()).unwrap();
    send(&site, &topic, bodies("m", 1)).await;
    until("it is shut down", || matches!(consumer.get_stats(), Err(MQClientError::ShutDown { .. }))).await;
    let report = consumer.shutdown().await.unwrap();
    assert!(report.took < Duration::from_secs(4), "{report:?}");
}

#[tokio::test]
async fn a_shared_client_ends_its_consumers() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let topic = site.create("shared_client", 2).await;
    let client = MQClient::connect(name_server).await.unwrap();
    let producer = client.producer(fresh_group("shared_producer")).start().await.unwrap();
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = client
        .push_consumer(fresh_group("shared_consumer"))
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            async {}
        })
        .start()
        .await
        .unwrap();
    for body in bodies("m", 10) {
        producer.send(rocketmq::model::Message::new(&topic, body)).await.unwrap();
    }
    seen.wait_for(10).await;
    assert!(client.shutdown().await.unwrap().is_clean());
    assert!(matches!(consumer.get_stats(), Err(MQClientError::ShutDown { .. })));
}

#[tokio::test]
async fn a_client_reports_what_its_consumers_left_and_their_events_end() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("left", 1).await, fresh_group("left"));
    send(&site, &topic, bodies("m", 1)).await;
    let client = MQClient::connect(name_server).await.unwrap();
    let seen = Seen::default();
    let collect = seen.clone();
    let consumer = client
        .push_consumer(&group)
        .option(|option| {
            _ = option.set_consume_from_where(ConsumeFromWhere::First).set_shutdown_timeout(1000)
        })
        .subscribe(&topic, "*")
        .listener(move |message, _| {
            collect.add(message);
            std::future::pending::<()>()
        })
        .build()
        .unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    seen.wait_for(1).await;
    let report = client.shutdown().await.unwrap();
    assert_eq!((report.unfinished_messages, report.is_clean()), (1, false), "{report:?}");
    assert!(report.to_string().ends_with(", unfinished messages: 1"), "{report}");
    // A task that reads the events ends with the consumer, though handles of it are kept.
    let all_read = async { while events.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(10), all_read).await.unwrap();
    assert!(consumer.events().next().await.is_none(), "so does a reader that comes later");
}
