//! Background work. Each duty is a task of its own: a slow NameServer delays no heartbeat.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::net::TaskOwner;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::heartbeats::Heartbeats;
use super::route_table::RouteTable;
use crate::error::with_causes;

/// The shortest time between two rounds of a duty, even if more rounds are asked for.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);

/// Looks all routes up again: regularly, and soon after a notification of `wanted`.
pub(super) async fn refresh_routes(
    routes: Arc<RouteTable>,
    every: Duration,
    limit: Duration,
    wanted: Arc<Notify>,
) {
    loop {
        pause(every, &wanted).await;
        routes.refresh(limit).await;
    }
}

/// Sends heartbeats to all masters, and to all slaves while there is a consumer: regularly, and soon after a
/// notification of `wanted`, for example by a new connection.
pub(super) async fn send_heartbeats(
    heartbeats: Arc<Heartbeats>,
    routes: Arc<RouteTable>,
    tasks: TaskOwner,
    every: Duration,
    wanted: Arc<Notify>,
) {
    loop {
        pause(every, &wanted).await;
        let servers = routes.servers(heartbeats.groups().have_consumer());
        heartbeats.keep(&servers);
        for address in servers {
            let heartbeats = heartbeats.clone();
            tasks.spawn(async move {
                let answer = heartbeats.send(&address).await;
                heartbeats.peers().asked("broker", &address, &answer);
                if let Err(error) = answer {
                    tracing::debug!(broker = %address, error = with_causes(&error), "heartbeat failed");
                }
            });
        }
    }
}

async fn pause(every: Duration, wanted: &Notify) {
    let not_before = Instant::now() + AT_MOST_EVERY.min(every);
    let _ = timeout(every, wanted.notified()).await;
    sleep_until(not_before).await;
}
