//! Slaves copy their masters. Java: `HAService`, `SlaveSynchronize`.

use std::sync::Arc;

use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use crate::broker::state::{Broker, HeldRequest, Role, SlaveLag};
use crate::store::decode_head;
use crate::wire::Refusal;

impl Broker {
    /// Copies the master's messages to a slave, up to its lag, and answers pulls that waited for them.
    pub(crate) fn catch_up(&self) {
        let Role::Slave { master, link } = &self.role else { return };
        let lag = match link.lag() {
            SlaveLag::None => 0,
            SlaveLag::Messages(lag) => lag,
            SlaveLag::Stopped => return,
        };
        let mut woken = Vec::new();
        {
            let mut state = self.lock();
            let state = &mut *state;
            let source = master.lock();
            let end = source.log.end().saturating_sub(lag);
            state.log.follow(&source.log, end);
            state.offsets.follow(&source.offsets);
            state.groups.clone_from(&source.groups);
            let (log, held) = (&state.log, &mut state.held);
            let mut is_sooner = false;
            state.topics.follow(&source.topics, end, |topic, queue_id, entry| {
                if held.count(topic) == 0 {
                    return;
                }
                let message = log.record(entry.record).and_then(decode_head);
                let properties = message.as_ref().map_or("", |message| message.properties().as_wire());
                is_sooner |= held.wake(topic, queue_id, (entry.tags_code, properties), &mut woken);
            });
            if is_sooner {
                self.held_sooner.notify_one();
            }
        }
        HeldRequest::wake_all(woken, self);
    }
}

/// The refusal of a request that a slave does not serve. Java: the `rejectRequest` of each processor.
pub(crate) fn refused_by_slave(broker: &Broker, code: RequestCode) -> Option<Refusal> {
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

/// Copies to a slave whenever its master stores a message. Runs as long as the slave.
pub(crate) async fn follow_master(slave: Arc<Broker>) {
    let Role::Slave { link, .. } = &slave.role else { return };
    loop {
        link.news.notified().await;
        slave.catch_up();
    }
}
