use std::sync::Arc;
use std::time::Duration;

use crate::conf::Undecodable;
use crate::consumer::position::StartFrom;
use crate::consumer::pull::FlowLimits;
use crate::consumer::strategy::AllocateMessageQueueStrategy;
use crate::hook::Hooks;

/// The options of a consumer, in the types that drivers work with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The group as brokers know it.
    pub(crate) group: Arc<str>,
    /// The group as its user names it.
    pub(crate) plain_group: Arc<str>,
    pub(crate) namespace: Option<Arc<str>>,
    pub(crate) hooks: Hooks,
    pub(crate) unit_mode: bool,
    pub(crate) orderly: bool,
    pub(crate) broadcast: bool,
    pub(crate) pull_batch_size: i32,
    pub(crate) pull_interval: Duration,
    /// How long a broker may hold a pull.
    pub(crate) suspend: Duration,
    pub(crate) limits: FlowLimits,
    pub(crate) pop: PopSettings,
    /// Members choose their queues by themselves; brokers do it otherwise. Java: `clientRebalance`.
    pub(crate) client_rebalance: bool,
    /// `None`: a message may fail any number of times.
    pub(crate) max_reconsume_times: Option<u32>,
    pub(crate) start_from: StartFrom,
    pub(crate) undecodable: Undecodable,
    pub(crate) consume_timeout: Duration,
    pub(crate) timeout_grace: Duration,
    pub(crate) batch_max: usize,
    /// Messages per second.
    pub(crate) rate_limit: Option<u32>,
    pub(crate) persist_interval: Duration,
    /// The user polls for messages: no handlers run.
    pub(crate) polls: bool,
    pub(crate) suspend_queue: Duration,
    /// Whether what an orderly listener has done is finished without its saying so.
    pub(crate) auto_commit: bool,
    pub(crate) strategy: Arc<dyn AllocateMessageQueueStrategy>,
}

/// The options of messages that are popped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PopSettings {
    /// How long a broker hides a message.
    pub(crate) invisible: Duration,
    /// How many messages a pop asks for.
    pub(crate) batch: i32,
    pub(crate) limits: FlowLimits,
    /// Messages are hidden for longer while handlers have them.
    pub(crate) auto_extend: bool,
}

impl Settings {
    /// Whether only the user's commits of a pull consumer commit.
    pub(crate) fn user_commits(&self) -> bool {
        self.polls && !self.auto_commit
    }

    /// How long the handlers of a released queue may go on before its offset is committed. The order of an orderly queue
    /// needs that its handler has ended; popped messages stay with this member while another member has the queue.
    pub(crate) fn drain(&self, is_pop: bool) -> Duration {
        const DRAIN: Duration = Duration::from_millis(400);
        if self.orderly || is_pop { self.consume_timeout + self.timeout_grace + DRAIN } else { DRAIN }
    }
}
