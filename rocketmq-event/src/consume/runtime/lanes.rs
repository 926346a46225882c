use std::collections::{HashMap, VecDeque};

use bytestring::ByteString;

use crate::backend::Incoming;
use crate::consume::Order;

/// Which delivery may be handled next. With an order by key, a key is busy while a delivery of it is handled, and the next of
/// that key waits in its lane.
#[derive(Debug)]
pub(super) struct Lanes {
    order: Order,
    ready: VecDeque<Incoming>,
    /// The lanes of the keys that are busy.
    busy: HashMap<ByteString, VecDeque<Incoming>>,
    waiting: usize,
}

impl Lanes {
    pub(super) fn new(order: Order) -> Self {
        Self { order, ready: VecDeque::new(), busy: HashMap::new(), waiting: 0 }
    }

    pub(super) fn push(&mut self, incoming: Incoming) {
        let key = self.key_of(&incoming);
        if let Some(lane) = key.as_ref().and_then(|key| self.busy.get_mut(key)) {
            lane.push_back(incoming);
            self.waiting += 1;
            return;
        }
        if let Some(key) = key {
            self.busy.insert(key, VecDeque::new());
        }
        self.ready.push_back(incoming);
    }

    /// A delivery to handle now.
    pub(super) fn pop(&mut self) -> Option<Incoming> {
        self.ready.pop_front()
    }

    /// The delivery of this key is settled: its lane goes on.
    pub(super) fn settled(&mut self, key: Option<&ByteString>) {
        let Some(key) = key.filter(|_| self.order == Order::ByKey) else { return };
        let Some(lane) = self.busy.get_mut(key) else { return };
        match lane.pop_front() {
            Some(next) => {
                self.waiting -= 1;
                self.ready.push_back(next);
            }
            None => _ = self.busy.remove(key),
        }
    }

    /// The number of deliveries that wait.
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.waiting
    }

    /// All that wait, taken out.
    pub(super) fn drain(&mut self) -> Vec<Incoming> {
        self.waiting = 0;
        let lanes = self.busy.drain().flat_map(|(_, lane)| lane);
        self.ready.drain(..).chain(lanes).collect()
    }

    fn key_of(&self, incoming: &Incoming) -> Option<ByteString> {
        incoming.envelope.key.clone().filter(|_| self.order == Order::ByKey)
    }
}
