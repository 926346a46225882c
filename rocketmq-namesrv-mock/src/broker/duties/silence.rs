//! Clients that have fallen silent. Java: `ClientHousekeepingService`.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::state::{Broker, ClientChannelInfo};

/// How long a client may be silent. Java: `channelExpiredTimeout`.
const SILENCE_LIMIT_MS: i64 = 120_000;

/// How often a broker looks.
const SCAN_INTERVAL: Duration = Duration::from_secs(10);

/// Drops the clients from all groups that have sent no heartbeat for two minutes, and closes their connections. The
/// other members of their groups are not told. Returns how many connections were closed.
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

/// Looks for silent clients as the clock goes on. Runs as long as the broker does.
pub(crate) async fn watch_for_silence(broker: Arc<Broker>) {
    loop {
        broker.clock.sleep(SCAN_INTERVAL).await;
        drop_silent_clients(&broker);
    }
}
