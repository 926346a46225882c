//! The VIP channel, a second port of the broker, two below the first, that serves sends while the first is busy with
//! consumers; and the unit that a client belongs to.

use std::sync::{Arc, Mutex};

use rocketmq::hook::RpcHook;
use rocketmq::model::{Message, SendStatus};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::cases::support::{Site, eventually, fresh_topic};
use crate::stage::shared;

/// Where a send went, and what it said of the unit.
type Seen = (String, Option<String>);

#[derive(Clone, Default)]
struct Sends(Arc<Mutex<Vec<Seen>>>);

impl RpcHook for Sends {
    fn before_request(&self, address: &str, request: &mut RemotingCommand) {
        if request.request_code() == RequestCode::SEND_MESSAGE_V2 {
            let unit_mode = request.ext_fields.get("k").map(std::borrow::Cow::into_owned);
            self.0.lock().expect("nobody panics").push((address.to_owned(), unit_mode));
        }
    }
}

#[tokio::test]
async fn sends_go_to_the_vip_channel_and_topics_belong_to_the_unit() {
    let cluster = shared();
    let (host, port) = cluster.broker_addr().rsplit_once(':').expect("host:port");
    let vip_channel = format!("{host}:{}", port.parse::<u16>().expect("a port") - 2);
    for (vip, unit, address) in [(true, true, &*vip_channel), (false, false, cluster.broker_addr())] {
        let (sends, group) = (Sends::default(), format!("vip_{vip}"));
        let site = Site::with(cluster.name_server_addr(), |option| {
            option.set_vip_channel_enabled(vip).set_unit_mode(unit).set_unit_name("unit1");
            option.set_group_name(&group).add_rpc_hook(Arc::new(sends.clone()));
        })
        .await;
        let topic = fresh_topic("vip");
        let sent = site.producer.send(Message::new(topic.as_str(), "x")).await.expect("sent");
        assert_eq!(sent.send_status, SendStatus::SendOk);
        let stored = site.pull_one(&sent.message_queue, sent.queue_offset).await;
        assert_eq!(stored.msg_id(), sent.msg_id);
        let seen = sends.0.lock().expect("nobody panics").clone();
        assert_eq!(seen, [(address.to_owned(), Some(unit.to_string()))]);
        // The broker remembers that the first send came from a unit: bit 0, TopicSysFlag.FLAG_UNIT.
        let queues = site.admin.route(&topic).await.expect("it has a route").queue_datas;
        assert!(!queues.is_empty() && queues.iter().all(|queues| queues.topic_sys_flag == i32::from(unit)));
        // The id says which unit; the heartbeat that tells it comes a moment later.
        let group = &group;
        eventually("the id of the producer", || async {
            let answers = site.admin.producer_connections(group, &topic).await.expect("an answer");
            let members = answers.into_complete().expect("there is one broker").remove(0).1;
            members
                .first()
                .map(|member| assert!(member.client_id.ends_with("@unit1"), "{}", member.client_id))
        })
        .await;
    }
}
