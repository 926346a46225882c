//! A NameServer and brokers that answer sends at once and store nothing: a benchmark of a client must not wait for its
//! server.
//!
//! Each broker reads all that has arrived, answers its whole frames under one lock, and writes all answers at once.
//! Answers have JSON headers and the fields of a broker 5.5.0. Of a send, only the topic and the queue are checked.
//!
//! | to find | look in |
//! |---|---|
//! | routes | `name_server` |
//! | topics, offsets, answers | `broker` |
//! | sockets of brokers | `connection` |
//! | requests out of frames | `request` |

mod broker;
mod connection;
mod name_server;
mod request;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rocketmq_remoting::net::{ConnectionOptions, TaskOwner};
use rocketmq_remoting::protocol::{LanguageCode, SerializeType};
use rocketmq_remoting::server::RemotingServer;
use tokio::net::TcpListener;

use crate::process::{self, TOPIC};
use broker::Broker;
use name_server::NameServer;

/// One NameServer and the brokers in its routes, on free ports of the loopback. Dropping it stops them.
#[derive(Debug)]
pub struct DiscardingServers {
    name_server: RemotingServer,
    brokers: Vec<SocketAddr>,
    tasks: TaskOwner,
}

impl DiscardingServers {
    /// Starts `brokers` brokers, each of which has these topics with `queues` queues each.
    ///
    /// # Errors
    /// When no port is free, or outside a tokio runtime.
    pub async fn start(brokers: usize, queues: u32, topics: Vec<String>) -> io::Result<Self> {
        let tasks = TaskOwner::new().map_err(io::Error::other)?;
        let mut addresses = Vec::new();
        for _ in 0..brokers {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            addresses.push(address);
            let broker = Arc::new(Broker::new(address, queues, &topics));
            tasks.spawn(connection::accept_all(listener, broker, tasks.clone()));
        }
        let mut options = ConnectionOptions::default();
        options.language = LanguageCode::JAVA;
        options.serialize_type = SerializeType::Json;
        let routes = NameServer::new(&addresses, queues, topics)?;
        let name_server = RemotingServer::bind((Ipv4Addr::LOCALHOST, 0), Arc::new(routes), options).await?;
        Ok(Self { name_server, brokers: addresses, tasks })
    }

    /// The address of the NameServer.
    pub fn name_server_addr(&self) -> String {
        self.name_server.local_addr().to_string()
    }

    /// The addresses of the brokers, in the order of their names.
    pub fn broker_addrs(&self) -> &[SocketAddr] {
        &self.brokers
    }
}

impl Drop for DiscardingServers {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

/// Serves one broker with [`TOPIC`], if this is the server process that [`process::ServerProcess`] started; otherwise
/// returns at once.
///
/// # Panics
/// When no port is free.
pub fn serve_if_told() {
    process::serve_if_told(async {
        let servers = DiscardingServers::start(1, 4, vec![TOPIC.to_owned()]).await.expect("free ports");
        let (name_server, broker) = (servers.name_server_addr(), servers.broker_addrs()[0]);
        (servers, name_server, broker)
    });
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rocketmq::model::{Message, SendStatus};
    use rocketmq::producer::Producer;
    use rocketmq_remoting::protocol::{
        FrameLimits, RemotingCommand, RequestCode, ResponseCode, decode_frame,
    };

    use super::*;
    use crate::samples::send_header;

    fn broker() -> Broker {
        Broker::new("127.0.0.1:10911".parse().unwrap(), 4, &[TOPIC.to_owned()])
    }

    /// A frame in short names.
    fn frame(command: RemotingCommand, serialize_type: SerializeType, opaque: i32) -> BytesMut {
        let mut command = command.with_opaque(opaque);
        command.serialize_type = serialize_type;
        let mut frame = BytesMut::new();
        command.encode(&mut frame).unwrap();
        frame
    }

    fn send(topic: &str) -> RemotingCommand {
        RemotingCommand::request_with(&send_header(topic)).with_body("x")
    }

    fn answers(mut bytes: BytesMut) -> Vec<RemotingCommand> {
        let next = || decode_frame(&mut bytes, &FrameLimits::default()).unwrap();
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn requests_in_both_forms_and_in_pieces_are_answered_alike() {
        let requests = [
            send(TOPIC),
            send("Unknown"),
            RemotingCommand::request_with(&send_header(TOPIC)).with_field("e", "4"),
            RemotingCommand::request(RequestCode::HEART_BEAT),
            send(TOPIC).oneway(),
            RemotingCommand::request(RequestCode::PULL_MESSAGE),
            send(TOPIC),
        ];
        let expected = [
            ResponseCode::SUCCESS,
            ResponseCode::TOPIC_NOT_EXIST,
            ResponseCode::INVALID_PARAMETER,
            ResponseCode::SUCCESS,
            ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
            ResponseCode::SUCCESS,
        ];
        for serialize_type in [SerializeType::RocketMq, SerializeType::Json] {
            let sent: Vec<_> =
                (0..).zip(&requests).map(|(n, request)| frame(request.clone(), serialize_type, n)).collect();
            let sent = sent.concat();
            for size in [1, 7, sent.len()] {
                let (broker, mut incoming, mut out) = (broker(), BytesMut::new(), BytesMut::new());
                for piece in sent.chunks(size) {
                    incoming.extend_from_slice(piece);
                    broker.answer(&mut incoming, &mut out).unwrap();
                }
                let answers = answers(out);
                let codes: Vec<_> = answers.iter().map(RemotingCommand::response_code).collect();
                assert_eq!(codes, expected);
                assert_eq!(
                    answers.iter().map(|answer| answer.opaque).collect::<Vec<_>>(),
                    [0, 1, 2, 3, 5, 6]
                );
                let last = &answers[5].ext_fields;
                assert_eq!(last.get("queueOffset").as_deref(), Some("1"));
                assert_eq!(last.get("transactionId").as_deref(), Some("7F0000010001000000000000000000FF"));
            }
        }
    }

    #[tokio::test]
    async fn a_producer_sends_single_messages_and_batches_to_all_brokers() {
        let servers = DiscardingServers::start(2, 1, vec!["A".to_owned(), "B".to_owned()]).await.unwrap();
        let builder = Producer::builder("bench").name_server_addr(servers.name_server_addr());
        let producer = builder.start().await.unwrap();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let sent = producer.send(Message::new("B", "x")).await.unwrap();
            assert_eq!(sent.send_status, SendStatus::SendOk);
            seen.push((sent.message_queue.broker_name().to_owned(), sent.queue_offset));
        }
        seen.sort();
        let [a, b] = ["broker-a", "broker-b"].map(str::to_owned);
        assert_eq!(seen, [(a.clone(), 0), (a, 1), (b.clone(), 0), (b, 1)]);
        let offset = async |count: usize| {
            let messages = std::iter::repeat_with(|| Message::new("A", "x")).take(count);
            producer.send_batch(messages).await.unwrap().queue_offset
        };
        assert_eq!([offset(3).await, offset(3).await, offset(1).await], [0, 0, 3]);
        producer.shutdown().await.unwrap();
    }
}
