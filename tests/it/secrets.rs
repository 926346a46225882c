//! Fields that name the client in every request, and secrets that no log shows. `tests/cases/acl.rs` has who is let in.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AdminOption, ProducerOption};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};
use tracing_subscriber::filter::LevelFilter;

use crate::alone::run_alone;
use crate::log::Log;
use crate::peer::{Peer, Reply};

const ACCESS_KEY: &str = "known-user";
const SECRET_KEY: &str = "right-secret-4711";

#[tokio::test]
async fn requests_name_namespace_zone_and_kind() {
    let no_route =
        |_: &RemotingCommand, _| Reply::Now(RemotingCommand::response(ResponseCode::TOPIC_NOT_EXIST));
    let name_server = Peer::start(no_route).await;
    let mut option = AdminOption::default();
    option.set_name_server_addr(name_server.address());
    MQAdmin::with_option(&option).await.unwrap();
    option.set_namespace_v2("orders").set_zone("zone-1").set_enable_stream_request_type(true);
    MQAdmin::with_option(&option).await.unwrap();

    let requests = name_server.unread();
    let [plain, named] = requests.as_slice() else { panic!("expected two requests: {requests:?}") };
    for (name, value) in
        [("nsd", "true"), ("ns", "orders"), ("__ZONE_NAME", "zone-1"), ("__ZONE_MODE", "true"), ("ReqT", "0")]
    {
        assert_eq!(plain.request.ext_fields.get(name), None, "{name}");
        assert_eq!(named.request.ext_fields.get(name).as_deref(), Some(value), "{name}");
    }
}

/// Alone, because each call site of `tracing` remembers for the whole process whether a subscriber wants its records. A
/// test on another thread, which has no subscriber, may silence it.
#[test]
fn no_secret_is_ever_logged() {
    run_alone("secrets::everything_is_logged_without_secrets", &[]);
}

#[tokio::test]
#[ignore = "no_secret_is_ever_logged runs it alone"]
async fn everything_is_logged_without_secrets() {
    let (log, _logging) = Log::start(LevelFilter::TRACE);

    let cluster = MockCluster::builder().acl(ACCESS_KEY, SECRET_KEY).start().await.unwrap();
    for (secret, token) in
        [(SECRET_KEY, "token-4711"), ("wrong-secret-4711", "token-4711"), ("x\"\\{}-4711", "")]
    {
        let mut option = ProducerOption::default();
        option.set_name_server_addr(cluster.name_server_addr()).set_group_name("secretive");
        option.set_credentials(ACCESS_KEY, secret).set_security_token(token);
        let producer = Producer::new(option);
        producer.start().await.unwrap();
        let outcome = producer.send(Message::new("SecretTopic", "hello")).await;
        assert_eq!(outcome.is_ok(), secret == SECRET_KEY);
        let told = format!("{outcome:?} {producer:?} {:?}", producer.shutdown().await);
        for text in [told, log.text()] {
            assert!(!text.contains(secret) && (token.is_empty() || !text.contains(token)), "{text}");
        }
    }
    assert!(!log.text().is_empty(), "there was something to look at");
}
