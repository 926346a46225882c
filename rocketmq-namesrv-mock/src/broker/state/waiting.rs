//! Waiting requests, by place.

use std::collections::BTreeMap;

use super::HeldRequest;

/// Waiting requests by topic and by a place in it: a queue, or a queue of a group. Ordered: a simulation repeats exactly.
#[derive(Debug)]
pub(crate) struct HeldByPlace<K> {
    topics: BTreeMap<String, BTreeMap<K, Vec<HeldRequest>>>,
}

impl<K: Ord> HeldByPlace<K> {
    pub(crate) fn add(&mut self, topic: String, place: K, pull: HeldRequest) {
        self.topics.entry(topic).or_default().entry(place).or_default().push(pull);
    }

    /// The requests at one place, in the order of arrival.
    pub(crate) fn at(&mut self, topic: &str, place: &K) -> Option<&mut Vec<HeldRequest>> {
        self.topics.get_mut(topic)?.get_mut(place)
    }

    /// The requests at each place of a topic.
    pub(crate) fn of_topic(&mut self, topic: &str) -> impl Iterator<Item = (&K, &mut Vec<HeldRequest>)> {
        self.topics.get_mut(topic).into_iter().flatten()
    }

    /// The number of requests at one place.
    pub(crate) fn count_at(&self, topic: &str, place: &K) -> usize {
        self.topics.get(topic).and_then(|places| places.get(place)).map_or(0, Vec::len)
    }

    /// The number of requests in a topic.
    pub(crate) fn count(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, |places| places.values().map(Vec::len).sum())
    }

    /// When the first request is due.
    pub(crate) fn first_due_ms(&self) -> Option<i64> {
        self.topics.values().flat_map(BTreeMap::values).flatten().map(|pull| pull.due_ms).min()
    }

    /// Takes out the requests that `which` selects, and removes empty places.
    pub(crate) fn take(&mut self, mut which: impl FnMut(&HeldRequest) -> bool) -> Vec<HeldRequest> {
        let mut taken = Vec::new();
        self.topics.retain(|_, places| {
            places.retain(|_, pulls| {
                taken.extend(extract(pulls, &mut which));
                !pulls.is_empty()
            });
            !places.is_empty()
        });
        taken
    }
}

impl<K> Default for HeldByPlace<K> {
    fn default() -> Self {
        Self { topics: BTreeMap::new() }
    }
}

/// Takes out the selected requests; the others keep their order.
pub(crate) fn extract(
    pulls: &mut Vec<HeldRequest>,
    which: impl FnMut(&HeldRequest) -> bool,
) -> Vec<HeldRequest> {
    let (taken, left) = std::mem::take(pulls).into_iter().partition(which);
    *pulls = left;
    taken
}
