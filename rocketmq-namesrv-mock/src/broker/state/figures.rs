//! Counters of messages. Java: `BrokerStatsManager`.

use std::collections::{HashMap, VecDeque};

/// The steps of a minute, an hour and a day, and the number of sums kept for each.
const STEPS: [(i64, usize); 3] = [(10_000, 7), (600_000, 7), (3_600_000, 25)];

/// All counters of a broker.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    topics: HashMap<String, OfTopic>,
    puts: Counter,
    gets: Counter,
    acks: Counter,
    checkpoints: Counter,
}

#[derive(Debug, Default)]
struct OfTopic {
    puts: Counter,
    put_bytes: Counter,
    groups: HashMap<String, OfGroup>,
}

#[derive(Debug, Default)]
struct OfGroup {
    gets: Counter,
    get_bytes: Counter,
    acks: Counter,
    checkpoints: Counter,
    send_backs: Counter,
}

/// A sum with its earlier values.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counter {
    value: u64,
    times: u64,
    /// The sums at the ends of the last steps, oldest first.
    before: [VecDeque<Point>; STEPS.len()],
}

#[derive(Debug, Clone, Copy)]
struct Point {
    at_ms: i64,
    value: u64,
    times: u64,
}

/// The growth of a sum. Java: `StatsSnapshot`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Growth {
    pub(crate) sum: u64,
    /// Growth per second.
    pub(crate) tps: f64,
    /// Growth per addition.
    pub(crate) average: f64,
}

impl Figures {
    /// Counts a stored message.
    pub(crate) fn put(&mut self, now_ms: i64, topic: &str, bytes: usize) {
        self.puts.add(now_ms, 1);
        with(&mut self.topics, topic, |topic| {
            topic.puts.add(now_ms, 1);
            topic.put_bytes.add(now_ms, bytes as u64);
        });
    }

    /// Counts delivered messages.
    pub(crate) fn get(&mut self, now_ms: i64, topic: &str, group: &str, count: usize, bytes: usize) {
        self.gets.add(now_ms, count as u64);
        self.with_group(topic, group, |group| {
            group.gets.add(now_ms, count as u64);
            group.get_bytes.add(now_ms, bytes as u64);
        });
    }

    /// Counts an acknowledged pop.
    pub(crate) fn ack(&mut self, now_ms: i64, topic: &str, group: &str) {
        self.acks.add(now_ms, 1);
        self.with_group(topic, group, |group| group.acks.add(now_ms, 1));
    }

    /// Counts popped messages that were hidden.
    pub(crate) fn checkpoint(&mut self, now_ms: i64, topic: &str, group: &str) {
        self.checkpoints.add(now_ms, 1);
        self.with_group(topic, group, |group| group.checkpoints.add(now_ms, 1));
    }

    /// Counts a returned message.
    pub(crate) fn send_back(&mut self, now_ms: i64, topic: &str, group: &str) {
        self.with_group(topic, group, |group| group.send_backs.add(now_ms, 1));
    }

    /// The number of delivered messages.
    pub(crate) fn gets(&self) -> u64 {
        self.gets.value
    }

    /// Messages of a topic stored per second, over the last minute.
    pub(crate) fn put_tps(&self, now_ms: i64, topic: &str) -> f64 {
        self.topics.get(topic).map_or(0.0, |topic| topic.puts.growth(now_ms)[0].tps)
    }

    /// Messages of a topic delivered to a group per second, over the last minute.
    pub(crate) fn get_tps(&self, now_ms: i64, topic: &str, group: &str) -> f64 {
        let group = self.topics.get(topic).and_then(|topic| topic.groups.get(group));
        group.map_or(0.0, |group| group.gets.growth(now_ms)[0].tps)
    }

    /// A counter by Java's name, if it ever counted. Counters of groups have keys like `topic@group`; those of the
    /// broker have its cluster's name.
    pub(crate) fn find(&self, name: &str, key: &str, cluster: &str) -> Option<&Counter> {
        let is_cluster = key == cluster;
        let counter = match name {
            "BROKER_PUT_NUMS" if is_cluster => &self.puts,
            "BROKER_GET_NUMS" if is_cluster => &self.gets,
            "BROKER_ACK_NUMS" if is_cluster => &self.acks,
            "BROKER_CK_NUMS" if is_cluster => &self.checkpoints,
            "TOPIC_PUT_NUMS" => &self.topics.get(key)?.puts,
            "TOPIC_PUT_SIZE" => &self.topics.get(key)?.put_bytes,
            _ => {
                let (topic, group) = key.split_once('@')?;
                let group = self.topics.get(topic)?.groups.get(group)?;
                match name {
                    "GROUP_GET_NUMS" => &group.gets,
                    "GROUP_GET_SIZE" => &group.get_bytes,
                    "GROUP_ACK_NUMS" => &group.acks,
                    "GROUP_CK_NUMS" => &group.checkpoints,
                    "SNDBCK_PUT_NUMS" => &group.send_backs,
                    _ => return None,
                }
            }
        };
        (counter.times > 0).then_some(counter)
    }

