//! A server that follows a script: it notes each request and answers, waits or hangs up as scripted.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq_remoting::net::{Connection, ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;
use tokio::sync::Notify;

/// The place at which [`stored`] says that a message is.
pub(crate) const QUEUE_OFFSET: i64 = 7;
pub(crate) const COMMIT_LOG_OFFSET: i64 = 4711;

/// A peer's reaction to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Now(RemotingCommand),
    /// Keeps the answer until [`Peer::answer_late`].
    Late(RemotingCommand),
    Never,
    /// Closes the connection.
    HangUp,
}

/// A broker's reaction to a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Stores the message and says so.
    Store,
    /// Answers with this code.
    Answer(i32),
    /// Stores the message, and keeps the answer until [`Peer::answer_late`].
    StoreInSilence,
    /// Stores the message and closes the connection.
    StoreAndHangUp,
}

/// A request that a peer got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) request: RemotingCommand,
    pub(crate) connection: Connection,
    pub(crate) at: Instant,
}

pub(crate) struct Peer {
    pub(crate) server: RemotingServer,
    handler: Arc<Handler>,
}

impl Peer {
    /// `script` gets a request and the number of earlier requests with its code.
    pub(crate) async fn start(
        script: impl Fn(&RemotingCommand, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (script, notes, news) = (Box::new(script), Mutex::default(), Notify::new());
        let handler = Arc::new(Handler { script, notes, news });
        let options = ConnectionOptions::default();
        let server = RemotingServer::bind("127.0.0.1:0", handler.clone(), options).await.unwrap();
        Self { server, handler }
    }

    /// A broker. `script` gets the number of earlier sends; every other request succeeds.
    pub(crate) async fn broker(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start(move |request, before| {
            if request.request_code() != RequestCode::SEND_MESSAGE_V2 {
                return Reply::Now(RemotingCommand::response(ResponseCode::SUCCESS));
            }
            match script(before) {
                Act::Store => Reply::Now(stored(request, 0)),
                Act::Answer(code) => Reply::Now(stored(request, code)),
                Act::StoreInSilence => Reply::Late(stored(request, 0)),
                Act::StoreAndHangUp => Reply::HangUp,
            }
        })
        .await
    }

    pub(crate) fn address(&self) -> String {
        self.server.local_addr().to_string()
    }

    /// All requests with this code so far.
    pub(crate) fn seen(&self, code: RequestCode) -> Vec<Seen> {
        let notes = self.handler.notes.lock().unwrap();
        notes.seen.iter().filter(|seen| seen.request.request_code() == code).cloned().collect()
    }

    /// All sends so far.
    pub(crate) fn sends(&self) -> Vec<Seen> {
        self.seen(RequestCode::SEND_MESSAGE_V2)
    }

    /// The ids of the messages of all sends so far.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.sends().iter().map(|seen| unique_key(&seen.request)).collect()
    }

