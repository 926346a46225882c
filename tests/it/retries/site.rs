//! Scripted brokers behind a NameServer whose routes the test changes, and a producer that meets them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocketmq::conf::ProducerOption;
use rocketmq::error::MQClientError;
use rocketmq::model::{Message, SendResult};
use rocketmq::producer::Producer;
use rocketmq_remoting::net::{ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::body::{BrokerData, QueueData, TopicRouteData, encode_body};
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};
use rocketmq_remoting::server::RemotingServer;

use super::script::{Act, Broker};

/// By how much a deadline may be missed on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// A broker in a route: its name, the id of the one replica, its address, how many queues and the permissions.
pub(crate) type InRoute<'a> = (&'a str, i64, &'a str, i32, i32);

/// A NameServer that gives everybody the same route.
pub(crate) struct NameServer {
    route: Mutex<TopicRouteData>,
}

impl NameServer {
    pub(crate) async fn start(brokers: &[InRoute<'_>]) -> (Arc<Self>, RemotingServer) {
        let name_server = Arc::new(Self { route: Mutex::new(route(brokers)) });
        let options = ConnectionOptions::default();
        let server = RemotingServer::bind("127.0.0.1:0", name_server.clone(), options).await.unwrap();
        (name_server, server)
    }

    pub(crate) fn set_route(&self, brokers: &[InRoute<'_>]) {
        *self.route.lock().unwrap() = route(brokers);
    }
}

impl RequestHandler for NameServer {
    fn handle(&self, _: RemotingCommand, responder: Responder) {
        let body = encode_body(&*self.route.lock().unwrap()).unwrap();
        responder.answer_with(RemotingCommand::response(ResponseCode::SUCCESS).with_body(body));
    }
}

fn route(brokers: &[InRoute<'_>]) -> TopicRouteData {
    let queues = brokers.iter().map(|(name, _, _, queues, perm)| QueueData {
        broker_name: (*name).to_owned(),
        read_queue_nums: *queues,
        write_queue_nums: *queues,
        perm: *perm,
        ..QueueData::default()
    });
    let replicas = brokers.iter().map(|(name, id, address, _, _)| BrokerData {
        cluster: "DefaultCluster".to_owned(),
        broker_name: (*name).to_owned(),
        broker_addrs: [(*id, (*address).to_owned())].into(),
        ..BrokerData::default()
    });
    TopicRouteData {
        queue_datas: queues.collect(),
        broker_datas: replicas.collect(),
        ..TopicRouteData::default()
    }
}

/// A started producer of this NameServer.
pub(crate) async fn producer(
    name_server: &RemotingServer,
    change: impl FnOnce(&mut ProducerOption),
) -> Producer {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server.local_addr().to_string()).set_group_name("retries");
    change(&mut option);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    producer
}

/// Two brokers with four queues each: the next queue in turn is mostly one of the same broker.
pub(crate) struct Site {
    pub(crate) brokers: [Arc<Broker>; 2],
    pub(crate) producer: Producer,
    pub(crate) addresses: [String; 2],
    _servers: [RemotingServer; 3],
}

impl Site {
    /// Both brokers follow one script, which gets how many sends there were at either: whichever a message goes to
    /// first, it is the first.
    pub(crate) async fn of_acts(acts: &[Act], change: impl FnOnce(&mut ProducerOption)) -> Self {
        let acts: Arc<Mutex<Vec<Act>>> = Arc::new(Mutex::new(acts.iter().rev().copied().collect()));
        let next = move || {
            let acts = acts.clone();
            move |_| acts.lock().unwrap().pop().unwrap_or(Act::Store)
        };
        let (first, first_server) = Broker::start(next()).await;
        let (second, second_server) = Broker::start(next()).await;
        let addresses = [&first_server, &second_server].map(|server| server.local_addr().to_string());
        let in_route: [InRoute<'_>; 2] =
            [("broker-a", 0, &addresses[0], 4, 6), ("broker-b", 0, &addresses[1], 4, 6)];
        let (_, name_server) = NameServer::start(&in_route).await;
        let producer = producer(&name_server, change).await;
        let _servers = [first_server, second_server, name_server];
        Self { brokers: [first, second], producer, addresses, _servers }
    }

    /// The ids that each broker saw.
    pub(crate) fn ids(&self) -> [Vec<String>; 2] {
        [self.brokers[0].ids(), self.brokers[1].ids()]
    }

    /// How many sends both brokers saw.
    pub(crate) fn sends(&self) -> usize {
        self.ids().iter().map(Vec::len).sum()
    }

    /// The one id that all attempts had, of which there were so many, spread evenly.
    pub(crate) fn assert_attempts(&self, count: usize) -> String {
        let ids = self.ids();
        assert_eq!(self.sends(), count, "{ids:?}");
        assert!(ids[0].len().abs_diff(ids[1].len()) <= 1, "another broker each time: {ids:?}");
        let mut all = ids.concat();
        all.dedup();
        assert_eq!(all.len(), 1, "one id: {ids:?}");
        all.remove(0)
    }
}

/// A send on its way.
pub(crate) type Sending<'a> = Pin<Box<dyn Future<Output = Result<SendResult, MQClientError>> + Send + 'a>>;

/// The two ways to send that have a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Sync,
    Async,
}

pub(crate) const MODES: [Mode; 2] = [Mode::Sync, Mode::Async];

impl Mode {
    pub(crate) fn send(self, producer: &Producer) -> Sending<'_> {
        let message = Message::new("T", "x");
        Box::pin(async move {
            match self {
                Mode::Sync => producer.send(message).await,
                Mode::Async => {
                    let (done, outcome) = tokio::sync::oneshot::channel();
                    producer.send_async(message, |sent| _ = done.send(sent)).await?;
                    outcome.await.expect("the callback runs")
                }
            }
        })
    }
}

/// The output of a future, and how long it took.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = future.await;
    (output, began.elapsed())
}

/// Waits for something that happens in the background.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(10), "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
