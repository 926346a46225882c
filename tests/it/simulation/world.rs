//! Carries a plan out: what happens to a group, and how it has to end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use rocketmq::conf::ProducerOption;
use rocketmq::model::{Message, mix_all};
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{
    BrokerEvent, BrokerSnapshot, HistoryEntry, InMemoryNetwork, MockCluster, SlaveLag,
};
use rocketmq_remoting::net::memory::seed_random;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::checker::{self, Kept};
use super::crew::{self, Member};
use super::damage::Damaged;
use super::line::Line;
use super::log::{Entry, Log, What};
use super::older::Lost;
use super::plan::{GROUP, Kind, Mode, OTHER, Plan, Server, TOPIC, kind, size, tag};
use super::popping;
use super::trouble::broker_name;

/// After the last fault the group has this long to finish everything: a member that vanished is given up after 120 s, a
/// lock after 60 s, and a message waits up to 100 s for its retries.
const HEALING: Duration = Duration::from_secs(400);
/// At the end nothing happens for this long.
const QUIET: Duration = Duration::from_secs(40);
/// Messages that are sent when all faults are over.
const LATE: u32 = 6;

/// What came of a run.
pub(super) struct Outcome {
    /// The invariants that did not hold.
    pub(super) problems: Vec<String>,
    /// All that happened, line by line: equal for equal seeds.
    pub(super) history: String,
    /// When the group was healed, counted from the last fault.
    pub(super) healed: Option<Duration>,
}

/// A run, as its parts share it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Arc<Plan>,
    pub(super) network: InMemoryNetwork,
    pub(super) cluster: MockCluster,
    pub(super) log: Arc<Log>,
    /// Where broadcast members keep their offsets.
    pub(super) dir: PathBuf,
    /// The time of the brokers when the log began.
    base: SystemTime,
    members: Mutex<Vec<Member>>,
    lines: Mutex<Vec<Line>>,
    pub(super) snapshots: Mutex<Vec<Option<BrokerSnapshot>>>,
    next_member: AtomicUsize,
    next_number: AtomicU32,
    pub(super) wants_other: AtomicBool,
    /// How many dead letters there were at the last look, and of which messages.
    pub(super) letters: Mutex<(usize, BTreeSet<u32>)>,
    damaged: Mutex<Damaged>,
    lost: Mutex<Lost>,
    /// The first messages that each member, or the group, must get.
    pub(super) firsts: Mutex<Vec<(usize, u32)>>,
}

pub(super) fn topic_of(number: u32) -> &'static str {
    if number % 6 == 5 { OTHER } else { TOPIC }
}

/// Carries out the plan of a seed.
pub(super) fn run(plan: Plan) -> Outcome {
    let (seed, plan) = (plan.seed, Arc::new(plan));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    // Tests that run at the same time may run one seed: each run has a directory of its own.
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("rocketmq-simulation-{}-{seed}-{run}", std::process::id()));
    let (mut outcome, dir) = runtime.block_on(async {
        let world = Arc::new(World::new(plan, dir).await);
        let outcome = world.clone().live().await;
        (outcome, world.dir.clone())
    });
    // What is aborted, and what reads the events of what is gone, ends now.
    runtime.block_on(async { sleep(Duration::from_secs(1)).await });
    let left = runtime.metrics().num_alive_tasks();
    if left > 0 {
        outcome.problems.push(format!("L3: {left} tasks are left after the shutdown"));
    }
    let _ = std::fs::remove_dir_all(dir);
    outcome
}

impl World {
    async fn new(plan: Arc<Plan>, dir: PathBuf) -> Self {
        seed_random(plan.seed);
        let network = InMemoryNetwork::new(plan.seed);
        let (least, most) = plan.latency;
        network.set_latency(Duration::from_millis(least)..=Duration::from_millis(most));
        let builder = MockCluster::builder().brokers(plan.brokers).network(network.clone());
        let builder = builder.history(1_000_000).captured_requests(0).enable_property_filter(true);
        let cluster = builder.slaves(plan.slaves).slave_read(true).start().await.unwrap();
        cluster.create_topic(TOPIC, plan.queues).unwrap();
        cluster.create_topic(OTHER, 1).unwrap();
        Self {
            snapshots: Mutex::new(vec![None; plan.brokers]),
            plan,
            network,
            base: cluster.now(),
            cluster,
            log: Arc::new(Log::new()),
            dir,
            members: Mutex::default(),
            lines: Mutex::default(),
            next_member: AtomicUsize::new(0),
            next_number: AtomicU32::new(0),
            wants_other: AtomicBool::new(false),
            letters: Mutex::default(),
            damaged: Mutex::default(),
            lost: Mutex::default(),
            firsts: Mutex::default(),
        }
    }

