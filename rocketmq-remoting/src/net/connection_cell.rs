use std::fmt;

use arc_swap::ArcSwapOption;

use super::Connection;
use super::connection::Shared;

/// Remembers a connection as long as it is usable: for who would look for it again and again.
#[derive(Default)]
pub struct ConnectionCell(ArcSwapOption<Shared>);

impl ConnectionCell {
    /// The connection, if it is usable still.
    pub fn get(&self) -> Option<Connection> {
        let shared = self.0.load_full()?;
        Some(Connection { shared }).filter(Connection::is_usable)
    }

    /// The connection, or another one, if there is any, which is remembered from now on.
    pub fn get_or(&self, find: impl FnOnce() -> Option<Connection>) -> Option<Connection> {
        self.get().or_else(|| {
            let found = find()?;
            self.set(&found);
            Some(found)
        })
    }

    /// Remembers this one.
    pub fn set(&self, connection: &Connection) {
        self.0.store(Some(connection.shared.clone()));
    }

    /// Forgets the connection, and returns it, usable or not.
    pub fn take(&self) -> Option<Connection> {
        self.0.swap(None).map(|shared| Connection { shared })
    }
}

impl fmt::Debug for ConnectionCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConnectionCell").field(&self.get()).finish()
    }
}
