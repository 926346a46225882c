//! A NameServer and broker in one, played by the test.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use rocketmq_common::OffsetMsgId;
use rocketmq_remoting::net::{Connection, ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::header::SendMessageRequestHeader;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;
use tokio::sync::mpsc;

/// The place where every message is said to be stored.
pub(crate) const QUEUE_OFFSET: i64 = 7;
pub(crate) const COMMIT_LOG_OFFSET: i64 = 4711;

/// Answers as a broker does, tells of every request, and leaves the rest to the test.
pub(crate) struct Broker {
    pub(crate) address: String,
    pub(crate) requests: mpsc::Receiver<(RemotingCommand, Connection)>,
    _server: RemotingServer,
}

struct Handler {
    address: OnceLock<String>,
    /// The answers to sends, in turn; then success.
    statuses: Mutex<Vec<ResponseCode>>,
    seen: mpsc::Sender<(RemotingCommand, Connection)>,
}

impl Broker {
    /// The last of `statuses` answers the first send.
    pub(crate) async fn start(statuses: &[ResponseCode]) -> Self {
        let (seen, requests) = mpsc::channel(1000);
        let statuses = Mutex::new(statuses.to_vec());
        let handler = Arc::new(Handler { address: OnceLock::new(), statuses, seen });
        let options = ConnectionOptions::default();
        let server = RemotingServer::bind("127.0.0.1:0", handler.clone(), options).await.unwrap();
        let address = server.local_addr().to_string();
        handler.address.set(address.clone()).unwrap();
        Self { address, requests, _server: server }
    }

    /// The next request with this code, and how many others of it may have come before is left out.
    pub(crate) async fn next(&mut self, code: RequestCode) -> (RemotingCommand, Connection) {
        let next = async {
            loop {
                let (request, connection) = self.requests.recv().await.unwrap();
                if request.request_code() == code {
                    return (request, connection);
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.unwrap_or_else(|_| panic!("no {code}"))
    }

    /// The requests that have come since, without waiting.
    pub(crate) fn so_far(&mut self) -> Vec<RemotingCommand> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).map(|(request, _)| request).collect()
    }
}

impl Handler {
    fn route(&self) -> Bytes {
        let (broker_name, cluster) = ("broker-a".to_owned(), "C".to_owned());
        let queue = QueueData { broker_name: broker_name.clone(), perm: 6, ..QueueData::default() };
        let queue = QueueData { read_queue_nums: 1, write_queue_nums: 1, ..queue };
        let broker_addrs = [(0, self.address.get().unwrap().clone())].into();
        let broker = BrokerData { cluster, broker_name, broker_addrs, ..BrokerData::default() };
        let (queue_datas, broker_datas) = (vec![queue], vec![broker]);
        encode_body(&TopicRouteData { queue_datas, broker_datas, ..TopicRouteData::default() }).unwrap()
    }

    fn stored(&self, request: &RemotingCommand) -> RemotingCommand {
        let header = SendMessageRequestHeader::decode(request.request_code(), &request.ext_fields).unwrap();
        let store_host = self.address.get().unwrap().parse().unwrap();
        let msg_id = OffsetMsgId { store_host, commit_log_offset: COMMIT_LOG_OFFSET }.to_string();
        let status = self.statuses.lock().unwrap().pop().unwrap_or(ResponseCode::SUCCESS);
        RemotingCommand::response(status)
            .with_field("msgId", msg_id)
            .with_field("queueId", header.queue_id.to_string())
            .with_field("queueOffset", QUEUE_OFFSET.to_string())
            .with_field("transactionId", "the id of the transaction")
    }
}

impl RequestHandler for Handler {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        self.seen.try_send((request.clone(), responder.connection().clone())).unwrap();
        let answer = match request.request_code() {
            RequestCode::GET_ROUTEINFO_BY_TOPIC => {
                RemotingCommand::response(ResponseCode::SUCCESS).with_body(self.route())
            }
            RequestCode::SEND_MESSAGE_V2 => self.stored(&request),
            _ => RemotingCommand::response(ResponseCode::SUCCESS),
        };
        responder.answer_with(answer);
    }
}