    /// The whole run.
    async fn live(self: Arc<Self>) -> Outcome {
        self.log.note(format_args!("{:?}", self.plan));
        if self.plan.kind == Kind::Pop {
            self.switch(true).await;
        }
        let producer = self.producer();
        producer.start().await.unwrap();
        for _ in 0..self.plan.early {
            self.send(&producer).await;
        }
        self.damage_early();
        let mut starts = JoinSet::new();
        (0..self.plan.members).for_each(|_| _ = starts.spawn(crew::join(self.clone())));
        starts.join_all().await;
        self.happen(&producer).await;
        self.cluster.clear_faults();
        if self.plan.slaves > 0 {
            (0..self.plan.brokers).for_each(|broker| self.lag(broker, SlaveLag::None));
        }
        // What was begun ends: servers come back, starts succeed, lines are up.
        self.recover().await;
        self.log.note("the faults are over");
        let next = self.sent();
        self.firsts.lock().unwrap().iter_mut().for_each(|(_, first)| *first = next.min(*first));
        for _ in 0..LATE {
            self.send(&producer).await;
        }
        let healed = self.heal().await;
        let quiet = self.cluster.history().len();
        sleep(QUIET).await;
        let history = self.cluster.history();
        self.check_quiet(&history[quiet..]);
        self.end(producer).await;
        self.judge(healed, &history)
    }

    fn producer(&self) -> Producer {
        let mut option = ProducerOption::default();
        option.set_name_server_addr(self.cluster.name_server_addr()).set_group_name("producers");
        option.set_transport(Arc::new(self.network.clone()));
        option.set_client_ip("10.0.0.1").set_instance_name("p");
        option.set_send_msg_max_timeout_per_request(1000);
        Producer::new(option)
    }

    async fn send(&self, producer: &Producer) {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let message = Message::new(topic_of(number), number.to_string())
            .with_tags(tag(number))
            .with_property("kind", kind(number))
            .with_property("size", size(number).to_string());
        match producer.send(message).await {
            Ok(sent) => {
                let (queue, offset) = (sent.message_queue, sent.queue_offset);
                self.log.add(What::Sent { number, queue, offset });
            }
            Err(error) => {
                self.log.note(format_args!("{number} is not known to be sent: {:?}", error.outcome()))
            }
        }
    }

    /// The steps of the plan, while the producer sends.
    async fn happen(self: &Arc<Self>, producer: &Producer) {
        let sending = async {
            for pause in &self.plan.sends {
                sleep(*pause).await;
                self.send(producer).await;
            }
        };
        let acting = async {
            let (began, mut tasks) = (Instant::now(), JoinSet::new());
            for (at, step) in &self.plan.steps {
                sleep_until(began + *at).await;
                self.log.note(format_args!("{step:?}"));
                self.act(step, &mut tasks);
            }
            tasks
        };
        let ((), mut tasks) = tokio::join!(sending, acting);
        self.cluster.clear_faults();
        while tasks.join_next().await.is_some() {}
    }

    async fn recover(self: &Arc<Self>) {
        for _ in 0..30 {
            if self.subscribe().await {
                break;
            }
            // A server is dialled again after 5 s at most.
            sleep(Duration::from_secs(1)).await;
        }
        if self.members().is_empty() {
            crew::join(self.clone()).await;
        }
    }

    /// Waits until everything is finished.
    async fn heal(&self) -> Option<Duration> {
        let (began, due) = (Instant::now(), self.due());
        let mut left = self.unfinished(&due);
        while !left.is_empty() {
            if began.elapsed() > HEALING {
                left.iter().for_each(|problem| self.log.problem(problem));
                self.members().iter().for_each(|member| {
                    let health = member.consumer.health();
                    self.log.note(format_args!("m{} has {:?}", member.id, health.problems()));
                });
                return None;
            }
            sleep(Duration::from_secs(1)).await;
            left = self.unfinished(&due);
        }
        self.log.note(format_args!("all is finished after {:?}", began.elapsed()));
        Some(began.elapsed())
    }

