use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::body::CheckClientRequestBody;
use tokio::time::{Instant, timeout_at};

use super::mq_consumer_inner::{ASSIGN_OR_SUBSCRIBE, MQConsumerInner, Running};
use super::start::{BoxFuture, left};
use crate::clock::now_ms;
use crate::conf::millis;
use crate::consumer::member::{Member, Subscribed};
use crate::consumer::offsets::remote;
use crate::consumer::pop::pop_retry_topic;
use crate::consumer::rebalance::start_release;
use crate::consumer::subscription::{MessageSelector, Subscription};
use crate::error::{MQClientError, invalid};
use crate::life_cycle::Starting;
use crate::waiting;

impl MQConsumerInner {
    pub(crate) fn subscribe(self: &Arc<Self>, topic: String, selector: MessageSelector) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let subscribed = self.subscribed(&topic, &selector)?;
            let running = {
                let mut wishes = self.wishes();
                if wishes.assigned.is_some() {
                    return Err(invalid("subscribe", ASSIGN_OR_SUBSCRIBE));
                }
                match self.running() {
                    Ok(running) => running,
                    // A start that goes on looks for it at its end.
                    Err(MQClientError::NotStarted { .. }) => {
                        wishes.subscriptions.insert(topic, selector);
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            };
            self.subscribe_now(running, subscribed, topic, selector).await
        })
    }

    /// Subscribes while the consumer runs, or is about to.
    pub(super) async fn subscribe_now(
        &self,
        running: &Running,
        subscribed: Subscribed,
        topic: String,
        selector: MessageSelector,
    ) -> Result<(), MQClientError> {
        self.wishes().check_topic(&topic)?;
        let deadline = Instant::now() + millis(self.option.start_timeout());
        let member = &running.member;
        self.find_route(member, &subscribed, deadline).await?;
        let known = member.subscribed(&subscribed.topic);
        if known.is_some_and(|known| known.subscription.is_like(&subscribed.subscription)) {
            // Its queues go on: to begin them anew would repeat what is not committed.
            member.reach_servers(&subscribed.topic, deadline).await;
            return Ok(());
        }
        member.check_filter(&subscribed, deadline).await?;
        let _ = timeout_at(deadline, remote::note_history(member, &subscribed)).await;
        let wire = subscribed.topic.clone();
        {
            // Of two calls at once, the later tells of both.
            let mut wishes = self.wishes();
            if wishes.assigned.is_some() {
                return Err(invalid("subscribe", ASSIGN_OR_SUBSCRIBE));
            }
            member.set_subscribed(subscribed);
            // At the end of a start, what the user wants may have changed again.
            if self.running().is_ok() {
                wishes.subscriptions.insert(topic, selector);
            }
            running.membership.subscribe(member.consumer_data());
        }
        // Before the await, at which this future may be dropped: brokers filter anew from now on, and what they leave out must
        // not count as finished. A heartbeat with the new filter comes before each pull.
        member.filter_anew(&wire);
        member.want_rebalance();
        member.reach_servers(&wire, deadline).await;
        Ok(())
    }

    pub(crate) fn unsubscribe<'a>(self: &'a Arc<Self>, topic: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let running = {
                let mut wishes = self.wishes();
                wishes.subscriptions.remove(topic);
                self.running()
            };
            match running {
                Ok(running) => self.unsubscribe_now(running, topic).await,
                Err(MQClientError::NotStarted { .. }) => {}
                Err(error) => return Err(error),
            }
            Ok(())
        })
    }

    async fn unsubscribe_now(&self, running: &Running, topic: &str) {
        let wire = self.wrap(topic);
        {
            let _one_at_a_time = self.wishes();
            if !running.member.remove_subscribed(&wire) {
                return;
            }
            running.member.remove_subscribed(&pop_retry_topic(&wire, running.member.group()));
            running.membership.subscribe(running.member.consumer_data());
        }
        running.member.want_rebalance();
        let deadline = Instant::now() + millis(self.option.start_timeout());
        running.member.reach_servers(&wire, deadline).await;
    }

    /// Completes a start: does what was asked since it read the wishes, again and again until nothing was asked meanwhile. No wish
    /// changes before the user's calls find the consumer running.
    pub(super) async fn catch_up<'a>(
        &self,
        starting: Starting<'a, Running>,
        running: Running,
        (mut topics, mut assigned): (BTreeMap<String, MessageSelector>, Option<BTreeSet<MessageQueue>>),
    ) -> Result<&'a Running, MQClientError> {
        loop {
            let (wanted, queues) = {
                let wishes = self.wishes();
                if (&wishes.subscriptions, &wishes.assigned) == (&topics, &assigned) {
                    let _ = running.member.open_since.set(now_ms());
                    return Ok(starting.finish(running));
                }
                (wishes.subscriptions.clone(), wishes.assigned.clone())
            };
            for topic in topics.keys().filter(|topic| !wanted.contains_key(*topic)) {
                self.unsubscribe_now(&running, topic).await;
            }
            for (topic, selector) in wanted.iter().filter(|(topic, how)| topics.get(*topic) != Some(how)) {
                let subscribed = self.subscribed(topic, selector)?;
                self.subscribe_now(&running, subscribed, topic.clone(), selector.clone()).await?;
            }
            if let Some(queues) = queues.as_ref().filter(|queues| assigned.as_ref() != Some(queues)) {
                self.assign_now(&running, queues).await?;
            }
            (topics, assigned) = (wanted, queues);
        }
    }
}

