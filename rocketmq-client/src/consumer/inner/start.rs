use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use rocketmq_common::{mix_all, namespace};
use rocketmq_remoting::protocol::body::{ConsumeType, ConsumerData};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::mq_consumer_inner::{MQConsumerInner, Running, suspend_member};
use super::notices;
use super::watchman::Watchman;
use crate::clock::now_ms;
use crate::conf::{ConsumeFromWhere, ConsumerOption, MessageModel, millis};
use crate::consumer::agreement::keep_looking;
use crate::consumer::dispatch::{Pool, Receiver};
use crate::consumer::listener::Listener;
use crate::consumer::lock::locker;
use crate::consumer::member::{Member, Ownership, PopSettings, Settings, Stage, Subscribed};
use crate::consumer::offsets::{LocalFile, LocalOffsets, local, remote};
use crate::consumer::pop::{keep_acking, keep_hidden};
use crate::consumer::position::StartFrom;
use crate::consumer::pull::{FlowLimits, mind_queues};
use crate::consumer::rebalance::Rebalancer;
use crate::consumer::retry::mind_parked;
use crate::consumer::subscription::{MessageSelector, Subscription};
use crate::consumer::watch::ConsumerEvent;
use crate::error::{MQClientError, invalid, with_causes};
use crate::factory::unique_ids;
use crate::hook::ConsumeMessageHook;
use crate::producer::Tracer;
use crate::trace::{ConsumeMessageTraceHook, TraceDispatcher, inner_group};

const MIB: u64 = 1024 * 1024;

/// A future in a box; see `producer::default_mq_producer_impl`.
pub(super) type BoxFuture<'a, T> =
    Pin<Box<dyn std::future::Future<Output = Result<T, MQClientError>> + Send + 'a>>;

