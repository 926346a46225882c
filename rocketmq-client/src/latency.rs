//! The latency fault strategy: avoids brokers that were slow or failed. Java: `org.apache.rocketmq.client.latency`.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::time::{Instant, sleep};

use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::factory::{Choice, MQClientInstance, TopicPublishInfo};

/// The latency of a failed attempt.
const ISOLATED: Duration = Duration::from_secs(10);

/// Avoids brokers that were slow or failed, for a time that grows with the latency. Switched off, queues are simply
/// used in turn. Java: `MQFaultStrategy`, `LatencyFaultToleranceImpl`.
#[derive(Debug)]
pub(crate) struct MQFaultStrategy {
    tables: Option<LatencyTables>,
    /// Whether a detector checks brokers that could not be reached.
    detecting: bool,
    /// With a hash that has no seed, so that each run of a simulation asks in the same order.
    items: RwLock<FxHashMap<Arc<str>, FaultItem>>,
}

/// Latencies from which on a broker is avoided, and for how long: both in ms and of equal length.
#[derive(Debug, Clone)]
struct LatencyTables {
    latency_max: Vec<u64>,
    not_available_duration: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct FaultItem {
    available_from: Instant,
    reachable: bool,
    checked: Instant,
}

impl MQFaultStrategy {
    /// `tables`: `None` switches the strategy off.
    fn new(tables: Option<LatencyTables>, detecting: bool) -> Self {
        Self { tables, detecting, items: RwLock::default() }
    }

    /// The strategy that these options ask for.
    pub(crate) fn of(option: &ProducerOption) -> Self {
        Self::new(LatencyTables::of(option), option.start_detector_enable())
    }

    /// Records the result of an attempt that began at `began` and has ended now.
    pub(crate) fn note(&self, broker: &str, began: Instant, failure: Option<&MQClientError>) {
        let Some(tables) = &self.tables else { return };
        let now = Instant::now();
        let (latency, reachable) = match failure {
            None => (now - began, true),
            Some(MQClientError::Remoting { .. }) => (ISOLATED, !self.detecting),
            Some(MQClientError::MessageIllegal { .. }) => return,
            Some(_) => (ISOLATED, false),
        };
        let away = tables.away_for(latency);
        let mut items = self.items.write().unwrap_or_else(PoisonError::into_inner);
        if away.is_zero() && reachable && !items.contains_key(broker) {
            // The usual case: fast, no failure, and nothing recorded before.
            return;
        }
        let item =
            items.entry(broker.into()).or_insert(FaultItem { available_from: now, reachable, checked: now });
        item.available_from = item.available_from.max(now + away);
        item.reachable = reachable;
    }

    /// The next queue in turn of a broker that is available and not `avoid`; without one, of a broker that can be
    /// reached; without one, the next in turn.
    pub(crate) fn select<'r>(&self, route: &'r TopicPublishInfo, avoid: Option<&str>) -> Option<Choice<'r>> {
        if self.tables.is_none() {
            return route.select(|broker| Some(broker) != avoid);
        }
        let now = Instant::now();
        let items = self.items.read().unwrap_or_else(PoisonError::into_inner);
        let is_available = |broker: &str| items.get(broker).is_none_or(|item| item.available_from <= now);
        let is_reachable = |broker: &str| items.get(broker).is_none_or(|item| item.reachable);
        let best = route.select_if(|broker| Some(broker) != avoid && is_available(broker));
        let best = best.or_else(|| route.select_if(|broker| Some(broker) != avoid && is_reachable(broker)));
        best.or_else(|| route.select(|broker| Some(broker) != avoid))
    }

    /// Checks every `interval` whether brokers that failed can be reached again, and forgets brokers that no route names
    /// any more. Never ends.
    pub(crate) async fn detect(
        self: Arc<Self>,
        instance: Arc<MQClientInstance>,
        interval: Duration,
        limit: Duration,
    ) {
        loop {
            sleep(interval).await;
            for broker in self.due_for_detection(interval) {
                let reachable = match instance.a_queue_of(&broker) {
                    None => None,
                    Some((queue, address)) => {
                        Some(instance.api().within(limit).max_offset(&address, &queue).await.is_ok())
                    }
                };
                self.detected(&broker, reachable);
            }
        }
    }

    /// Unreachable brokers that were not checked for `interval`. They count as checked from now on.
    fn due_for_detection(&self, interval: Duration) -> Vec<Arc<str>> {
        let now = Instant::now();
        let mut items = self.items.write().unwrap_or_else(PoisonError::into_inner);
        let due = items.iter_mut().filter(|(_, item)| !item.reachable && item.checked + interval <= now);
        due.map(|(broker, item)| {
            item.checked = now;
            broker.clone()
        })
        .collect()
    }

    /// Records the detector's result; `None` forgets a broker that no route names any more.
    fn detected(&self, broker: &str, reachable: Option<bool>) {
        let mut items = self.items.write().unwrap_or_else(PoisonError::into_inner);
        match reachable {
            None => _ = items.remove(broker),
            Some(reachable) => {
                if let Some(item) = items.get_mut(broker) {
                    item.reachable = reachable;
                }
            }
        }
    }
}

