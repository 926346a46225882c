use rocketmq_event::outbox::OutboxError;
use rusqlite::Transaction;

/// Notes that `reader` handles the event of this id. False: it has done so before, in a transaction that is committed. The note and the rows that the
/// handler writes are one transaction: after a crash both are there, or neither is, and the event comes again.
///
/// # Errors
/// When SQLite does not take it.
pub fn first_time(transaction: &Transaction<'_>, reader: &str, id: &str) -> Result<bool, OutboxError> {
    let sql = "INSERT INTO inbox (reader, event) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(transaction.prepare_cached(sql)?.execute([reader, id])? == 1)
}
