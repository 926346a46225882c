//! Slaves, which have what their masters have. Java: `HAService`, `SlaveSynchronize`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rocketmq_common::MessageExt;
use rocketmq_common::record::{RecordDecoder, RecordOptions};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::sync::Notify;

use super::Broker;
use super::send::SendRequest;
use crate::wire::Refusal;

/// Who copies from whom.
#[derive(Debug)]
pub(super) enum Role {
    Master(Slaves),
    Slave { master: Arc<Broker>, link: Arc<Link> },
}

/// The slaves of a master.
#[derive(Debug, Default)]
pub(super) struct Slaves {
    links: Mutex<Vec<Arc<Link>>>,
}

/// Between a master and one of its slaves.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Told when the master stored something.
    news: Notify,
    is_up: AtomicBool,
}

impl Role {
    /// A slave of this master, or a master.
    pub(super) fn new(master: Option<Arc<Broker>>) -> Self {
        let Some(master) = master else { return Self::Master(Slaves::default()) };
        let link = Arc::new(Link::default());
        if let Self::Master(slaves) = &master.role {
            slaves.links().push(link.clone());
        }
        Self::Slave { master, link }
    }

    pub(super) fn is_slave(&self) -> bool {
        matches!(self, Self::Slave { .. })
    }

    /// Something was stored.
    pub(super) fn tell_slaves(&self) {
        if let Self::Master(slaves) = self {
            slaves.links().iter().for_each(|link| link.news.notify_one());
        }
    }

    /// A slave came up or went down.
    pub(super) fn set_up(&self, is_up: bool) {
        if let Self::Slave { link, .. } = self {
            link.is_up.store(is_up, Ordering::SeqCst);
        }
    }

    /// In how many places there is what a master stores.
    pub(super) fn copies(&self) -> usize {
        let up =
            |slaves: &Slaves| slaves.links().iter().filter(|link| link.is_up.load(Ordering::SeqCst)).count();
        match self {
            Self::Master(slaves) => 1 + up(slaves),
            Self::Slave { .. } => 1,
        }
    }
}

impl Slaves {
    fn links(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Broker {
    /// How many slaves have what this master stores.
    pub(super) fn slaves_up(&self) -> usize {
        self.role.copies() - 1
    }

    /// The code for a message that was stored. Apache's broker waits for `slaveTimeout` before it says that a copy
    /// is missing; the mock knows at once.
    pub(super) fn replicated(&self, request: &SendRequest<'_>) -> ResponseCode {
        let wanted = self.obeyed().in_sync_replicas;
        if wanted > 1 && request.waits_until_stored() && self.role.copies() < wanted {
            return ResponseCode::FLUSH_SLAVE_TIMEOUT;
        }
        ResponseCode::SUCCESS
    }

    /// Lets a slave have all that its master has, and answers pulls that waited for it.
    pub(super) fn catch_up(&self) {
        let Role::Slave { master, .. } = &self.role else { return };
        let mut woken = Vec::new();
        {
            let mut state = self.lock();
            let state = &mut *state;
            let source = master.lock();
            state.log.follow(&source.log);
            state.offsets.follow(&source.offsets);
            state.groups.clone_from(&source.groups);
            let (log, held) = (&state.log, &mut state.held);
            let mut is_sooner = false;
            state.topics.follow(&source.topics, |topic, queue_id, entry| {
                if held.count(topic) == 0 {
                    return;
                }
                let message = log.record(entry.record).cloned().and_then(without_body);
                let properties = message.as_ref().map_or("", |message| message.properties().as_wire());
                is_sooner |= held.wake(topic, queue_id, (entry.tags_code, properties), &mut woken);
            });
            if is_sooner {
                self.held_sooner.notify_one();
            }
        }
        for pull in woken {
            pull.wake(self);
        }
    }
}

fn without_body(record: Bytes) -> Option<MessageExt> {
    let options = RecordOptions { read_body: false, ..RecordOptions::default() };
    RecordDecoder::with_options(record, options).next()?.ok()
}

/// What a slave does not do. Java: the `rejectRequest` of each processor.
pub(super) fn refused_by_slave(broker: &Broker, code: RequestCode) -> Option<Refusal> {
    const BUSY: &str = "[REJECTREQUEST]system busy, start flow control for a while";
    let busy = || Some(Refusal::new(ResponseCode::SYSTEM_BUSY, BUSY));
    match code {
        RequestCode::SEND_MESSAGE
        | RequestCode::SEND_MESSAGE_V2
        | RequestCode::SEND_BATCH_MESSAGE
        | RequestCode::CONSUMER_SEND_MSG_BACK => busy(),
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE if !broker.obeyed().slave_read => busy(),
        RequestCode::END_TRANSACTION => Some(Refusal::new(ResponseCode::SLAVE_NOT_AVAILABLE, "")),
        RequestCode::RECALL_MESSAGE if broker.obeyed().recall => {
            let remark = "recall failed, broker service not available";
            Some(Refusal::new(ResponseCode::SLAVE_NOT_AVAILABLE, remark))
        }
        _ => None,
    }
}

/// Copies what a master stores to its slave, as long as the slave lives.
pub(crate) async fn follow_master(slave: Arc<Broker>) {
    let Role::Slave { link, .. } = &slave.role else { return };
    loop {
        link.news.notified().await;
        slave.catch_up();
    }
}
