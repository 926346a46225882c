//! What a seed decides.

use std::time::Duration;

use rocketmq::consumer::{ConsumeFromWhere, MessageSelector, Undecodable};
use rocketmq_namesrv_mock::SlaveLag;

use super::dice::Dice;
use super::pulling::To;
use super::trouble::{self, Trouble};

pub(super) const TOPIC: &str = "T";
/// A topic that the group subscribes to in part of the time.
pub(super) const OTHER: &str = "U";
pub(super) const GROUP: &str = "G";

/// How messages come to the consumers of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Concurrent,
    Batch,
    Orderly,
    Stream,
    Broadcast,
}

/// How members fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They pull, and listeners or a stream get the messages.
    Push,
    /// They are polled.
    Pull,
    /// They pop, and listeners or a stream get the messages.
    Pop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    All,
    Tags,
    Sql,
}

/// A server of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    NameServer,
    Broker(usize),
}

/// Something that happens at one moment. A member is chosen among those that run then: its number, modulo how many run.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Join,
    Leave(usize),
    /// The consumer is dropped without a shutdown.
    Crash(usize),
    /// The consumer is dropped, and the brokers do not learn of it.
    Vanish(usize),
    /// The network of the member loses everything for a while.
    Partition(usize, Duration),
    Suspend(usize, Duration),
    Pause(usize, Duration),
    Concurrency(usize, usize),
    /// All members subscribe to [`OTHER`], or end that.
    Subscribe(bool),
    Cut(Server),
    Stall(Server),
    Unreachable(Server, Duration),
    /// The offsets that a later restart brings back.
    Snapshot(usize),
    Restart {
        broker: usize,
        down: Duration,
        older: bool,
        noticed: bool,
    },
    /// A broker loses what it stored since its snapshot, and its offsets of since then or not.
    Older {
        broker: usize,
        down: Duration,
        offsets: bool,
    },
    Trouble(Box<Trouble>),
    /// An operator moves the group on one queue, by this part of the queue in percent.
    Reset(u64),
    ForgetLocks,
    /// A member that is polled moves one of its queues.
    Seek(usize, usize, To),
    /// An operator has the group pop, or pull.
    Switch(bool),
    /// A broker sends readers to its slave, or back.
    Suggest(usize, bool),
    /// How far a slave lags behind from now on.
    Lag(usize, SlaveLag),
    /// The record of a message is damaged: its draw chooses which.
    Damage(u64),
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) kind: Kind,
    pub(super) mode: Mode,
    /// Polled members commit by hand.
    pub(super) by_hand: bool,
    /// Polled members name their queues.
    pub(super) assigns: bool,
    /// How long popped messages are hidden.
    pub(super) invisible: Duration,
    /// The group pops in part of the time only.
    pub(super) switches: bool,
    /// What becomes of damaged records.
    pub(super) undecodable: Undecodable,
    pub(super) filter: Filter,
    pub(super) from: ConsumeFromWhere,
    pub(super) brokers: usize,
    /// Of each broker.
    pub(super) slaves: usize,
    pub(super) queues: u32,
    /// Members at the beginning.
    pub(super) members: usize,
    pub(super) concurrency: usize,
    pub(super) batch: u32,
    pub(super) max_reconsume_times: u32,
    pub(super) persist: Duration,
    pub(super) consume_timeout: Duration,
    pub(super) threshold: u32,
    pub(super) pull_batch: u32,
    /// In ms.
    pub(super) latency: (u64, u64),
    /// Nothing fails but listeners; members come and go in peace.
    pub(super) calm: bool,
    /// Messages before the first member starts, and while things happen, each so long after the one before.
    pub(super) early: u32,
    pub(super) sends: Vec<Duration>,
    pub(super) steps: Vec<(Duration, Step)>,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let dice = &mut dice;
        let modes =
            [Mode::Concurrent, Mode::Concurrent, Mode::Batch, Mode::Orderly, Mode::Orderly, Mode::Stream];
        let mode = if dice.percent(12) { Mode::Broadcast } else { dice.pick(&modes) };
        let first = ConsumeFromWhere::First;
        let from = dice.pick(&[first, first, first, ConsumeFromWhere::Last, ConsumeFromWhere::LastExactly]);
        let brokers = dice.range(1..=3) as usize;
        let calm = dice.percent(30);
        let length = dice.range(15_000..=80_000);
        let sends = dice.range(10..=90);
        let mut plan = Self {
            seed,
            kind: Kind::Push,
            mode,
            by_hand: false,
            assigns: false,
            invisible: Duration::ZERO,
            switches: false,
            undecodable: Undecodable::Skip,
            filter: dice.pick(&[Filter::All, Filter::All, Filter::Tags, Filter::Sql]),
            from,
            brokers,
            slaves: 0,
            queues: dice.range(1..=[8, 4, 2][brokers - 1]) as u32,
            members: dice.range(1..=3) as usize,
            concurrency: dice.pick(&[1, 1, 2, 4, 20]),
            batch: dice.range(1..=8) as u32,
            max_reconsume_times: dice.range(0..=3) as u32,
            persist: dice.ms(1000..=5000),
            consume_timeout: dice.ms(2000..=6000),
            threshold: dice.pick(&[1, 4, 20, 1000]),
            pull_batch: dice.pick(&[1, 3, 32]),
            latency: dice.pick(&[(1, 1), (1, 5), (1, 40)]),
            calm,
            early: dice.range(0..=12) as u32,
            sends: (0..sends).map(|_| dice.ms(0..=2 * length / sends)).collect(),
            steps: Vec::new(),
        };
        let steps = dice.range(2..=if calm { 6 } else { 14 });
        let mut times: Vec<_> = (0..steps).map(|_| dice.ms(500..=length)).collect();
        times.sort_unstable();
        plan.steps = times.into_iter().map(|at| (at, plan.step(dice))).collect();
        plan
    }

    fn step(&self, dice: &mut Dice) -> Step {
        let member = dice.range(0..=11) as usize;
        let broker = dice.range(0..=self.brokers as u64 - 1) as usize;
        let server = if dice.percent(20) { Server::NameServer } else { Server::Broker(broker) };
        let peaceful = dice.range(0..=9);
        if self.calm || dice.percent(35) {
            return match peaceful {
                0..=2 => Step::Join,
                3 | 4 => Step::Leave(member),
                5 => Step::Suspend(member, dice.ms(100..=20_000)),
                6 => Step::Pause(member, dice.ms(100..=20_000)),
                7 => Step::Concurrency(member, dice.pick(&[1, 3, 8])),
                8 => Step::Subscribe(true),
                _ => Step::Subscribe(dice.percent(30)),
            };
        }
        match dice.range(0..=19) {
            0 | 1 => Step::Crash(member),
            2 => Step::Vanish(member),
            3 | 4 => Step::Partition(member, dice.ms(500..=100_000)),
            5 => Step::Cut(server),
            6 => Step::Stall(server),
            7 => Step::Unreachable(server, dice.ms(500..=40_000)),
            8 => Step::Snapshot(broker),
            9 | 10 => Step::Restart {
                broker,
                down: dice.ms(10..=20_000),
                older: dice.percent(40),
                noticed: dice.percent(50),
            },
            11 if self.mode != Mode::Broadcast => Step::Reset(dice.range(0..=100)),
            12 if self.mode == Mode::Orderly => Step::ForgetLocks,
            _ => Step::Trouble(Box::new(trouble::draw(dice, self))),
        }
    }

    /// Whether a new group gets messages that are older than it.
    pub(super) fn starts_first(&self) -> bool {
        self.from == ConsumeFromWhere::First
    }

    /// The total of queues of a topic.
    pub(super) fn all_queues(&self) -> usize {
        self.brokers * self.queues as usize
    }

    pub(super) fn selector(&self) -> MessageSelector {
        match self.filter {
            Filter::All => MessageSelector::all(),
            Filter::Tags => "a || b".into(),
            Filter::Sql => MessageSelector::by_sql("kind = 'even' OR size > 80"),
        }
    }

    /// Whether the group gets a message of [`TOPIC`].
    pub(super) fn matches(&self, number: u32) -> bool {
        match self.filter {
            Filter::All => true,
            Filter::Tags => tag(number) != "c",
            Filter::Sql => kind(number) == "even" || size(number) > 80,
        }
    }

    /// How often a message fails, and whether its listener then asks for a dead letter. The dice are those of the message.
    pub(super) fn failures(&self, number: u32) -> (u32, bool) {
        let mut dice = Dice::new(self.seed ^ (u64::from(number) << 32));
        dice.next();
        let can_ask = !matches!(self.mode, Mode::Orderly);
        if self.kind == Kind::Pull {
            return (0, false);
        }
        match dice.range(0..=99) {
            0..=71 => (0, false),
            72..=83 => (1, false),
            84..=90 => (2, false),
            91..=94 if can_ask => (0, true),
            _ => (u32::MAX, false),
        }
    }

    /// Whether a message ends in the dead letter topic.
    pub(super) fn is_dead(&self, number: u32) -> bool {
        let (failures, asks) = self.failures(number);
        asks || failures > self.max_reconsume_times
    }
}

pub(super) fn tag(number: u32) -> &'static str {
    ["a", "b", "c"][number as usize % 3]
}

pub(super) fn kind(number: u32) -> &'static str {
    ["even", "odd"][number as usize % 2]
}

pub(super) fn size(number: u32) -> u32 {
    number * 7 % 100
}
