use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rocketmq_common::{MessageQueue, namespace};
use rocketmq_remoting::net::TaskOwner;
use tokio::sync::watch;

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

pub(super) const CLIENT: &str = "push consumer";

/// The working part of a push consumer. Java: `DefaultMQPushConsumerImpl`.
#[derive(Debug)]
pub(crate) struct DefaultMQPushConsumerImpl {
    pub(super) option: ConsumerOption,
    pub(super) client: MQClient,
    /// Whether nobody else uses the client.
    pub(super) is_alone: bool,
    pub(super) life: LifeCycle<Running>,
    pub(super) events: Arc<EventSender>,
    wishes: Mutex<Wishes>,
}

/// What the user wants, whether the consumer runs or not.
#[derive(Debug)]
pub(super) struct Wishes {
    /// By topic, as the user names it.
    pub(super) subscriptions: BTreeMap<String, MessageSelector>,
    pub(super) listener: Option<MessageListener>,
    pub(super) topic_listeners: BTreeMap<String, MessageListener>,
    /// In place of a listener.
    pub(super) stream: Option<Arc<FeedSource>>,
    pub(super) concurrency: usize,
}

impl Wishes {
    /// What the messages go to.
    pub(super) fn receiver(&self) -> Result<Option<Receiver>, MQClientError> {
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

    /// Whether the messages of a topic go to somebody if those of other topics do.
    pub(super) fn check_topic(&self, topic: &str) -> Result<(), MQClientError> {
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

/// What exists once the consumer is started.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) member: Arc<Member>,
    pub(super) membership: Arc<Membership>,
    pub(super) pool: Option<Arc<Pool>>,
    /// What the shutdown runs on, so that no caller can interrupt it.
    pub(super) ending: TaskOwner,
    pub(super) report: watch::Sender<Option<ConsumerShutdownReport>>,
    pub(super) is_ending: Mutex<bool>,
    /// Why it ended by itself.
    pub(super) end_reason: OnceLock<MQClientError>,
}

impl DefaultMQPushConsumerImpl {
    /// A consumer with a client of its own.
    pub(super) fn new(option: ConsumerOption) -> Self {
        let client = MQClient::new(option.own_client_option());
        Self { is_alone: true, ..Self::of_client(client, option) }
    }

    /// A consumer of a client that others use too.
    pub(super) fn of_client(client: MQClient, option: ConsumerOption) -> Self {
        let wishes = Wishes {
            subscriptions: BTreeMap::new(),
            listener: None,
            topic_listeners: BTreeMap::new(),
            stream: None,
            concurrency: option.consume_concurrency(),
        };
        let events = Arc::new(EventSender::new(option.group_name().unwrap_or_default()));
        Self {
            option,
            client,
            is_alone: false,
            life: LifeCycle::new(CLIENT),
            events,
            wishes: Mutex::new(wishes),
        }
    }

    pub(super) fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(&self) -> Result<&Running, MQClientError> {
        self.life.running()
    }

    /// The topic or group as brokers know it.
    pub(super) fn wrap<'a>(&self, name: &'a str) -> Cow<'a, str> {
        self.option.namespace().map_or(name.into(), |ns| namespace::wrap_namespace(ns, name))
    }

    /// For one topic, or for all.
    pub(super) fn set_listener(&self, topic: Option<String>, listener: MessageListener) {
        if self.life.started().is_some() {
            tracing::warn!(
                group = self.option.group_name(),
                "a listener that comes after the start is not used"
            );
        }
        let mut wishes = self.wishes();
        match topic {
            Some(topic) => _ = wishes.topic_listeners.insert(topic, listener),
            None => wishes.listener = Some(listener),
        }
    }

    pub(super) fn messages(&self) -> Result<MessageStream, MQClientError> {
        if self.life.started().is_some() {
            return Err(MQClientError::AlreadyStarted { client: CLIENT });
        }
        let mut wishes = self.wishes();
        if wishes.stream.is_some() {
            return Err(invalid("messages", "messages was called before: a consumer has one stream"));
        }
        let source = Arc::new(FeedSource::default());
        let stream = MessageStream::new(source.feed().clone());
        wishes.stream = Some(source);
        wishes.receiver()?;
        Ok(stream)
    }

    pub(super) fn set_concurrency(&self, handlers: usize) -> Result<(), MQClientError> {
        let mut option = self.option.clone();
        option.set_consume_concurrency(handlers).validate()?;
        self.wishes().concurrency = handlers;
        if let Some(pool) = self.life.running().ok().and_then(|running| running.pool.as_ref()) {
            pool.resize(handlers);
        }
        Ok(())
    }

    pub(super) fn assignment(&self) -> Vec<MessageQueue> {
        let Some(running) = self.life.started() else { return Vec::new() };
        running.member.queues.all().iter().map(|owned| owned.queue.clone()).collect()
    }

    /// Stops handing out and pulling messages, or goes on.
    pub(super) fn suspend(&self, suspended: bool) {
        let Some(running) = self.life.started() else { return };
        let member = &running.member;
        member.ready.suspend(suspended);
        if !suspended {
            member
                .queues
                .all()
                .iter()
                .for_each(|owned| member.agenda.add(tokio::time::Instant::now(), owned));
        }
    }

    /// Does the same with some queues, for as long as they are owned.
    pub(super) fn pause(&self, queues: &[MessageQueue], paused: bool) {
        let Some(running) = self.life.started() else { return };
        let member = &running.member;
        for owned in queues.iter().filter_map(|queue| member.queues.get(queue)) {
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
    }
}

/// What runs for a consumer that is dropped without a shutdown ends, too.
impl Drop for Running {
    fn drop(&mut self) {
        self.member.tasks.stop();
        for owned in self.member.queues.close() {
            self.member.drop_cached(&owned);
        }
    }
}
