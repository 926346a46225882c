//! Groups whose members are this project's consumers and Java's, on the mock and on Apache's broker.
//!
//! - this file: the servers, the members, the messages, and what must hold of what was handled
//! - `sharing`: members that join, leave and are killed
//! - `order`: orderly members
//! - `strategies`: who gets which queues
//! - `failing`: messages that come again, and dead letters
//! - `popping`: messages that brokers hand out, and modes that are switched
//! - `pulling`: members that poll
//! - `by_tool`, `traced`: what Apache's tool says of members of both clients, and what they record in the trace topic
//! - `broadcast`: the file with the offsets of a broadcast member

mod broadcast;
mod by_tool;
mod failing;
mod order;
mod popping;
mod pulling;
mod sharing;
mod strategies;
mod traced;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};
use rocketmq::conf::ProducerOption;
use rocketmq::model::{Message, MessageQueue};
use rocketmq::producer::Producer;
use rocketmq::selector::SelectMessageQueueByHash;
use tokio::task::JoinHandle;

use crate::java::{self, Java};
use crate::members::{Done, Members, ours, until};
use crate::program;
use crate::servers::{Server, runtime};

/// Whose client a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Ours,
    Java,
}

/// Each client before and after the other.
const BOTH_WAYS: [(Client, Client); 2] = [(Client::Ours, Client::Java), (Client::Java, Client::Ours)];

/// Runs a case on the mock and on Apache's broker, both ways round.
fn everywhere(case: impl AsyncFn(&Scene, Client, Client)) {
    for server in [Server::Mock, Server::Apache] {
        let name_server = server.plain().name_server;
        for (first, second) in BOTH_WAYS {
            eprintln!("{server:?}: {first:?}, then {second:?}");
            runtime().block_on(async { case(&Scene::new(&name_server, 4).await, first, second).await });
        }
    }
}

/// A topic with a group that nobody else uses.
struct Scene {
    name_server: String,
    topic: String,
    group: String,
    producer: Producer,
    admin: MQAdmin,
}

impl Scene {
    async fn new(name_server: &str, queues: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |kind: &str| format!("Mixed_{kind}_{}_{number}", std::process::id());
        let admin = MQAdmin::connect(name_server).await.expect("connect an admin");
        let topic = name("topic");
        let created = admin.create_topic(&TopicConfig::new(&*topic, queues), &Brokers::All).await;
        assert!(created.expect("a topic").is_complete());
        let mut option = ProducerOption::default();
        option
            .set_name_server_addr(name_server)
            .set_group_name("mixed_producer")
            .set_send_msg_timeout(20_000);
        let producer = Producer::new(option);
        producer.start().await.expect("the producer starts");
        Self { name_server: name_server.to_owned(), topic, group: name("group"), producer, admin }
    }

    /// Starts a process for members with this client.
    async fn members(&self, client: Client) -> Members {
        self.members_at(client, &program::fetched("home").join("members")).await
    }

    /// Starts a process whose user has this home.
    async fn members_at(&self, client: Client, home: &Path) -> Members {
        std::fs::create_dir_all(home).expect("create a home");
        let program = match client {
            Client::Java => java_program(&self.name_server, home),
            Client::Ours => {
                let mut program = ours::program(&self.name_server);
                program.env("HOME", home);
                program
            }
        };
        Members::start(program).await
    }

    /// Sends `prefix0`, `prefix1` …, and returns them.
    async fn send(&self, prefix: &str, count: usize) -> BTreeSet<String> {
        let bodies: BTreeSet<String> = (0..count).map(|number| format!("{prefix}{number}")).collect();
        for body in &bodies {
            self.producer.send(Message::new(&*self.topic, body.clone())).await.expect("it is sent");
        }
        bodies
    }

    /// What the group has committed for the four queues of the topic.
    async fn committed(&self) -> [Option<i64>; 4] {
        let mut offsets = [None; 4];
        for (number, offset) in (0..).zip(&mut offsets) {
            let queue = MessageQueue::new(&*self.topic, "broker-a", number);
            *offset = self.admin.consumer_offset(&self.group, &queue).await.expect("an answer");
        }
        offsets
    }

    /// Sends a message of each of 8 orders every few milliseconds, until it is stopped.
    fn load(&self) -> Load {
        let stopped = Arc::new(AtomicBool::new(false));
        let (stop, producer, topic) = (stopped.clone(), self.producer.clone(), self.topic.clone());
        let sending = tokio::spawn(async move {
            let mut sent = BTreeSet::new();
            for step in 0.. {
                for order in 0..8 {
                    let body = format!("order{order}-{step:06}");
                    let message = Message::new(&*topic, body.clone());
                    let to = format!("order{order}");
                    let sending = producer.send_with_selector(message, SelectMessageQueueByHash, &to);
                    sending.await.expect("it is sent");
                    sent.insert(body);
                }
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            sent
        });
        Load { stopped, sending }
    }
}

/// Messages that are sent all the time.
struct Load {
    stopped: Arc<AtomicBool>,
    sending: JoinHandle<BTreeSet<String>>,
}

impl Load {
    /// Sends no more, and returns the bodies that were sent.
    async fn stop(self) -> BTreeSet<String> {
        self.stopped.store(true, Ordering::Relaxed);
        self.sending.await.expect("no panic")
    }
}

/// The program with Java's client.
fn java_program(name_server: &str, home: &Path) -> Command {
    static COMPILED: OnceLock<Java> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let compiled =
        COMPILED.get_or_init(|| Java::compiled("members-5.5.0", &["members"], &java::apache_lib()));
    compiled.command("Members", home, name_server)
}

/// What several processes have handled, by the time at which it ended.
fn handled(processes: &[&Members]) -> Vec<Done> {
    let mut all: Vec<Done> = processes.iter().flat_map(|members| members.done()).collect();
    all.sort_by_key(|done| done.ended);
    all
}

fn bodies(handled: &[Done]) -> BTreeSet<String> {
    handled.iter().map(|done| done.body.clone()).collect()
}

/// What was handled once more, with the call before.
fn repeats(handled: &[Done]) -> Vec<(Done, Done)> {
    let mut last = BTreeMap::new();
    let mut repeats = Vec::new();
    for done in handled {
        if let Some(before) = last.insert(&done.body, done) {
            repeats.push((before.clone(), done.clone()));
        }
    }
    repeats
}

/// Waits until these bodies have been handled.
async fn until_handled(wanted: &BTreeSet<String>, processes: &[&Members]) {
    until("all messages", || wanted.is_subset(&bodies(&handled(processes)))).await;
}

/// Waits until a process has handled this number of messages more.
async fn until_more(members: &Members, count: usize) {
    let before = members.done().len();
    until("more messages", || members.done().len() >= before + count).await;
}

/// Now, in microseconds since 1970.
fn micros() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_micros() as u64
}

/// Waits until a member has this number of queues.
async fn until_queues(members: &mut Members, name: &str, count: usize) {
    for _ in 0..600 {
        if members.queues(name).await.len() == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} does not have {count} queues: {:?}", members.queues(name).await);
}

/// A folder of its own, gone at the end.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