impl MQConsumerInner {
    pub(crate) fn start(self: &Arc<Self>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Ok(_starting) = self.starting.try_lock() else {
                return Err(MQClientError::AlreadyStarted { client: self.life.client() });
            };
            tokio::select! {
                biased;
                started = self.start_once() => started,
                () = self.stop_start.notified() => Err(MQClientError::ShutDown { client: self.life.client() }),
            }
        })
    }

    async fn start_once(self: &Arc<Self>) -> Result<(), MQClientError> {
        let starting = self.life.begin()?;
        self.option.validate()?;
        let (receiver, selectors, assigned) = {
            let wishes = self.wishes();
            wishes.check_assignment()?;
            for topic in wishes.subscriptions.keys() {
                wishes.check_topic(topic)?;
            }
            (wishes.receiver()?, wishes.subscriptions.clone(), wishes.assigned.clone())
        };
        self.check_receiver(receiver.as_ref())?;
        if selectors.is_empty() && assigned.is_none() {
            let group = self.option.group_name();
            tracing::warn!(group, "nothing is subscribed to: no message comes before subscribe() is called");
        }
        let orderly = matches!(receiver, Some(Receiver::Listener(Listener::Orderly(_))));
        let deadline = Instant::now() + millis(self.option.start_timeout());
        if !self.is_alone {
            // A client that shuts down ends this start, too.
            let member: Arc<dyn crate::client::ClientMember> = self.clone();
            self.client.adopt(Arc::downgrade(&member));
        }
        let instance =
            if self.is_alone { self.client.started().await? } else { self.client.running()?.clone() };
        let mut settings = self.settings(orderly);
        let trace =
            self.option.trace_topic().filter(|_| self.option.enable_trace()).map(TraceDispatcher::new);
        settings.hooks.consume.extend(trace.iter().map(|trace| -> Arc<dyn ConsumeMessageHook> {
            Arc::new(ConsumeMessageTraceHook::new(trace.clone(), unique_ids(instance.ip())))
        }));
        let local = self.local_offsets(&settings, instance.client_id()).await?;
        let (data, events) = (self.data(), self.events.clone());
        let member = Arc::new(Member::new(settings, instance.clone(), data, events, local));
        for (topic, selector) in &selectors {
            let subscribed = self.subscribed(topic, selector)?;
            self.find_route(&member, &subscribed, deadline).await?;
            member.set_subscribed(subscribed);
        }
        if let Some(assigned) = &assigned {
            self.set_assigned(&member, assigned, deadline).await?;
        }
        if !member.settings.broadcast && !self.polls {
            member.set_subscribed(retry_subscription(&member)?);
        }
        for subscribed in member.all_subscribed() {
            member.check_filter(&subscribed, deadline).await?;
        }
        // Heartbeats come later: no member gives queues to this one before its history is read.
        let subscribed = member.all_subscribed();
        let histories = subscribed.iter().map(|subscribed| remote::note_history(&member, subscribed));
        // Without the time for it, they are read when a queue needs them.
        let _ = timeout_at(deadline, crate::waiting::all(histories)).await;
        let pool = receiver.map(|receiver| Pool::new(member.clone(), receiver));
        let handlers = notices::handlers(&member, pool.as_ref());
        let membership = Arc::new(instance.join_consumer_group(member.consumer_data(), handlers)?);
        let _ = member.membership.set(Arc::downgrade(&membership));
        let running = Running {
            tracer: self.start_trace(&member, trace).await,
            pool,
            membership,
            ending: instance.more_tasks(),
            report: watch::Sender::new(None),
            is_ending: Mutex::new(false),
            end_reason: OnceLock::new(),
            member,
        };
        self.start_duties(&running, deadline).await;
        let running = self.catch_up(starting, running, (selectors, assigned)).await?;
        tracing::debug!(client_id = instance.client_id(), group = %running.member.group(), "consumer started");
        let watchman = Watchman {
            consumer: Arc::downgrade(self),
            member: running.member.clone(),
            pool: running.pool.clone(),
        };
        running.member.tasks.spawn(watchman.keep_watch());
        self.grant(running);
        // A shutdown that came too late to end the start goes on from here.
        self.life.running()?;
        self.events.emit(ConsumerEvent::Started { group: self.events.group(), queues: self.assignment() });
        Ok(())
    }

    /// Does what was asked of a consumer that did not run yet.
    fn grant(&self, running: &Running) {
        let (suspended, concurrency) = {
            let wishes = self.wishes();
            (wishes.suspended, wishes.concurrency)
        };
        suspend_member(&running.member, suspended);
        if let Some(pool) = &running.pool {
            pool.resize(concurrency);
        }
    }

    /// Refuses options that contradict what receives the messages, and warns of an option without effect.
    fn check_receiver(&self, receiver: Option<&Receiver>) -> Result<(), MQClientError> {
        if self.polls && !self.option.client_rebalance() {
            let reason = "it is false, and the consumer is a pull consumer: brokers assign queues to push consumers only";
            return Err(invalid("client_rebalance", reason));
        }
        let Some(receiver) = receiver else {
            if !self.polls {
                tracing::warn!(
                    group = self.option.group_name(),
                    "nothing receives the messages: set a listener, or call messages(), before the start"
                );
            }
            return Ok(());
        };
        if !self.option.auto_commit() && !matches!(receiver, Receiver::Listener(Listener::Orderly(_))) {
            let reason = "it is false, and messages go to a receiver that is not an orderly_listener: only outcomes of \
                          orderly listeners commit";
            return Err(invalid("auto_commit", reason));
        }
        let batch = self.option.consume_message_batch_max_size();
        if batch > 1
            && matches!(receiver, Receiver::Listener(Listener::Concurrently(_) | Listener::Orderly(_)))
        {
            tracing::warn!(
                group = self.option.group_name(),
                "consume_message_batch_max_size is {batch}, and the listener takes one message at a time: only a \
                 batch_listener gets several"
            );
        }
        Ok(())
    }

    /// Has an inner producer send the records of a trace.
    async fn start_trace(&self, member: &Member, trace: Option<Arc<TraceDispatcher>>) -> Option<Arc<Tracer>> {
        let option = self.option.for_trace(inner_group(member.group(), "CONSUME"));
        Some(Arc::new(Tracer::start(self.client.clone(), option, trace?, &member.tasks).await))
    }

    /// Makes the brokers know this member, takes the first queues, and waits for their positions.
    async fn start_duties(&self, running: &Running, deadline: Instant) {
        let member = &running.member;
        for subscribed in member.all_subscribed() {
            member.reach_servers(&subscribed.topic, deadline).await;
        }
        self.grant(running);
        member.tasks.spawn(mind_queues(member.clone()));
        member.tasks.spawn(mind_parked(member.clone()));
        if !member.settings.broadcast {
            // The heartbeat has made the retry topic.
            let retry_topic = mix_all::retry_topic(member.group());
            let _ = member.instance.find_subscribe_info(&retry_topic, left(deadline), deadline).await;
            member.tasks.spawn(remote::keep_committing(member.clone()));
            if !member.settings.client_rebalance {
                member.tasks.spawn(keep_acking(member.clone()));
                member.tasks.spawn(keep_hidden(member.clone()));
            }
            if member.settings.orderly {
                member.tasks.spawn(locker::keep_locked(member.clone()));
            }
        }
        let mut rebalancer = Rebalancer::new(member.clone());
        let _ = timeout_at(deadline, async {
            rebalancer.run().await;
            wait_for_positions(member).await;
        })
        .await;
        if member.settings.broadcast {
            // Where it starts holds from now on, whatever becomes of this process.
            local::store_finished(member).await;
            member.tasks.spawn(local::keep_storing(member.clone()));
        }
        member.tasks.spawn(rebalancer.keep_balanced());
        member.tasks.spawn(keep_looking(member.clone()));
    }

    fn data(&self) -> ConsumerData {
        ConsumerData {
            consume_from_where: self.option.consume_from_where().wire(),
            consume_type: if self.polls { ConsumeType::Actively } else { ConsumeType::Passively },
            group_name: self.wrap(self.option.group_name().unwrap_or_default()).into_owned(),
            message_model: self.option.message_model().wire(),
            subscription_data_set: Vec::new(),
            unit_mode: self.option.unit_mode(),
        }
    }

    fn settings(&self, orderly: bool) -> Settings {
        let option = &self.option;
        let start_from = match option.consume_from_where() {
            ConsumeFromWhere::Last => StartFrom::Last,
            ConsumeFromWhere::LastExactly => StartFrom::LastExactly,
            ConsumeFromWhere::First => StartFrom::First,
            ConsumeFromWhere::Timestamp => StartFrom::Timestamp(option.start_timestamp(SystemTime::now())),
        };
        let broadcast = option.message_model() == MessageModel::Broadcasting;
        Settings {
            group: self.wrap(option.group_name().unwrap_or_default()).into(),
            plain_group: self.events.group(),
            namespace: option.namespace().map(Arc::from),
            hooks: option.hooks().clone(),
            unit_mode: option.unit_mode(),
            orderly,
            broadcast,
            pull_batch_size: i32::try_from(option.pull_batch_size()).unwrap_or(i32::MAX),
            pull_interval: millis(option.pull_interval()),
            suspend: millis(option.broker_suspend_max_time()),
            limits: flow_limits(option, orderly),
            pop: PopSettings {
                invisible: millis(option.pop_invisible_time()),
                batch: i32::try_from(option.pop_batch_nums()).unwrap_or(i32::MAX),
                limits: FlowLimits {
                    queue_count: option.pop_threshold_for_queue() as usize,
                    topic_count: None,
                    topic_bytes: None,
                    span: None,
                    ..flow_limits(option, orderly)
                },
                auto_extend: option.pop_auto_extend(),
            },
            client_rebalance: option.client_rebalance() || self.polls,
            max_reconsume_times: option.reconsume_limit(orderly),
            start_from,
            undecodable: option.undecodable_policy(),
            consume_timeout: millis(option.consume_timeout()),
            timeout_grace: millis(option.timeout_grace()),
            batch_max: option.consume_message_batch_max_size() as usize,
            rate_limit: option.consume_rate_limit(),
            persist_interval: millis(option.persist_offset_interval()),
            suspend_queue: millis(option.suspend_current_queue_time()),
            polls: self.polls,
            auto_commit: option.auto_commit(),
            strategy: option.allocate_message_queue_strategy().clone(),
        }
    }

    /// The offsets that a broadcast consumer has in its file.
    async fn local_offsets(
        &self,
        settings: &Settings,
        client_id: &str,
    ) -> Result<Option<LocalOffsets>, MQClientError> {
        if !settings.broadcast {
            return Ok(None);
        }
        if !self.is_alone && self.client.option().instance_name().is_none() {
            let reason = "the file of a broadcast consumer is found by the name of its client, which is another after \
                          each start: name the client";
            return Err(invalid("instance_name", reason));
        }
        let file = LocalFile::new(&self.option.offset_store_dir()?, client_id, &settings.group);
        let loaded = LocalOffsets::load(file).await;
        loaded.map(Some).map_err(|error| {
            invalid("local_offset_store_dir", format!("the offsets there cannot be read: {error}"))
        })
    }

    /// A subscription as brokers know it.
    pub(crate) fn subscribed(
        &self,
        topic: &str,
        selector: &MessageSelector,
    ) -> Result<Subscribed, MQClientError> {
        let wire = self.wrap(topic);
        let subscription = Subscription::new(&wire, selector, now_ms())?;
        Ok(self.subscribed_as(wire.into(), subscription))
    }

    /// A subscription of the user to a topic that brokers know by this name.
    pub(super) fn subscribed_as(&self, topic: Arc<str>, subscription: Subscription) -> Subscribed {
        let plain = match self.option.namespace() {
            Some(namespace) => namespace::without_namespace(&topic, namespace).into(),
            None => topic.clone(),
        };
        Subscribed { topic, plain, subscription, is_retry: false, requests: Default::default() }
    }

    /// Looks the route of a topic up. Without one, a consumer that requires its topics fails.
    pub(crate) async fn find_route(
        &self,
        member: &Member,
        subscribed: &Subscribed,
        deadline: Instant,
    ) -> Result<(), MQClientError> {
        let found = member.instance.find_subscribe_info(&subscribed.topic, left(deadline), deadline).await;
        match found {
            Ok(_) => Ok(()),
            Err(error) if self.option.require_topics() => Err(error.of_topic(&subscribed.topic)),
            Err(error) => {
                tracing::warn!(topic = %subscribed.topic, error = with_causes(&error), "a topic has no route yet");
                Ok(())
            }
        }
    }
}

