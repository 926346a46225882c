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

    /// In how many places there is what a master stores.
    pub(crate) fn copies(&self) -> usize {
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
    pub(crate) fn slaves_up(&self) -> usize {
        self.role.copies() - 1
    }
}
