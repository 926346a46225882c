//! Routes.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use rocketmq_remoting::net::{RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

/// A NameServer whose topics are all alike.
#[derive(Debug)]
pub(super) struct NameServer {
    topics: HashSet<String>,
    /// The route of each topic.
    route: Bytes,
}

impl NameServer {
    pub(super) fn new(brokers: &[SocketAddr], queues: u32, topics: Vec<String>) -> io::Result<Self> {
        let queues = i32::try_from(queues).map_err(io::Error::other)?;
        let mut route = TopicRouteData::default();
        for (number, address) in brokers.iter().enumerate() {
            let broker_name = broker_name(number);
            route.queue_datas.push(QueueData {
                broker_name: broker_name.clone(),
                read_queue_nums: queues,
                write_queue_nums: queues,
                // Readable and writable.
                perm: 6,
                ..QueueData::default()
            });
            route.broker_datas.push(BrokerData {
                cluster: "DefaultCluster".to_owned(),
                broker_name,
                broker_addrs: [(0, address.to_string())].into(),
                ..BrokerData::default()
            });
        }
        let route = encode_body(&route).map_err(io::Error::other)?;
        Ok(Self { topics: topics.into_iter().collect(), route })
    }
}

impl RequestHandler for NameServer {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        if request.request_code() != RequestCode::GET_ROUTEINFO_BY_TOPIC {
            return responder.not_supported(&request);
        }
        let topic = request.ext_fields.get("topic").unwrap_or_default();
        responder.answer_with(if self.topics.contains(&*topic) {
            RemotingCommand::response(ResponseCode::SUCCESS).with_body(self.route.clone())
        } else {
            let remark = format!("No topic route info in name server for the topic: {topic}");
            RemotingCommand::response(ResponseCode::TOPIC_NOT_EXIST).with_remark(remark)
        });
    }
}

/// `broker-a`, and numbers after the 26th letter.
fn broker_name(number: usize) -> String {
    match u8::try_from(number) {
        Ok(number @ 0..26) => format!("broker-{}", char::from(b'a' + number)),
        _ => format!("broker-{number}"),
    }
}
