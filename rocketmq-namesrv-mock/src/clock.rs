//! The one place that asks for the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The time that the brokers of a cluster go by.
#[derive(Debug)]
pub(crate) enum Clock {
    /// That of the system.
    Wall,
    /// One that stands still until it is moved.
    Virtual(AtomicI64),
}

impl Clock {
    /// A clock that stands at the time of the system.
    pub(crate) fn standing() -> Self {
        Self::Virtual(AtomicI64::new(system_ms()))
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        match self {
            Self::Wall => system_ms(),
            Self::Virtual(now) => now.load(Ordering::Relaxed),
        }
    }

    /// Whether it stands still.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Moves a standing clock forward; that of the system goes by itself.
    pub(crate) fn move_to(&self, ms: i64) {
        if let Self::Virtual(now) = self {
            now.fetch_max(ms, Ordering::Relaxed);
        }
    }
}

/// The time of the system: milliseconds since 1970.
pub(crate) fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
