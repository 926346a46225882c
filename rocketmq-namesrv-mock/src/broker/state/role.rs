//! Master or slave, and the links between them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Broker;

/// The role of a broker.
#[derive(Debug)]
pub(crate) enum Role {
    Master(Slaves),
    Slave { master: Arc<Broker>, link: Arc<Link> },
}

/// The slaves of a master.
#[derive(Debug, Default)]
pub(crate) struct Slaves {
    links: Mutex<Vec<Arc<Link>>>,
}

/// The link between a master and one of its slaves.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Notified when the master has stored a message.
    pub(crate) news: Notify,
    is_up: AtomicBool,
    lag: Mutex<SlaveLag>,
}

/// The lag of a slave behind its master; see [`MockCluster::set_slave_lag`](crate::MockCluster::set_slave_lag).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlaveLag {
    /// The slave has all messages.
    #[default]
    None,
    /// The slave lacks the latest N messages of its master, across all topics.
    Messages(usize),
    /// The slave copies neither messages nor offsets.
    Stopped,
}

impl Link {
    pub(crate) fn lag(&self) -> SlaveLag {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    /// The role of a slave of `master`, or of a master.
    pub(crate) fn new(master: Option<Arc<Broker>>) -> Self {
        let Some(master) = master else { return Self::Master(Slaves::default()) };
        let link = Arc::new(Link::default());
        if let Self::Master(slaves) = &master.role {
            slaves.links().push(link.clone());
        }
        Self::Slave { master, link }
    }

    pub(crate) fn is_slave(&self) -> bool {
        matches!(self, Self::Slave { .. })
    }

    /// Tells the slaves that a message was stored.
    pub(crate) fn tell_slaves(&self) {
        if let Self::Master(slaves) = self {
            slaves.links().iter().for_each(|link| link.news.notify_one());
        }
    }

    /// Records that a slave came up or went down.
    pub(crate) fn set_up(&self, is_up: bool) {
        if let Self::Slave { link, .. } = self {
            link.is_up.store(is_up, Ordering::SeqCst);
        }
    }

    /// Sets the lag of a slave. Returns false for a master.
    pub(crate) fn set_lag(&self, lag: SlaveLag) -> bool {
        let Self::Slave { link, .. } = self else { return false };
        *link.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
        true
    }

    /// The number of copies of the messages that a master stores, its own included.
    pub(crate) fn copies(&self) -> usize {
        let is_copy = |link: &&Arc<Link>| link.is_up.load(Ordering::SeqCst) && link.lag() == SlaveLag::None;
        match self {
            Self::Master(slaves) => 1 + slaves.links().iter().filter(is_copy).count(),
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
    /// The number of slaves with all messages of this master.
    pub(crate) fn slaves_up(&self) -> usize {
        self.role.copies() - 1
    }
}
