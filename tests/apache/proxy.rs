//! The mock's proxy before Apache's servers.

use rocketmq::admin::MQAdmin;
use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockProxy;
use rocketmq_remoting::protocol::{RequestCode, ResponseCode, SerializeType};

use crate::cases::support::eventually;
use crate::stage::shared;

/// How many messages a topic has.
async fn stored(admin: &MQAdmin, topic: &str) -> i64 {
    let offsets = admin.max_offsets(topic).await.expect("offsets").into_complete().expect("all");
    offsets.into_iter().map(|(_, offset)| offset).sum()
}

#[tokio::test]
async fn a_connection_that_ends_instead_of_an_answer_makes_a_duplicate_on_apaches_broker() {
    let cluster = shared();
    let admin = MQAdmin::connect(cluster.name_server_addr()).await.unwrap();
    for (form, topic) in [(SerializeType::Json, "proxied-json"), (SerializeType::RocketMq, "proxied-binary")]
    {
        let proxy = MockProxy::start(cluster.name_server_addr()).await.unwrap();
        let mut option = ProducerOption::default();
        option.set_name_server_addr(proxy.name_server_addr()).set_group_name("proxied");
        option.set_serialize_type(form);
        let producer = Producer::new(option);
        producer.start().await.unwrap();
        producer.send(Message::new(topic, "once")).await.unwrap();

        // By the name that Apache's routes have for the broker.
        let rule = "on=sends topic={} server=broker-a times=1 do=close_afterwards".replace("{}", topic);
        proxy.inject(rule.parse().unwrap()).unwrap();
        let sent = producer.send(Message::new(topic, "twice")).await.unwrap();

        let sends = proxy.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 3).await.unwrap();
        let done = Some(ResponseCode::SUCCESS);
        assert_eq!(sends.iter().map(|send| send.answer).collect::<Vec<_>>(), [done, None, done]);
        let ids = sends.iter().map(|send| send.fields.get("i").unwrap().contains(&*sent.msg_id));
        assert_eq!(ids.collect::<Vec<_>>(), [false, true, true], "both attempts have one id");
        eventually("the duplicate", async || (stored(&admin, topic).await == 3).then_some(())).await;
        producer.shutdown().await.unwrap();
    }
}
