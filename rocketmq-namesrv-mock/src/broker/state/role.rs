//! Whether a broker is a master or a slave, and who copies from whom.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Broker;

/// Who copies from whom.
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

/// Between a master and one of its slaves.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// Told when the master stored something.
    pub(crate) news: Notify,
    is_up: AtomicBool,
    lag: Mutex<SlaveLag>,
}

/// How far a slave is behind its master; see [`MockCluster::set_slave_lag`](crate::MockCluster::set_slave_lag).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlaveLag {
    /// It has all messages.
    #[default]
    None,
    /// It lacks the latest N messages of its master, whatever their topics.
    Messages(usize),
    /// It copies nothing, neither messages nor offsets.
    Stopped,
}

impl Link {
    pub(crate) fn lag(&self) -> SlaveLag {
        *self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    /// A slave of this master, or a master.
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

    /// Something was stored.
    pub(crate) fn tell_slaves(&self) {
        if let Self::Master(slaves) = self {
            slaves.links().iter().for_each(|link| link.news.notify_one());
        }
    }

    /// A slave came up or went down.
    pub(crate) fn set_up(&self, is_up: bool) {
        if let Self::Slave { link, .. } = self {
            link.is_up.store(is_up, Ordering::SeqCst);
        }
    }

    /// Lets a slave lag. False if it is none.
    pub(crate) fn set_lag(&self, lag: SlaveLag) -> bool {
        let Self::Slave { link, .. } = self else { return false };
        *link.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
        true
    }

    /// In how many places there is what a master stores.
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
    /// How many slaves have what this master stores.
    pub(crate) fn slaves_up(&self) -> usize {
        self.role.copies() - 1
    }
}
