use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rocketmq_common::{MessageQueue, namespace};
use rocketmq_remoting::net::TaskOwner;
use tokio::sync::{Notify, watch};

use crate::client::MQClient;
use crate::conf::ConsumerOption;
use crate::consumer::dispatch::{Pool, Receiver};
use crate::consumer::listener::{MessageListener, route};
use crate::consumer::member::Member;
use crate::consumer::stream::{FeedSource, MessageStream};
use crate::consumer::subscription::MessageSelector;
use crate::consumer::watch::{ConsumerShutdownReport, EventSender};
use crate::error::{MQClientError, invalid};
use crate::factory::Membership;
use crate::life_cycle::LifeCycle;
use crate::producer::Tracer;

pub(super) const ASSIGN_OR_SUBSCRIBE: &str = "queues come from assign() or from subscribe(), not from both";

/// The working part of a consumer whose broker hands out queues. Java: `DefaultMQPushConsumerImpl`, `DefaultLitePullConsumerImpl`.
#[derive(Debug)]
pub(crate) struct MQConsumerInner {
    pub(crate) option: ConsumerOption,
    pub(crate) client: MQClient,
    /// Whether this consumer alone uses the client.
    pub(crate) is_alone: bool,
    /// Whether its user polls for messages. Java: `DefaultLitePullConsumerImpl`.
    pub(crate) polls: bool,
    pub(crate) life: LifeCycle<Running>,
    pub(crate) events: Arc<EventSender>,
    /// Held by the start while it goes on.
    pub(super) starting: tokio::sync::Mutex<()>,
    /// Ends a start.
    pub(super) stop_start: Notify,
    wishes: Mutex<Wishes>,
}

/// The wishes of the user, whether the consumer runs or not.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// By topic, as the user names it.
    pub(crate) subscriptions: BTreeMap<String, MessageSelector>,
    pub(crate) listener: Option<MessageListener>,
    pub(crate) topic_listeners: BTreeMap<String, MessageListener>,
    /// In place of a listener.
    pub(crate) stream: Option<Arc<FeedSource>>,
    /// In place of subscriptions, the queues of a pull consumer.
    pub(crate) assigned: Option<BTreeSet<MessageQueue>>,
    pub(crate) concurrency: usize,
    pub(crate) suspended: bool,
}