    /// Forgets a topic.
    pub(crate) fn remove_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// Forgets a group.
    pub(crate) fn remove_group(&mut self, group: &str) {
        self.topics.values_mut().for_each(|topic| _ = topic.groups.remove(group));
    }

    fn with_group(&mut self, topic: &str, group: &str, count: impl FnOnce(&mut OfGroup)) {
        with(&mut self.topics, topic, |topic| with(&mut topic.groups, group, count));
    }
}

/// Counts under a name. Only a new name allocates.
fn with<T: Default>(table: &mut HashMap<String, T>, name: &str, count: impl FnOnce(&mut T)) {
    match table.get_mut(name) {
        Some(found) => count(found),
        None => count(table.entry(name.to_owned()).or_default()),
    }
}

impl Counter {
    fn add(&mut self, now_ms: i64, value: u64) {
        self.pass(now_ms);
        self.value = self.value.saturating_add(value);
        self.times += 1;
    }

    /// The growth over the last minute, hour and day. Apache's broker counts up to the end of the last step, so that
    /// additions show up to ten seconds later; here they show at once.
    pub(crate) fn growth(&self, now_ms: i64) -> [Growth; STEPS.len()] {
        let mut now = self.clone();
        now.pass(now_ms);
        let (value, times) = (now.value, now.times);
        now.before.map(|before| {
            let Some(first) = before.front() else { return Growth::default() };
            let (sum, times) = (value - first.value, times - first.times);
            let seconds = now_ms.saturating_sub(first.at_ms).max(1) as f64 / 1000.0;
            let average = if times > 0 { sum as f64 / times as f64 } else { 0.0 };
            Growth { sum, tps: sum as f64 / seconds, average }
        })
    }

    /// Stores the sum at the ends of all steps that are over.
    fn pass(&mut self, now_ms: i64) {
        for (before, (step_ms, kept)) in self.before.iter_mut().zip(STEPS) {
            let Point { at_ms, .. } = before.back().copied().unwrap_or_else(|| {
                let first = Point { at_ms: now_ms.saturating_sub(step_ms), value: 0, times: 0 };
                before.push_back(first);
                first
            });
            let steps = now_ms.saturating_sub(at_ms) / step_ms;
            // After a long pause only the last steps matter.
            for step in steps.saturating_sub(kept as i64).max(0)..steps {
                let at_ms = at_ms.saturating_add((step + 1).saturating_mul(step_ms));
                before.push_back(Point { at_ms, value: self.value, times: self.times });
            }
            before.drain(..before.len().saturating_sub(kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000_000;

    fn sums(counter: &Counter, seconds: i64) -> [u64; 3] {
        counter.growth(START + seconds * 1000).map(|growth| growth.sum)
    }

    #[test]
    fn a_minute_an_hour_and_a_day_are_counted() {
        let mut counter = Counter::default();
        counter.add(START, 7);
        assert_eq!(sums(&counter, 0), [7, 7, 7]);
        assert_eq!(sums(&counter, 59), [7, 7, 7]);
        counter.add(START + 60_000, 5);
        assert_eq!(sums(&counter, 75), [5, 12, 12]);
        assert_eq!(sums(&counter, 3_700), [0, 12, 12]);
        assert_eq!(sums(&counter, 4_500), [0, 0, 12]);
        assert_eq!(sums(&counter, 100_000), [0, 0, 0]);
        assert_eq!(sums(&counter, 0), [12, 12, 12], "a clock that goes back harms nobody");
    }

    #[test]
    fn rates_are_by_the_second_and_by_what_was_added() {
        let mut counter = Counter::default();
        counter.add(START, 30);
        counter.add(START, 10);
        let [minute, hour, _] = counter.growth(START);
        assert_eq!(minute, Growth { sum: 40, tps: 4.0, average: 20.0 });
        assert_eq!(hour.tps, 40.0 / 600.0);
    }

    #[test]
    fn counters_are_found_by_java_s_names_once_they_counted() {
        let mut figures = Figures::default();
        figures.put(START, "T", 100);
        figures.get(START, "T", "g", 3, 300);
        figures.ack(START, "T", "g");
        let sum = |name, key| figures.find(name, key, "c").map(|found| found.growth(START)[0].sum);
        assert_eq!([sum("TOPIC_PUT_NUMS", "T"), sum("TOPIC_PUT_SIZE", "T")], [Some(1), Some(100)]);
        assert_eq!([sum("GROUP_GET_NUMS", "T@g"), sum("GROUP_GET_SIZE", "T@g")], [Some(3), Some(300)]);
        assert_eq!([sum("BROKER_PUT_NUMS", "c"), sum("BROKER_GET_NUMS", "c")], [Some(1), Some(3)]);
        assert_eq!([sum("GROUP_ACK_NUMS", "T@g"), sum("GROUP_CK_NUMS", "T@g")], [Some(1), None]);
        assert_eq!([sum("GROUP_GET_NUMS", "T@h"), sum("TOPIC_PUT_NUMS", "S"), sum("X", "T@g")], [None; 3]);
        figures.remove_group("g");
        assert!(figures.find("GROUP_GET_NUMS", "T@g", "c").is_none());
        figures.remove_topic("T");
        assert!(figures.find("TOPIC_PUT_NUMS", "T", "c").is_none());
    }
}