/// Queues that the user names.
impl MQConsumerInner {
    pub(crate) fn assign(self: &Arc<Self>, queues: BTreeSet<MessageQueue>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (running, before) = {
                let mut wishes = self.wishes();
                if !wishes.subscriptions.is_empty() {
                    return Err(invalid("assign", ASSIGN_OR_SUBSCRIBE));
                }
                match self.running() {
                    // Before the await: a subscription that is made meanwhile is refused.
                    Ok(running) => (running, wishes.assigned.replace(queues.clone())),
                    Err(MQClientError::NotStarted { .. }) => {
                        wishes.assigned = Some(queues);
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            };
            let done = self.assign_now(running, &queues).await;
            let mut wishes = self.wishes();
            if done.is_err() && wishes.assigned.as_ref() == Some(&queues) {
                wishes.assigned = before;
            }
            done
        })
    }

    async fn assign_now(
        &self,
        running: &Running,
        queues: &BTreeSet<MessageQueue>,
    ) -> Result<(), MQClientError> {
        let deadline = Instant::now() + millis(self.option.start_timeout());
        let member = &running.member;
        let wire = self.set_assigned(member, queues, deadline).await?;
        running.membership.subscribe(member.consumer_data());
        for subscribed in member.all_subscribed() {
            member.reach_servers(&subscribed.topic, deadline).await;
        }
        member.want_rebalance();
        let mut taken = BTreeMap::<Arc<str>, Vec<MessageQueue>>::new();
        for queue in wire {
            if let Some(subscribed) = member.subscribed(queue.topic())
                && member.take(queue.clone(), subscribed.clone(), false, false)
            {
                taken.entry(subscribed.topic.clone()).or_default().push(queue);
            }
        }
        for (topic, queues) in taken {
            member.tell_taken(&topic, queues);
        }
        Ok(())
    }

    /// Has a member read these queues, all messages of them. Returns the queues as brokers know them.
    pub(crate) async fn set_assigned(
        &self,
        member: &Member,
        queues: &BTreeSet<MessageQueue>,
        deadline: Instant,
    ) -> Result<BTreeSet<MessageQueue>, MQClientError> {
        let queues: BTreeSet<MessageQueue> = queues.iter().map(|queue| self.wrap_queue(queue)).collect();
        let topics: BTreeSet<&str> = queues.iter().map(MessageQueue::topic).collect();
        let mut added = Vec::new();
        for topic in &topics {
            if member.subscribed(topic).is_none() {
                let subscription = Subscription::new(topic, &MessageSelector::all(), now_ms())?;
                let subscribed = self.subscribed_as((*topic).into(), subscription);
                self.find_route(member, &subscribed, deadline).await?;
                remote::note_history(member, &subscribed).await;
                added.push(subscribed);
            }
            self.check_queues(member, topic, &queues, deadline).await?;
        }
        for subscribed in added {
            member.set_subscribed(subscribed);
        }
        for before in member.all_subscribed().iter().filter(|before| !topics.contains(&*before.topic)) {
            member.remove_subscribed(&before.topic);
        }
        member.assign(queues.clone());
        Ok(queues)
    }