    /// Waits for the next request with this code, and passes over all earlier requests.
    pub(crate) async fn next(&self, code: RequestCode) -> Seen {
        let next = async {
            loop {
                let news = self.handler.news.notified();
                let mut later = self.unread().into_iter();
                if let Some(found) = later.find(|seen| seen.request.request_code() == code) {
                    self.handler.notes.lock().unwrap().read -= later.len();
                    return found;
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.unwrap_or_else(|_| panic!("no {code}"))
    }

    /// The requests that came after the last request that [`next`](Self::next) or this method returned.
    pub(crate) fn unread(&self) -> Vec<Seen> {
        let mut notes = self.handler.notes.lock().unwrap();
        let unread = notes.seen[notes.read..].to_vec();
        notes.read = notes.seen.len();
        unread
    }

    /// Sends the answers that were kept. Returns their number.
    pub(crate) fn answer_late(&self) -> usize {
        let late = std::mem::take(&mut self.handler.notes.lock().unwrap().late);
        let count = late.len();
        late.into_iter().for_each(|(responder, answer)| responder.answer_with(answer));
        count
    }
}

type Script = dyn Fn(&RemotingCommand, usize) -> Reply + Send + Sync;

struct Handler {
    script: Box<Script>,
    notes: Mutex<Notes>,
    news: Notify,
}

#[derive(Default)]
struct Notes {
    seen: Vec<Seen>,
    /// Number of requests, from the first, that the test has taken.
    read: usize,
    late: Vec<(Responder, RemotingCommand)>,
}

impl RequestHandler for Handler {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let mut notes = self.notes.lock().unwrap();
        let code = request.request_code();
        let before = notes.seen.iter().filter(|seen| seen.request.request_code() == code).count();
        let reply = (self.script)(&request, before);
        notes.seen.push(Seen { request, connection: responder.connection().clone(), at: Instant::now() });
        match reply {
            Reply::Now(answer) => responder.answer_with(answer),
            Reply::Late(answer) => notes.late.push((responder, answer)),
            Reply::Never => {}
            Reply::HangUp => responder.connection().close(),
        }
        drop(notes);
        self.news.notify_waiters();
    }
}

/// A broker in a route: name, id of its one replica, address, number of queues and their permissions.
pub(crate) type InRoute<'a> = (&'a str, i64, &'a str, i32, i32);

/// A NameServer with one route for every topic.
pub(crate) struct NameServer {
    pub(crate) peer: Peer,
    route: Arc<Mutex<TopicRouteData>>,
}

impl NameServer {
    pub(crate) async fn start(brokers: &[InRoute<'_>]) -> Self {
        let route = Arc::new(Mutex::new(route(brokers)));
        let known = route.clone();
        let peer = Peer::start(move |_, _| {
            let body = encode_body(&*known.lock().unwrap()).unwrap();
            Reply::Now(RemotingCommand::response(ResponseCode::SUCCESS).with_body(body))
        });
        Self { peer: peer.await, route }
    }

    /// Knows one queue, at this address.
    pub(crate) async fn of_broker(address: &str) -> Self {
        Self::start(&[("broker-a", 0, address, 1, 6)]).await
    }

    pub(crate) fn address(&self) -> String {
        self.peer.address()
    }

    pub(crate) fn set_route(&self, brokers: &[InRoute<'_>]) {
        *self.route.lock().unwrap() = route(brokers);
    }
}

fn route(brokers: &[InRoute<'_>]) -> TopicRouteData {
    let replicas = brokers.iter().map(|(name, id, address, _, _)| BrokerData {
        cluster: "DefaultCluster".to_owned(),
        broker_name: (*name).to_owned(),
        broker_addrs: [(*id, (*address).to_owned())].into(),
        ..BrokerData::default()
    });
    TopicRouteData {
        queue_datas: brokers.iter().map(|(name, _, _, count, perm)| queues(name, *count, *perm)).collect(),
        broker_datas: replicas.collect(),
        ..TopicRouteData::default()
    }
}

/// The queues of a broker in a route.
pub(crate) fn queues(broker_name: &str, count: i32, perm: i32) -> QueueData {
    let broker_name = broker_name.to_owned();
    QueueData { broker_name, read_queue_nums: count, write_queue_nums: count, perm, ..QueueData::default() }
}

/// The id that the client gave a message.
pub(crate) fn unique_key(request: &RemotingCommand) -> String {
    let properties = request.ext_fields.get("i").expect("a send has properties").into_owned();
    let property = properties.split('\u{2}').find_map(|property| property.strip_prefix("UNIQ_KEY\u{1}"));
    property.expect("a message has an id").to_owned()
}

/// The answer to a send, with the fields of a stored message.
pub(crate) fn stored(request: &RemotingCommand, code: i32) -> RemotingCommand {
    RemotingCommand::response(ResponseCode(code))
        .with_remark("as scripted")
        .with_field("msgId", format!("7F00000100002A9F{COMMIT_LOG_OFFSET:016X}"))
        .with_field("queueId", request.ext_fields.get("e").unwrap_or_default().into_owned())
        .with_field("queueOffset", QUEUE_OFFSET.to_string())
        .with_field("transactionId", "the id of the transaction")
}
