use tokio::sync::broadcast;

/// An event of the connection of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The connection to the broker is lost; the backend makes a new one by itself.
    Lost {
        /// Why.
        reason: String,
    },
    /// The connection is back.
    Connected,
    /// This member reads this place now.
    Assigned {
        /// The place.
        place: String,
    },
    /// This member does not read this place any longer.
    Revoked {
        /// The place.
        place: String,
    },
    /// The broker or another member does what will cost this group events.
    Trouble {
        /// What.
        what: String,
    },
}

/// Tells notices to all who listen. A slow listener loses the oldest; nothing waits for it.
#[derive(Debug, Clone)]
pub struct Notices(broadcast::Sender<Notice>);

impl Notices {
    /// A new channel that keeps 64 notices for each listener.
    pub fn new() -> Self {
        Self(broadcast::channel(64).0)
    }

    /// Tells a notice.
    pub fn tell(&self, notice: Notice) {
        // An error means that there is no listener.
        _ = self.0.send(notice);
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self::new()
    }
}
