//! Peers that are down, silent, garbled or hostile: each gives its own clear error within its deadline, and nothing
//! panics or hangs. `support` has peers that answer with given bytes.

mod support;

use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::error::{MQClientError, Outcome, with_causes};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use support::{SLACK, answers_with, option, producer_of};
use tokio::net::TcpListener;

#[tokio::test]
async fn options_that_cannot_be_are_named() {
    for (change, name, reason) in [
        (
            Box::new(|o: &mut ProducerOption| _ = o.set_name_server_addr(""))
                as Box<dyn Fn(&mut ProducerOption)>,
            "name_server_addr",
            "no NameServer is configured",
        ),
        (Box::new(|o| _ = o.set_name_server_addr("localhost")), "name_server_addr", "has no port"),
        (Box::new(|o| _ = o.set_group_name("")), "group_name", "needs one"),
        (Box::new(|o| _ = o.set_group_name("white space")), "group_name", "white space"),
        (Box::new(|o| _ = o.set_group_name("g".repeat(121))), "group_name", "120"),
        (Box::new(|o| _ = o.set_group_name("DEFAULT_PRODUCER")), "group_name", "reserved"),
        (Box::new(|o| _ = o.set_send_msg_timeout(0)), "send_msg_timeout", "at least 1"),
    ] {
        let mut option = option("127.0.0.1:9876");
        change(&mut option);
        let error = Producer::new(option).start().await.unwrap_err();
        let text = with_causes(&error);
        assert!(matches!(&error, MQClientError::InvalidOption { option, .. } if *option == name), "{text}");
        assert!(text.contains(reason), "expected \"{reason}\" in: {text}");
    }
}

#[tokio::test]
async fn a_producer_that_is_not_started_says_so() {
    let cluster = MockCluster::start().await.unwrap();
    let producer = Producer::new(option(&cluster.name_server_addr()));
    let error = producer.send(Message::new("T", "x")).await.unwrap_err();
    assert!(matches!(error, MQClientError::NotStarted { .. }));
    assert!(matches!(producer.shutdown().await.unwrap_err(), MQClientError::NotStarted { .. }));
    producer.start().await.unwrap();
    assert!(matches!(producer.start().await.unwrap_err(), MQClientError::AlreadyStarted { .. }));
    producer.send(Message::new("T", "x")).await.unwrap();
    assert_eq!(producer.shutdown().await.unwrap().unfinished_sends, 0);
    let error = producer.clone().send(Message::new("T", "x")).await.unwrap_err();
    assert!(matches!(error, MQClientError::ShutDown { .. }));
    assert!(matches!(producer.start().await.unwrap_err(), MQClientError::ShutDown { .. }));
    producer.shutdown().await.unwrap();
}

#[tokio::test]
async fn name_servers_that_are_down_or_silent_are_all_listed() {
    // Bound and dropped at once: the port is free, and no process listens.
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (silent, _serving) = answers_with(b"", 0).await;
    let (web, _web) = answers_with(b"HTTP/1.1 400 Bad Request\r\n\r\n", 1).await;
    let began = Instant::now();
    let error = Producer::new(option(&format!("{down};{silent};{web}"))).start().await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(500) + SLACK, "{:?}", began.elapsed());
    let MQClientError::NameServerUnreachable { answers, .. } = &error else {
        panic!("{}", with_causes(&error))
    };
    let said =
        |address: &str| answers.iter().find(|answer| &*answer.address == address).unwrap().said.clone();
    assert!(said(&down).contains("refused"), "{}", said(&down));
    assert!(said(&silent).contains("no answer"), "{}", said(&silent));
    assert!(said(&web).contains("HTTP"), "{}", said(&web));
}

#[tokio::test]
async fn one_name_server_that_answers_is_enough() {
    let cluster = MockCluster::start().await.unwrap();
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (silent, _serving) = answers_with(b"", 0).await;
    let producer = Producer::new(option(&format!("{down};{silent};{}", cluster.name_server_addr())));
    producer.start().await.unwrap();
    producer.send(Message::new("TopicTest", "x")).await.unwrap();
    assert_eq!(cluster.messages("TopicTest").len(), 1);
}

#[tokio::test]
async fn a_topic_without_a_route_is_an_error_that_says_what_to_do() {
    let cluster = MockCluster::builder().auto_create_topic(false).start().await.unwrap();
    let producer = Producer::new(option(&cluster.name_server_addr()));
    producer.start().await.unwrap();
    let began = Instant::now();
    let error = producer.send(Message::new("NoSuchTopic", "x")).await.unwrap_err();
    assert!(began.elapsed() < SLACK);
    let text = with_causes(&error);
    assert!(
        matches!(&error, MQClientError::BrokerNotFound { topic, .. } if &**topic == "NoSuchTopic"),
        "{text}"
    );
    assert!(text.contains(&cluster.name_server_addr()) && text.contains("mqadmin updateTopic"), "{text}");
    assert_eq!(error.outcome(), Outcome::NotStored);
}

#[tokio::test]
async fn a_broker_that_is_down_leaves_the_message_unsent() {
    let down = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let (producer, _name_server) = producer_of(&down).await;
    let began = Instant::now();
    let error = producer.send(Message::new("T", "x")).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(1) + SLACK);
    assert!(with_causes(&error).contains(&down), "{}", with_causes(&error));
    assert_eq!(error.outcome(), Outcome::NotStored);
    assert!(error.is_retryable() && !error.attempts().is_empty());
}

#[tokio::test]
async fn a_broker_that_never_answers_may_have_stored_the_message() {
    let (silent, _serving) = answers_with(b"", 0).await;
    let (producer, _name_server) = producer_of(&silent).await;
    let began = Instant::now();
    let error = producer.send(Message::new("T", "x")).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(began.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", began.elapsed());
    assert_eq!(error.outcome(), Outcome::MaybeStored, "{}", with_causes(&error));
    assert_eq!(error.attempts().len(), 1, "one attempt used the whole budget");
}

#[tokio::test]
async fn the_port_of_a_broker_in_place_of_a_name_server_s_is_guessed() {
    let cluster = MockCluster::start().await.unwrap();
    let broker = cluster.broker_addr(cluster.broker_names()[0]).unwrap().to_string();
    let error = Producer::new(option(&broker)).start().await.unwrap_err();
    assert!(error.to_string().contains("is this a broker?"), "{error}");
    assert_eq!(error.outcome(), Outcome::NotStored);
}

#[tokio::test]
async fn a_server_that_ends_each_connection_may_want_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let closing = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // It reads the request, which is no handshake, and closes.
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await;
        }
    });
    let error = Producer::new(option(&address)).start().await.unwrap_err();
    assert!(error.to_string().contains("wants TLS"), "{error}");
    closing.abort();
}