impl LatencyTables {
    /// The tables of these options, if they switch the strategy on.
    fn of(option: &ProducerOption) -> Option<Self> {
        option.send_latency_fault_enable().then(|| Self {
            latency_max: option.latency_max().to_vec(),
            not_available_duration: option.not_available_duration().to_vec(),
        })
    }

    fn away_for(&self, latency: Duration) -> Duration {
        let ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        let steps = self.latency_max.iter().zip(&self.not_available_duration);
        let away = steps.rev().find(|(from, _)| ms >= **from).map_or(0, |(_, away)| *away);
        Duration::from_millis(away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strategy(detecting: bool) -> MQFaultStrategy {
        let tables = LatencyTables {
            latency_max: vec![50, 100, 550, 1800, 3000, 5000, 15_000],
            not_available_duration: vec![0, 0, 2000, 5000, 6000, 10_000, 30_000],
        };
        MQFaultStrategy::new(Some(tables), detecting)
    }

    fn route(brokers: &[&str]) -> TopicPublishInfo {
        TopicPublishInfo::on_brokers(brokers, 2)
    }

    fn refused() -> MQClientError {
        MQClientError::ServiceNotAvailable { broker: "a".into(), remark: None, context: Box::default() }
    }

    fn brokers_of(strategy: &MQFaultStrategy, route: &TopicPublishInfo) -> Vec<String> {
        let name = |_| strategy.select(route, None).unwrap().queue.broker_name().to_owned();
        let mut names: Vec<String> = (0..12).map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_away_grows_with_the_latency_as_in_java() {
        let (strategy, route) = (strategy(false), route(&["a", "b"]));
        for (latency_ms, away_ms) in [(10, 0), (99, 0), (549, 0), (550, 2000), (1800, 5000), (3000, 6000)] {
            strategy.note("a", Instant::now() - Duration::from_millis(latency_ms), None);
            if away_ms > 0 {
                assert_eq!(brokers_of(&strategy, &route), ["b"], "{latency_ms}");
                tokio::time::advance(Duration::from_millis(away_ms - 1)).await;
                assert_eq!(brokers_of(&strategy, &route), ["b"], "{latency_ms}");
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            assert_eq!(brokers_of(&strategy, &route), ["a", "b"], "{latency_ms}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_refuses_is_away_for_ten_seconds_and_used_if_there_is_no_other() {
        let (strategy, route_ab, route_a) = (strategy(false), route(&["a", "b"]), route(&["a"]));
        strategy.note("a", Instant::now(), Some(&refused()));
        assert_eq!(brokers_of(&strategy, &route_ab), ["b"]);
        assert_eq!(brokers_of(&strategy, &route_a), ["a"]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(brokers_of(&strategy, &route_ab), ["a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_detector_brings_a_broker_back() {
        let strategy = strategy(true);
        strategy.note("a", Instant::now(), Some(&refused()));
        assert!(strategy.due_for_detection(Duration::from_secs(2)).is_empty());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(strategy.due_for_detection(Duration::from_secs(2)), [Arc::from("a")]);
        strategy.detected("a", Some(true));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(strategy.due_for_detection(Duration::from_secs(2)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn switched_off_it_only_avoids_the_last_broker() {
        let (strategy, route) = (MQFaultStrategy::new(None, false), route(&["a", "b"]));
        strategy.note("a", Instant::now() - Duration::from_secs(100), Some(&refused()));
        assert_eq!(brokers_of(&strategy, &route), ["a", "b"]);
        assert_eq!(strategy.select(&route, Some("a")).unwrap().queue.broker_name(), "b");
    }
}
