//! NameServers that an HTTP address server lists (`name_server_http_address`).

use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The URL of a server that answers every request like this.
async fn address_server(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/rocketmq/nsaddr", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

fn option(url: &str) -> ProducerOption {
    let mut option = ProducerOption::default();
    option.set_name_server_http_address(url).set_group_name("addressed");
    option
}

#[tokio::test]
async fn the_name_servers_are_those_that_the_address_server_knows() {
    let cluster = MockCluster::start().await.unwrap();
    let url = address_server("200 OK", format!("{}\r\n", cluster.name_server_addr())).await;
    let producer = Producer::new(option(&url));
    producer.start().await.unwrap();
    producer.send(Message::new("TopicTest", "x")).await.unwrap();
    assert_eq!(cluster.message_count("TopicTest"), 1);
}

#[tokio::test]
async fn an_address_server_without_an_answer_is_named_in_the_error() {
    let url = address_server("503 Service Unavailable", String::new()).await;
    let error = Producer::new(option(&url)).start().await.unwrap_err();
    assert!(matches!(&error, MQClientError::NameServerUnreachable { .. }), "{error}");
    assert!(error.to_string().contains(&format!("{url} said \"HTTP status 503\"")), "{error}");
    let mut patient = option(&url);
    patient.set_retry_on_initial_connect(true);
    let producer = Producer::new(patient);
    producer.start().await.unwrap();
    let error = producer.send(Message::new("TopicTest", "x")).await.unwrap_err();
    assert!(error.to_string().contains("HTTP status 503"), "{error}");
}

#[tokio::test]
async fn a_configured_list_is_used_instead() {
    let cluster = MockCluster::start().await.unwrap();
    let mut both = option("http://127.0.0.1:1/not-asked");
    both.set_name_server_addr(cluster.name_server_addr());
    Producer::new(both).start().await.unwrap();
}
