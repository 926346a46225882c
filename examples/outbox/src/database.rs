use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rocketmq_event::outbox::OutboxError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

const TABLES: &str = "
    -- A commit is on the disk when it returns: an event that the broker has must have its row after a power failure.
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 10000;
    -- AUTOINCREMENT: a sequence is not given a second time after its row is deleted.
    CREATE TABLE IF NOT EXISTS outbox (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        created INTEGER NOT NULL DEFAULT (unixepoch()),
        envelope TEXT NOT NULL,
        body BLOB NOT NULL,
        published INTEGER,
        refused TEXT
    );
    CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (sequence) WHERE published IS NULL AND refused IS NULL;
    CREATE TABLE IF NOT EXISTS inbox (
        reader TEXT NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (reader, event)
    ) WITHOUT ROWID;
";

/// A connection to a SQLite file. Clones share it.
#[derive(Debug, Clone)]
pub struct Database(Arc<Mutex<Connection>>);

impl Database {
    /// Opens the file, and creates the tables of this crate if they do not exist.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OutboxError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(TABLES)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Runs `work` in a transaction, on a thread that may block. The transaction is committed if `work` succeeds, and rolled back if
    /// it does not. When the future is dropped, the transaction ends by itself, in either way.
    ///
    /// # Errors
    /// The error of `work`, or of the commit.
    pub async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let database = self.0.clone();
        let working = tokio::task::spawn_blocking(move || {
            let mut connection = database.lock().unwrap_or_else(PoisonError::into_inner);
            // Immediate: two writers wait for each other at the begin, and not at their first write, where one of them would fail.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        working.await?
    }
}