pub(crate) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn retry_subscription(member: &Member) -> Result<Subscribed, MQClientError> {
    let topic = mix_all::retry_topic(member.group());
    let subscription = Subscription::new(&topic, &MessageSelector::all(), now_ms())?;
    let plain = member.plain_topic(&topic).into();
    Ok(Subscribed { topic: topic.into(), plain, subscription, is_retry: true, requests: Default::default() })
}

fn flow_limits(option: &ConsumerOption, orderly: bool) -> FlowLimits {
    FlowLimits {
        queue_count: option.pull_threshold_for_queue() as usize,
        queue_bytes: u64::from(option.pull_threshold_size_for_queue()) * MIB,
        topic_count: option.pull_threshold_for_topic().map(|count| count as usize),
        topic_bytes: option.pull_threshold_size_for_topic().map(|size| u64::from(size) * MIB),
        span: (!orderly).then(|| option.consume_concurrently_max_span().into()),
        budget: Some(option.cache_limit()),
    }
}

/// Waits until each owned queue has its position.
async fn wait_for_positions(member: &Member) {
    for owned in member.queues.all() {
        loop {
            let settled = owned.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if !is_locating(&owned.lock()) {
                break;
            }
            settled.await;
        }
    }
}

/// A queue whose lock another member has gets its position later.
fn is_locating(state: &Ownership) -> bool {
    let refused = state.waits_for_lock(Instant::now());
    let answered = state.order.as_ref().is_some_and(|order| order.is_answered);
    matches!(state.stage, Stage::Locating(_)) && !(refused && answered)
}