    /// Refuses queues that a topic with a route does not have: they would never bring a message.
    async fn check_queues(
        &self,
        member: &Member,
        topic: &str,
        queues: &BTreeSet<MessageQueue>,
        deadline: Instant,
    ) -> Result<(), MQClientError> {
        let Some(mut info) = member.instance.known_subscribe_info(topic) else { return Ok(()) };
        for queue in queues.iter().filter(|queue| queue.topic() == topic) {
            if !info.queues().contains(queue)
                // The topic may have more queues by now.
                && let Ok(fresh) = member.instance.subscribe_info(topic, deadline).await
            {
                info = fresh;
                if !info.queues().contains(queue) {
                    let (queue, count) = (self.plain_queue(queue), info.queues().len());
                    let reason = format!(
                        "there is no {queue}: fetch_message_queues names the {count} that its topic has"
                    );
                    return Err(MQClientError::argument("queue", reason));
                }
            }
        }
        Ok(())
    }

    /// The readable queues of a topic.
    pub(crate) async fn message_queues(&self, topic: &str) -> Result<Vec<MessageQueue>, MQClientError> {
        let instance = &self.running()?.member.instance;
        let (topic, limit) = (self.wrap(topic), instance.api().timeout());
        let info = instance.find_subscribe_info(&topic, limit, Instant::now() + limit).await?;
        Ok(info.queues().iter().map(|queue| self.plain_queue(queue)).collect())
    }
}

impl Member {
    /// Has the masters check an SQL filter (46). Only a filter that a broker cannot read is an error here: what keeps a
    /// broker from answering shows at its pulls.
    pub(crate) async fn check_filter(
        &self,
        subscribed: &Subscribed,
        deadline: Instant,
    ) -> Result<(), MQClientError> {
        use rocketmq_remoting::protocol::ResponseCode;
        let Some(view) = self.view(&subscribed.topic).filter(|_| subscribed.subscription.is_sql()) else {
            return Ok(());
        };
        let request = CheckClientRequestBody {
            client_id: self.instance.client_id().to_owned(),
            group: self.group().to_string(),
            namespace: None,
            subscription_data: subscribed.subscription.data().clone(),
        };
        let asking = self.instance.api().within(left(deadline));
        let masters: Vec<Arc<str>> =
            view.brokers().filter_map(|broker| view.server(broker, 0).cloned()).collect();
        let checks = masters.iter().map(|master| asking.check_client_config(master, &request));
        for checked in waiting::all(checks).await {
            match checked {
                Err(error) if error.response_code() == Some(ResponseCode::SUBSCRIPTION_PARSE_FAILED) => {
                    return Err(error.of_filter(&subscribed.plain, &request.subscription_data.sub_string));
                }
                Err(error) => tracing::warn!(%error, "a filter is not checked"),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Makes sure that each server of a topic that answers knows this member.
    pub(crate) async fn reach_servers(&self, topic: &str, deadline: Instant) {
        let Some(view) = self.view(topic) else { return };
        let limit = deadline.min(Instant::now() + self.instance.api().timeout());
        self.instance.reach_all(view.servers().cloned().collect(), limit).await;
    }

    /// Reads the queues of a topic on with the filter that it has now.
    fn filter_anew(self: &Arc<Self>, topic: &str) {
        for queue in self.queues.of_topic(topic) {
            // A queue that is moved by another meanwhile is looked at again.
            if self.queues.get(&queue).is_some_and(|owned| owned.is_pop) {
                // It is popped with the new filter by another ownership; what waits is popped again.
                start_release(self, vec![queue]);
                continue;
            }
            while let Some(owned) = self.queues.get(&queue) {
                // A queue that was taken since has the filter already.
                if self.subscribed(topic).is_none_or(|now| Arc::ptr_eq(&now, &owned.subscribed)) {
                    break;
                }
                // Without a position yet, it looks at the filter when it has one.
                let lowest = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
                if lowest.is_none_or(|lowest| self.move_to(&owned, lowest)) {
                    break;
                }
            }
        }
    }
}