impl Wishes {
    /// The receiver of messages; `None` before the user has named it.
    pub(crate) fn receiver(&self) -> Result<Option<Receiver>, MQClientError> {
        let general = self.listener.as_ref().map(|listener| listener.0.clone());
        let topics = self.topic_listeners.iter().map(|(topic, listener)| (topic.clone(), listener.0.clone()));
        match (route(general, topics)?, &self.stream) {
            (Some(_), Some(_)) => {
                let reason = "messages go to a listener or to the stream of messages(), not to both";
                Err(invalid("listener", reason))
            }
            (Some(listener), None) => Ok(Some(Receiver::Listener(listener))),
            (None, Some(source)) => Ok(Some(Receiver::Stream(source.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// Whether queues come from the user or from subscriptions, not from both.
    pub(crate) fn check_assignment(&self) -> Result<(), MQClientError> {
        if self.assigned.is_none() || self.subscriptions.is_empty() {
            return Ok(());
        }
        Err(invalid("assign", ASSIGN_OR_SUBSCRIBE))
    }

    /// Whether a topic has a listener, given that other topics have one.
    pub(crate) fn check_topic(&self, topic: &str) -> Result<(), MQClientError> {
        if self.listener.is_some()
            || self.topic_listeners.is_empty()
            || self.topic_listeners.contains_key(topic)
        {
            return Ok(());
        }
        let reason =
            format!("topic {topic} is subscribed to and has none, and there is no listener for all topics");
        Err(invalid("topic_listener", reason))
    }
}

/// The parts of a started consumer.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) member: Arc<Member>,
    pub(crate) membership: Arc<Membership>,
    pub(crate) pool: Option<Arc<Pool>>,
    pub(crate) tracer: Option<Arc<Tracer>>,
    /// The task of the shutdown: no caller can interrupt it.
    pub(crate) ending: TaskOwner,
    pub(crate) report: watch::Sender<Option<ConsumerShutdownReport>>,
    pub(crate) is_ending: Mutex<bool>,
    /// Why it ended by itself.
    pub(crate) end_reason: OnceLock<MQClientError>,
}

impl MQConsumerInner {
    /// A consumer with a client of its own.
    pub(crate) fn new(option: ConsumerOption) -> Self {
        let client = MQClient::new(option.own_client_option());
        Self { is_alone: true, ..Self::of_client(client, option) }
    }

    /// A consumer of a client that others use too.
    pub(crate) fn of_client(client: MQClient, option: ConsumerOption) -> Self {
        let wishes = Wishes {
            subscriptions: BTreeMap::new(),
            listener: None,
            topic_listeners: BTreeMap::new(),
            stream: None,
            assigned: None,
            concurrency: option.consume_concurrency(),
            suspended: false,
        };
        let events = Arc::new(EventSender::new(option.group_name().unwrap_or_default(), option.namespace()));
        Self {
            option,
            client,
            is_alone: false,
            polls: false,
            life: LifeCycle::new("push consumer"),
            events,
            starting: tokio::sync::Mutex::default(),
            stop_start: Notify::new(),
            wishes: Mutex::new(wishes),
        }
    }

    /// Makes it the working part of a consumer that is polled.
    pub(crate) fn polling(self) -> Self {
        Self { polls: true, life: LifeCycle::new("pull consumer"), ..self }
    }

    pub(crate) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self) -> Result<&Running, MQClientError> {
        self.life.running()
    }

    /// As [`running`](Self::running), but a consumer that has ended by itself names its reason.
    pub(crate) fn running_or_reason(&self) -> Result<&Running, MQClientError> {
        let reason = || self.life.started().and_then(|running| running.end_reason.get().cloned());
        self.running().map_err(|error| reason().unwrap_or(error))
    }

    /// The topic or group as brokers know it.
    pub(crate) fn wrap<'a>(&self, name: &'a str) -> Cow<'a, str> {
        self.option.namespace().map_or(name.into(), |ns| namespace::wrap_namespace(ns, name))
    }

    /// A queue as brokers know it.
    pub(crate) fn wrap_queue(&self, queue: &MessageQueue) -> MessageQueue {
        self.renamed(queue, |topic| self.wrap(topic))
    }

    /// A queue as users name it.
    pub(crate) fn plain_queue(&self, queue: &MessageQueue) -> MessageQueue {
        let namespace = self.option.namespace().unwrap_or_default();
        self.renamed(queue, |topic| namespace::without_namespace(topic, namespace))
    }

    fn renamed<'q>(
        &self,
        queue: &'q MessageQueue,
        name: impl FnOnce(&'q str) -> Cow<'q, str>,
    ) -> MessageQueue {
        if self.option.namespace().is_none() { queue.clone() } else { queue.with_topic(name(queue.topic())) }
    }

    /// For one topic, or for all.
    pub(crate) fn set_listener(&self, topic: Option<String>, listener: MessageListener) {
        if self.life.started().is_some() {
            tracing::warn!(
                group = self.option.group_name(),
                "a listener that is set after the start gets no messages: set it before the start"
            );
        }
        let mut wishes = self.wishes();
        match topic {
            Some(topic) => _ = wishes.topic_listeners.insert(topic, listener),
            None => wishes.listener = Some(listener),
        }
    }

    pub(crate) fn messages(&self) -> Result<MessageStream, MQClientError> {
        if self.life.started().is_some() {
            return Err(MQClientError::AlreadyStarted { client: self.life.client() });
        }
        let mut wishes = self.wishes();
        if wishes.stream.is_some() {
            return Err(invalid("messages", "messages was called before: a consumer has one stream"));
        }
        let source = Arc::new(FeedSource::default());
        let stream = MessageStream::new(source.feed().clone());
        wishes.stream = Some(source);
        // After a refusal the listener still gets the messages.
        if let Err(both) = wishes.receiver() {
            wishes.stream = None;
            return Err(both);
        }
        Ok(stream)
    }

    pub(crate) fn set_concurrency(&self, handlers: usize) -> Result<(), MQClientError> {
        let mut option = self.option.clone();
        option.set_consume_concurrency(handlers).validate()?;
        self.wishes().concurrency = handlers;
        if let Some(pool) = self.life.running().ok().and_then(|running| running.pool.as_ref()) {
            pool.resize(handlers);
        }
        Ok(())
    }

    pub(crate) fn assignment(&self) -> Vec<MessageQueue> {
        let Some(running) = self.life.started() else { return Vec::new() };
        running.member.queues.all().iter().map(|owned| owned.shown.clone()).collect()
    }

    /// Stops handing out and pulling messages, or goes on.
    pub(crate) fn suspend(&self, suspended: bool) {
        self.wishes().suspended = suspended;
        if let Some(running) = self.life.started() {
            suspend_member(&running.member, suspended);
        }
    }

    /// Pauses or resumes some queues, for as long as they are owned.
    pub(crate) fn pause(&self, queues: &[MessageQueue], paused: bool) {
        let Some(running) = self.life.started() else { return };
        let member = &running.member;
        for owned in queues.iter().filter_map(|queue| member.queues.get(&self.wrap_queue(queue))) {
            let gets_in_line = {
                let mut state = owned.lock();
                state.paused = paused;
                state.gets_in_line()
            };
            if gets_in_line {
                member.ready.push(owned.clone());
            }
            member.agenda.add(tokio::time::Instant::now(), &owned);
        }
        member.popped.notify_one();
    }
}

/// Stops handing out and pulling messages, or goes on; nothing, if that is so already.
pub(super) fn suspend_member(member: &Member, suspended: bool) {
    if member.ready.is_suspended() == suspended {
        return;
    }
    member.ready.suspend(suspended);
    if !suspended {
        member.queues.all().iter().for_each(|owned| member.agenda.add(tokio::time::Instant::now(), owned));
        member.popped.notify_one();
    }
}

/// A consumer that is dropped without a shutdown ends its tasks, too.
impl Drop for Running {
    fn drop(&mut self) {
        self.member.tasks.stop();
        self.member.queues.close();
        for owned in self.member.queues.all_and_releasing() {
            self.member.drop_cached(&owned);
        }
        drop(self.member.acks.take());
    }
}
