use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rocketmq_event::outbox::{Backlog, OutboxError, OutboxEvent, OutboxRow, OutboxStore, UnreadableRow};
use rusqlite::{Row, Transaction, params};

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

/// The event of a row. SQLite lets a column hold any type, and a text any bytes: such a row must not stop the others.
fn event(sequence: u64, row: &Row<'_>) -> OutboxRow {
    let unreadable = |error: rusqlite::Error| UnreadableRow { sequence, reason: error.to_string() };
    let (envelope, body) = (row.get::<_, String>(1), row.get::<_, Vec<u8>>(2));
    OutboxEvent::from_row(sequence, &envelope.map_err(unreadable)?, body.map_err(unreadable)?)
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let (after, limit) = (i64::try_from(after)?, i64::try_from(limit)?);
        let read = move |transaction: &Transaction<'_>| {
            let mut rows = transaction.prepare_cached(
                "SELECT sequence, envelope, body FROM outbox
                 WHERE published IS NULL AND refused IS NULL AND sequence > ?1 ORDER BY sequence LIMIT ?2",
            )?;
            let mut rows = rows.query([after, limit])?;
            let mut events = Vec::new();
            while let Some(row) = rows.next()? {
                events.push(event(u64::try_from(row.get::<_, i64>(0)?)?, row));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rocketmq_event::outbox::Relay;
    use rocketmq_event::{Bus, Event, EventType, Format};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Paid(u64);

    impl EventType for Paid {
        const NAMES: &'static [&'static str] = &["paid"];
    }

    #[tokio::test]
    async fn damaged_rows_are_kept_with_the_reason_and_the_others_are_published() {
        let database = Database::open(":memory:").unwrap();
        let write = |shop: &Transaction<'_>| {
            for number in 1..=5 {
                add(shop, &OutboxEvent::new(&Event::new(Paid(number)).with_key("key"), Format::Json)?)?;
            }
            shop.execute("UPDATE outbox SET envelope = substr(envelope, 2) WHERE sequence = 1", [])?;
            shop.execute("UPDATE outbox SET envelope = CAST(x'ff' AS TEXT) WHERE sequence = 2", [])?;
            shop.execute("UPDATE outbox SET body = 7 WHERE sequence = 3", [])?;
            Ok(())
        };
        database.transaction(write).await.unwrap();
        let bus = Bus::connect("memory:").await.unwrap();
        let outbox = Arc::new(SqliteOutbox::new(database.clone()));
        let relay = Relay::builder(outbox, Arc::new(bus.producer("payments").await.unwrap())).start();
        relay.wait_until_empty().await.unwrap();
        let report = relay.shutdown(Duration::from_secs(5)).await;
        assert_eq!((report.published, report.refused, report.waiting), (2, 3, Some(0)));
        let sql = "SELECT count(*) FROM outbox WHERE refused IS NOT NULL AND sequence <= 3";
        let count = move |shop: &Transaction<'_>| Ok(shop.query_row(sql, [], |row| row.get::<_, i64>(0))?);
        assert_eq!(database.transaction(count).await.unwrap(), 3);
    }
}
