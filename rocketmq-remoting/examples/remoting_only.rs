//! Asks a NameServer for the route of a topic with this crate alone.
//!
//! `cargo run -p rocketmq-remoting --example remoting_only -- 127.0.0.1:9876 TopicTest`. Without arguments it asks a
//! small NameServer of its own, made with the serving side of this crate.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData, decode_body, encode_body};
use rocketmq_remoting::protocol::header::GetRouteInfoRequestHeader;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (server, address) = match arguments.next() {
        Some(address) => (None, address),
        None => {
            let own =
                RemotingServer::bind("127.0.0.1:0", Arc::new(OneTopic), ConnectionOptions::default()).await?;
            let address = own.local_addr().to_string();
            (Some(own), address)
        }
    };
    let topic = arguments.next().unwrap_or_else(|| "TopicTest".to_owned());

    let client = RemotingClient::new(ConnectionOptions::default(), Arc::new(NoRequests))?;
    let header =
        GetRouteInfoRequestHeader { topic: topic.as_str().into(), ..GetRouteInfoRequestHeader::default() };
    let reply = client.call(&address, &header, &Bytes::new(), Duration::from_secs(3)).await?;
    let route: TopicRouteData = decode_body(&reply.body)?;
    println!("route of {topic}, from {address}:");
    for queues in &route.queue_datas {
        println!(
            "  {}: {} queues to read, {} to write",
            queues.broker_name, queues.read_queue_nums, queues.write_queue_nums
        );
    }
    for broker in &route.broker_datas {
        println!("  {} is at {:?}", broker.broker_name, broker.broker_addrs);
    }
    client.shutdown(Duration::from_secs(1)).await;
    drop(server);
    Ok(())
}

/// A NameServer that knows one topic.
struct OneTopic;

impl RequestHandler for OneTopic {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let topic = request.ext_fields.get("topic").unwrap_or_default().into_owned();
        if request.code != RequestCode::GET_ROUTEINFO_BY_TOPIC.0 {
            responder.not_supported(&request);
        } else if topic == "TopicTest" {
            let answer = match encode_body(&route_of_one_broker()) {
                Ok(body) => RemotingCommand::response(ResponseCode::SUCCESS).with_body(body),
                Err(error) => {
                    RemotingCommand::response(ResponseCode::SYSTEM_ERROR).with_remark(error.to_string())
                }
            };
            responder.answer_with(answer);
        } else {
            let remark = format!("No topic route info in name server for the topic: {topic}");
            responder
                .answer_with(RemotingCommand::response(ResponseCode::TOPIC_NOT_EXIST).with_remark(remark));
        }
    }
}

fn route_of_one_broker() -> TopicRouteData {
    let queues = QueueData {
        broker_name: "broker-a".to_owned(),
        read_queue_nums: 4,
        write_queue_nums: 4,
        perm: 6,
        ..QueueData::default()
    };
    let broker = BrokerData {
        cluster: "DefaultCluster".to_owned(),
        broker_name: "broker-a".to_owned(),
        broker_addrs: [(0, "127.0.0.1:10911".to_owned())].into(),
        ..BrokerData::default()
    };
    TopicRouteData { queue_datas: vec![queues], broker_datas: vec![broker], ..TopicRouteData::default() }
}
