use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::MemoryBackend;
use super::state::State;

/// The brokers that addresses of this process name.
static NAMED: Mutex<Option<HashMap<String, Weak<Shared>>>> = Mutex::new(None);

/// A broker in memory. It lives as long as it, a clone, or a connection to it.
///
/// ```
/// use rocketmq_event::Bus;
/// use rocketmq_event::backend::memory::MemoryBroker;
///
/// let broker = MemoryBroker::new();
/// let (shop, mailer) = (Bus::new(broker.connect()), Bus::new(broker.connect())); // Two services.
/// # _ = (shop, mailer);
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker(pub(super) Arc<Shared>);

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something changed: members that wait look again.
    pub(super) changed: Notify,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryBroker {
    /// A broker without streams.
    pub fn new() -> Self {
        Self::default()
    }

    /// The broker of this name in this process, which is made if no clone of it or connection to it is there: what
    /// `memory:name` connects to.
    pub fn named(name: &str) -> Self {
        let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
        let named = named.get_or_insert_default();
        named.retain(|_, broker| broker.strong_count() > 0);
        if let Some(broker) = named.get(name).and_then(Weak::upgrade) {
            return Self(broker);
        }
        let broker = Self::new();
        named.insert(name.to_owned(), Arc::downgrade(&broker.0));
        broker
    }

    /// A connection of a service.
    pub fn connect(&self) -> MemoryBackend {
        MemoryBackend::new(self.0.clone())
    }
}
