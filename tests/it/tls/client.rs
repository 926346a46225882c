//! Producers and admins over TLS.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AdminOption, ProducerOption, TlsConfig};
use rocketmq::error::{MQClientError, with_causes};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

use super::support::{authority, serving, trusting};

fn option(cluster: &MockCluster, tls: TlsConfig) -> ProducerOption {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_group_name("tls_producer").set_tls(tls);
    option
}

#[tokio::test]
async fn a_message_goes_there_and_back_over_tls() {
    let authority = authority();
    let serving = serving(&authority.issue(&["127.0.0.1"]).unwrap());
    let cluster = MockCluster::builder().tls(serving).start().await.unwrap();
    let producer = Producer::new(option(&cluster, trusting(&authority)));
    producer.start().await.unwrap();
    let sent = producer.send(Message::new("TlsTopic", vec![7; 3 << 20])).await.unwrap();

    let mut option = AdminOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_tls(trusting(&authority));
    let admin = MQAdmin::with_option(&option).await.unwrap();
    let stored = admin.view_message(&sent.offset_msg_id).await.unwrap();
    assert_eq!(stored.body(), &vec![7; 3 << 20]);
    assert!(producer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn start_says_what_is_wrong_with_the_certificate_of_the_name_server() {
    let certificate = authority().issue(&["127.0.0.1"]).unwrap();
    let cluster = MockCluster::builder().tls(serving(&certificate)).start().await.unwrap();
    let error = Producer::new(option(&cluster, trusting(&authority()))).start().await.unwrap_err();
    assert!(matches!(error, MQClientError::NameServerUnreachable { .. }), "{error:?}");
    let text = with_causes(&error);
    assert!(text.contains("an authority that is not trusted here"), "{text}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_an_invalid_option() {
    let cluster = MockCluster::start().await.unwrap();
    let tls = TlsConfig::new().with_ca_file("/no/such/ca.pem");
    let error = Producer::new(option(&cluster, tls)).start().await.unwrap_err();
    assert!(matches!(error, MQClientError::InvalidOption { option: "tls", .. }), "{error:?}");
    assert!(error.to_string().contains("cannot read /no/such/ca.pem"), "{error}");
}