    /// L7: without messages, a queue is asked for a few times in a minute.
    fn check_quiet(&self, history: &[HistoryEntry]) {
        let members = self.members().len();
        let queues = self.plan.all_queues() + 2 * self.plan.brokers;
        let queues = if self.plan.mode == Mode::Broadcast { queues * members } else { queues };
        // Held for 15 s, looked at every 5 s, heartbeats every 30 s, locks every 20 s; each offset once more.
        let servers = self.plan.brokers * (1 + self.plan.slaves);
        let most = queues * 10 + members * servers * 4;
        // A lock of a member that died is asked for each second.
        let refused =
            |entry: &&HistoryEntry| matches!(entry.event, BrokerEvent::Locked { granted: false, .. });
        let most = most + history.iter().filter(refused).count().min(queues * 41);
        // A connection that a fault broke may be replaced now: its member then joins anew, and asks for its locks again.
        let dialled =
            history.iter().filter(|entry| matches!(entry.event, BrokerEvent::Connected { .. })).count();
        let most = most + dialled.min(members * servers) * (8 + 2 * queues);
        // A message that was sent back twice, because its queue changed hands, comes once more: pulled, sent back, committed.
        let stored = history.iter().filter(|entry| matches!(entry.event, BrokerEvent::Stored { .. })).count();
        let most = most + 6 * stored;
        if history.len() > most {
            self.log.problem(format_args!("L7: {} events at the brokers in quiet {QUIET:?}", history.len()));
        }
    }

    async fn end(self: &Arc<Self>, producer: Producer) {
        while let Some(member) = self.take_out(0) {
            crew::leave(self.clone(), member, true).await;
        }
        producer.shutdown().await.unwrap();
        drop(producer);
        sleep(Duration::from_secs(1)).await;
        for line in self.lines.lock().unwrap().drain(..) {
            line.bury();
            let streams = line.streams();
            if streams > 0 {
                self.log.problem(format_args!("L3: a consumer that is gone has {streams} streams"));
            }
        }
        self.cluster.shutdown().await;
    }

    fn judge(&self, healed: Option<Duration>, history: &[HistoryEntry]) -> Outcome {
        let (entries, mut problems) = self.log.take();
        let mut retry = self.records(&mix_all::retry_topic(GROUP));
        popping::retry_topics().iter().for_each(|topic| retry.extend(self.records(topic)));
        let kept = Kept {
            plan: &self.plan,
            entries: &entries,
            history,
            base: self.base,
            records: [self.records(TOPIC), self.records(OTHER), retry].concat(),
            letters: self.records(&mix_all::dlq_topic(GROUP)),
            damaged: self.damaged().clone(),
            lost: self.lost().clone(),
            first: self.firsts.lock().unwrap().first().map_or(0, |(_, number)| *number),
        };
        problems.extend(checker::check(&kept));
        Outcome { problems, history: self.text(&entries, history), healed }
    }

    pub(super) fn address(&self, server: Server) -> SocketAddr {
        match server {
            Server::NameServer => self.cluster.name_server_addr().parse().unwrap(),
            Server::Broker(index) => self.cluster.broker_addr(&broker_name(index)).unwrap(),
        }
    }

    pub(super) fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap()
    }

    pub(super) fn damaged(&self) -> MutexGuard<'_, Damaged> {
        self.damaged.lock().unwrap()
    }

    pub(super) fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap()
    }

    /// How many messages the producer has sent, or tried to.
    pub(super) fn sent(&self) -> u32 {
        self.next_number.load(Ordering::Relaxed)
    }

    pub(super) fn next_member(&self) -> usize {
        self.next_member.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn wants_other(&self) -> bool {
        self.wants_other.load(Ordering::Relaxed)
    }

    /// A member runs: it, or the group, gets what is sent from now on.
    pub(super) fn note_start(&self, member: usize, late: bool) {
        let next = self.sent();
        let first = match late {
            _ if self.plan.starts_first() => 0,
            // A start that runs out of time returns without the position of some queues.
            true => u32::MAX,
            false => next,
        };
        self.firsts.lock().unwrap().push((member, first));
        self.log.add(What::Started { member });
    }

    /// Keeps the line of a member that is gone: brokers may still believe in its streams.
    pub(super) fn keep(&self, line: Line) {
        self.lines.lock().unwrap().push(line);
    }

    pub(super) fn with<T>(&self, which: usize, look: impl FnOnce(&Member) -> T) -> Option<T> {
        let members = self.members();
        members.get(which % members.len().max(1)).map(look)
    }

    pub(super) fn take_out(&self, which: usize) -> Option<Member> {
        let mut members = self.members();
        let place = which % members.len().max(1);
        (place < members.len()).then(|| members.remove(place))
    }

    /// The history as text.
    fn text(&self, entries: &[Entry], history: &[HistoryEntry]) -> String {
        let mut text = String::new();
        entries.iter().for_each(|entry| text += &format!("{entry}\n"));
        for HistoryEntry { at, server, event, .. } in history {
            let at = at.duration_since(self.base).unwrap_or_default().as_secs_f64();
            text += &format!("{at:>11.6} {server} {}\n", checker::line(event));
        }
        text
    }
}
