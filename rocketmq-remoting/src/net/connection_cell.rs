use std::fmt;

use arc_swap::ArcSwapOption;

use super::Connection;
use super::connection::Shared;

/// Caches a connection while it is usable: saves the look-up by address on every request.
#[derive(Default)]
pub struct ConnectionCell(ArcSwapOption<Shared>);

impl ConnectionCell {
    /// The cached connection, if it is still usable.
    pub fn get(&self) -> Option<Connection> {
        let shared = self.0.load_full()?;
        Some(Connection { shared }).filter(Connection::is_usable)
    }

    /// The cached connection if it is usable; otherwise caches and returns the connection that `find` returns.
    pub fn get_or(&self, find: impl FnOnce() -> Option<Connection>) -> Option<Connection> {
        self.get().or_else(|| {
            let found = find()?;
            self.set(&found);
            Some(found)
        })
    }

    /// Caches `connection` in place of the cached one.
    pub fn set(&self, connection: &Connection) {
        self.0.store(Some(connection.shared.clone()));
    }

    /// Empties the cell and returns its connection, usable or not.
    pub fn take(&self) -> Option<Connection> {
        self.0.swap(None).map(|shared| Connection { shared })
    }
}

impl fmt::Debug for ConnectionCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionCell").field(&self.get()).finish()
    }
}
