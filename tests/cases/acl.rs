//! Signed requests to brokers that know one user, [`ACCESS_KEY`] with [`SECRET_KEY`], who may do everything.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AdminOption, ProducerOption};
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, SendStatus};
use rocketmq::producer::Producer;
use rocketmq_remoting::protocol::{ResponseCode, SerializeType};

use super::support::fresh_topic;
use crate::stage;

pub(crate) const ACCESS_KEY: &str = "case-user";
pub(crate) const SECRET_KEY: &str = "case-secret-密钥";

#[tokio::test]
async fn who_has_the_key_is_served() {
    let name_server = &*stage::name_server_with_acl().await;
    for serialize_type in [SerializeType::Json, SerializeType::RocketMq] {
        send_and_read_back(name_server, |option| {
            option.set_credentials(ACCESS_KEY, SECRET_KEY).set_serialize_type(serialize_type);
        })
        .await;
    }
}

#[tokio::test]
async fn fields_of_every_request_are_signed_too() {
    let name_server = &*stage::name_server_with_acl().await;
    send_and_read_back(name_server, |option| {
        option.set_credentials(ACCESS_KEY, SECRET_KEY).set_security_token("case-token");
        option.set_namespace_v2("case-namespace").set_enable_stream_request_type(true);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let name_server = &*stage::name_server_with_acl().await;
    let error = refused(name_server, |option| {
        option.set_credentials(ACCESS_KEY, "another-secret");
    })
    .await;
    assert_refusal(&error, "check signature failed: check the credentials");
    assert!(!format!("{error} {error:?}").contains("another-secret"), "{error:?}");
}

#[tokio::test]
async fn who_has_no_key_is_refused() {
    let name_server = &*stage::name_server_with_acl().await;
    assert_refusal(
        &refused(name_server, |_| {}).await,
        "username cannot be null: the broker wants credentials",
    );
}

#[tokio::test]
async fn an_unknown_user_is_refused() {
    let name_server = &*stage::name_server_with_acl().await;
    let error = refused(name_server, |option| {
        option.set_credentials("nobody", SECRET_KEY);
    })
    .await;
    assert_refusal(&error, "User:nobody is not found: check the credentials");
}

async fn producer(name_server: &str, change: impl FnOnce(&mut ProducerOption)) -> Producer {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server).set_group_name("acl_producer").set_send_msg_timeout(20_000);
    change(&mut option);
    let producer = Producer::new(option);
    producer.start().await.expect("NameServers answer everybody");
    producer
}

async fn send_and_read_back(name_server: &str, change: impl FnOnce(&mut ProducerOption)) {
    let producer = producer(name_server, change).await;
    let sent = producer.send(Message::new(fresh_topic("acl"), "签名 signed").with_keys("k")).await;
    let sent = sent.expect("the message is sent");
    assert_eq!(sent.send_status, SendStatus::SendOk);

    let mut option = AdminOption::default();
    option.set_name_server_addr(name_server).set_credentials(ACCESS_KEY, SECRET_KEY);
    let admin = MQAdmin::with_option(&option).await.expect("the admin connects");
    let stored = admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
    assert_eq!(&stored.body()[..], "签名 signed".as_bytes());

    let mut option = AdminOption::default();
    option.set_name_server_addr(name_server);
    let stranger = MQAdmin::with_option(&option).await.expect("NameServers answer everybody");
    let error = stranger.view_message(&sent.offset_msg_id).await.expect_err("it is not for everybody");
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION), "{error:?}");
    assert!(producer.shutdown().await.expect("it shuts down").is_clean());
}

async fn refused(name_server: &str, change: impl FnOnce(&mut ProducerOption)) -> MQClientError {
    let producer = producer(name_server, change).await;
    producer.send(Message::new(fresh_topic("acl"), "unsigned")).await.expect_err("the broker refuses")
}

fn assert_refusal(error: &MQClientError, remark: &str) {
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION), "{error:?}");
    assert!(error.to_string().contains(&format!(": {remark} (set_credentials) (send, ")), "{error}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    let attempts = error.attempts().len();
    assert!((1..=3).contains(&attempts), "{attempts} attempts, two retries are the default");
}
