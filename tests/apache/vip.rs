//! The VIP channel: a second port of each broker, for those who may not wait behind others.

use std::sync::{Arc, Mutex};

use rocketmq::hook::RpcHook;
use rocketmq::model::{Message, SendStatus};
use rocketmq::producer::Producer;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::cases::support::fresh_topic;
use crate::shared::shared;

/// Notes where sends go.
#[derive(Default)]
struct Addresses(Mutex<Vec<String>>);

impl RpcHook for Addresses {
    fn before_request(&self, address: &str, request: &mut RemotingCommand) {
        if request.request_code() == RequestCode::SEND_MESSAGE_V2 {
            self.0.lock().expect("no panic under this lock").push(address.to_owned());
        }
    }
}

#[tokio::test]
async fn sends_go_two_ports_below_if_the_producer_is_a_vip() {
    let cluster = shared();
    let (host, port) = cluster.broker_addr().rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    for (vip, port) in [(false, port), (true, port - 2)] {
        let addresses = Arc::new(Addresses::default());
        let producer = Producer::builder("vip_producer").name_server_addr(cluster.name_server_addr());
        let producer = producer.option(|option| {
            option.set_vip_channel_enabled(vip).set_send_msg_timeout(20_000).add_rpc_hook(addresses.clone());
        });
        let producer = producer.start().await.unwrap();
        let sent = producer.send(Message::new(fresh_topic("vip"), "x")).await.unwrap();
        assert_eq!(sent.send_status, SendStatus::SendOk);
        assert_eq!(*addresses.0.lock().unwrap(), [format!("{host}:{port}")]);
        producer.shutdown().await.unwrap();
    }
}
