use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rocketmq_event::outbox::{Backlog, OutboxError, OutboxEvent, OutboxStore};
use rusqlite::{Transaction, params};

use crate::Database;

/// Writes an event in the transaction of the row that it tells of. Returns its sequence.
///
/// # Errors
/// When SQLite does not take it.
pub fn add(transaction: &Transaction<'_>, event: &OutboxEvent) -> Result<u64, OutboxError> {
    let sql = "INSERT INTO outbox (envelope, body) VALUES (?1, ?2)";
    transaction.prepare_cached(sql)?.execute(params![event.envelope_text(), &event.body[..]])?;
    Ok(u64::try_from(transaction.last_insert_rowid())?)
}

/// The table `outbox`, as a relay reads it. Published events stay for a while: see [`forget`](Self::forget).
#[derive(Debug, Clone)]
pub struct SqliteOutbox(Database);

impl SqliteOutbox {
    /// The outbox of this database.
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// Deletes events that were published longer ago than this, and returns their number.
    ///
    /// # Errors
    /// When SQLite does not do it.
    pub async fn forget(&self, longer_ago_than: Duration) -> Result<usize, OutboxError> {
        let seconds = i64::try_from(longer_ago_than.as_secs())?;
        let sql = "DELETE FROM outbox WHERE published <= unixepoch() - ?1";
        self.0.transaction(move |transaction| Ok(transaction.execute(sql, [seconds])?)).await
    }
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxEvent>, OutboxError> {
        let (after, limit) = (i64::try_from(after)?, i64::try_from(limit)?);
        let read = move |transaction: &Transaction<'_>| {
            let mut rows = transaction.prepare_cached(
                "SELECT sequence, envelope, body FROM outbox
                 WHERE published IS NULL AND refused IS NULL AND sequence > ?1 ORDER BY sequence LIMIT ?2",
            )?;
            let mut rows = rows.query([after, limit])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                let (sequence, body) = (u64::try_from(row.get::<_, i64>(0)?)?, row.get::<_, Vec<u8>>(2)?);
                events.push(OutboxEvent::from_row(sequence, &row.get::<_, String>(1)?, body)?);
            }
            Ok(events)
        };
        self.0.transaction(read).await
    }

    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError> {
        let sequences = sequences.iter().copied().map(i64::try_from).collect::<Result<Vec<i64>, _>>()?;
        let mark = move |transaction: &Transaction<'_>| {
            let mut mark = transaction
                .prepare_cached("UPDATE outbox SET published = unixepoch() WHERE sequence = ?1")?;
            for sequence in sequences {
                mark.execute([sequence])?;
            }
            Ok(())
        };
        self.0.transaction(mark).await
    }

    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError> {
        let (sequence, reason) = (i64::try_from(sequence)?, reason.to_owned());
        let refuse = move |transaction: &Transaction<'_>| {
            transaction
                .execute("UPDATE outbox SET refused = ?2 WHERE sequence = ?1", params![sequence, reason])?;
            Ok(())
        };
        self.0.transaction(refuse).await
    }

    async fn backlog(&self) -> Result<Backlog, OutboxError> {
        let sql = "SELECT count(*), min(created) FROM outbox WHERE published IS NULL AND refused IS NULL";
        let ask = move |transaction: &Transaction<'_>| {
            Ok(transaction
                .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?)))?)
        };
        let (count, oldest) = self.0.transaction(ask).await?;
        let oldest = oldest.and_then(|seconds| u64::try_from(seconds).ok());
        let time = |seconds| -> SystemTime { UNIX_EPOCH + Duration::from_secs(seconds) };
        Ok(Backlog { count: u64::try_from(count)?, oldest: oldest.map(time) })
    }
}
