//! Work that a broker does by itself as time passes.
//!
//! - this file: delivers delayed messages, revives popped ones, asks about transactions.
//! - [`held`]: answers held requests that are due.
//! - [`silence`]: drops silent clients.

mod held;
mod silence;

use std::sync::Arc;

pub(crate) use held::expire_held_requests;
pub(crate) use silence::{drop_clients, drop_silent_clients, watch_for_silence};

use crate::broker::state::{AgendaItem, Broker, HeldRequest};
use crate::broker::transactions::check_transactions;
use crate::broker::{later, pop};

impl Broker {
    /// When the next duty is due.
    pub(crate) fn next_duty_ms(&self) -> i64 {
        let state = self.lock();
        let check_ms = state.halves.next_check_ms();
        state.agenda.due().map_or(check_ms, |due_ms| due_ms.min(check_ms))
    }

    /// Does the duties that are due: delivers messages, revives popped ones, asks about transactions.
    pub(crate) async fn do_duties(&self) {
        self.deliver();
        let now_ms = self.now_ms();
        let is_time =
            self.lock().halves.is_time_to_check(now_ms, self.options.obeyed.transactions.check_interval);
        if is_time {
            check_transactions(self).await;
        }
        self.changes.tell();
    }

    /// Moves due messages to their queues.
    fn deliver(&self) {
        let now_ms = self.now_ms();
        let mut woken = Vec::new();
        {
            let mut state = self.lock();
            while let Some(waiting) = state.agenda.take(now_ms) {
                match waiting {
                    AgendaItem::Pop { id } => pop::due(self, &mut state, id, now_ms, &mut woken),
                    item => later::deliver(self, &mut state, item, now_ms, &mut woken),
                }
            }
        }
        HeldRequest::wake_all(woken, self);
    }
}

/// Does the duties of a broker as the clock advances. Runs as long as the broker.
pub(crate) async fn keep_time(broker: Arc<Broker>) {
    loop {
        let sooner = broker.due_sooner.notified();
        let next_ms = broker.next_duty_ms();
        tokio::select! {
            biased;
            () = sooner => {}
            () = broker.clock.sleep_until(next_ms) => broker.do_duties().await,
        }
    }
}
