//! Silent clients. Java: `ClientHousekeepingService`.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::state::{Broker, ClientChannelInfo};

/// The longest silence of a client. Java: `channelExpiredTimeout`.
const SILENCE_LIMIT_MS: i64 = 120_000;

/// The interval between checks.
const SCAN_INTERVAL: Duration = Duration::from_secs(10);

/// Removes the clients without a heartbeat for two minutes from all groups, and closes their connections. The other
/// members of their groups are not told. Returns the number of closed connections.
pub(crate) fn drop_silent_clients(broker: &Broker) -> usize {
    let before_ms = broker.now_ms().saturating_sub(SILENCE_LIMIT_MS);
    drop_clients(broker, |client| client.heard_ms < before_ms)
}

/// Drops clients as if they had been silent for too long.
pub(crate) fn drop_clients(broker: &Broker, which: impl Fn(&ClientChannelInfo) -> bool) -> usize {
    let mut state = broker.lock();
    let mut silent = state.consumers.drop_members(&which);
    silent.extend(state.producers.drop_members(&which));
    drop(state);
    silent.sort_unstable_by_key(|connection| connection.id());
    silent.dedup_by_key(|connection| connection.id());
    for connection in &silent {
        connection.close();
    }
    silent.len()
}

/// Checks for silent clients as the clock advances. Runs as long as the broker.
pub(crate) async fn watch_for_silence(broker: Arc<Broker>) {
    loop {
        broker.clock.sleep(SCAN_INTERVAL).await;
        drop_silent_clients(&broker);
    }
}
