use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustc_hash::FxHashMap;

use super::slot::{Ended, Handler, Listener, MakeSlot, Run, Slot};
use super::{
    BatchOutcome, ConsumeContext, ConsumeFailure, ConsumeOutcome, IntoOutcome, MessageListenerBatch,
    MessageListenerConcurrently, MessageListenerOrderly, OrderlyOutcome,
};
use crate::error::{MQClientError, invalid};
use crate::model::MessageExt;

/// A listener of one of three kinds, for the messages of one topic: see [`PushConsumer::topic_listener`].
///
/// [`PushConsumer::topic_listener`]: crate::consumer::PushConsumer::topic_listener
#[derive(Debug, Clone)]
pub struct MessageListener(pub(crate) Listener);

impl MessageListener {
    /// A closure like that of [`listener`](crate::consumer::PushConsumer::listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let listener = MessageListener::concurrently(|message, _| async move { println!("{:?}", message.body()) });
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrently<F, Fut>(listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<ConsumeOutcome>> + Send + 'static,
    {
        Self(Listener::Concurrently(Handler::new(listener)))
    }

    /// A closure like that of [`orderly_listener`](crate::consumer::PushConsumer::orderly_listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let listener = MessageListener::orderly(|_, _| async { OrderlyOutcome::Success });
    /// # Ok(())
    /// # }
    /// ```
    pub fn orderly<F, Fut>(listener: F) -> Self
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<OrderlyOutcome>> + Send + 'static,
    {
        Self(Listener::Orderly(Handler::new(listener)))
    }

    /// A closure like that of [`batch_listener`](crate::consumer::PushConsumer::batch_listener).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{consumer::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # cluster.create_topic("Orders", 1)?;
    /// # let name_servers = cluster.name_server_addr();
    /// let listener = MessageListener::batch(|messages, _| async move { println!("{}", messages.len()) });
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch<F, Fut>(listener: F) -> Self
    where
        F: Fn(Arc<[MessageExt]>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome<BatchOutcome>> + Send + 'static,
    {
        Self(Listener::Batch(Handler::new(listener)))
    }

    /// A concurrent listener that is a type.
    pub fn of_concurrently(listener: impl MessageListenerConcurrently) -> Self {
        let listener = Arc::new(listener);
        Self::concurrently(move |message, context| {
            let listener = listener.clone();
            async move { listener.consume_message(message, context).await }
        })
    }

    /// An orderly listener that is a type.
    pub fn of_orderly(listener: impl MessageListenerOrderly) -> Self {
        let listener = Arc::new(listener);
        Self::orderly(move |message, context| {
            let listener = listener.clone();
            async move { listener.consume_message(message, context).await }
        })
    }

    /// A batch listener that is a type.
    pub fn of_batch(listener: impl MessageListenerBatch) -> Self {
        let listener = Arc::new(listener);
        Self::batch(move |messages, context| {
            let listener = listener.clone();
            async move { listener.consume_messages(messages, context).await }
        })
    }
}

/// What a listener handles belongs to one topic.
trait OfTopic {
    fn topic(&self) -> &str;
}

impl OfTopic for Arc<MessageExt> {
    fn topic(&self) -> &str {
        (**self).topic()
    }
}

impl OfTopic for Arc<[MessageExt]> {
    fn topic(&self) -> &str {
        self.first().map_or("", |message| message.topic())
    }
}

/// The listeners of a consumer, by topic.
struct ByTopic<M, R> {
    places: Arc<FxHashMap<String, usize>>,
    handlers: Vec<Handler<M, R>>,
    /// The place of the listener for the other topics.
    general: Option<usize>,
}

impl<M, O> MakeSlot<M, Result<O, ConsumeFailure>> for ByTopic<M, Result<O, ConsumeFailure>>
where
    M: OfTopic + 'static,
    O: Send + 'static,
{
    fn slot(&self) -> Slot<M, Result<O, ConsumeFailure>> {
        Box::new(Routed {
            places: self.places.clone(),
            slots: self.handlers.iter().map(Handler::slot).collect(),
            general: self.general,
            running: Ok(0),
        })
    }
}

/// A place in which one listener of several runs: that of the message's topic.
struct Routed<M, R> {
    places: Arc<FxHashMap<String, usize>>,
    slots: Vec<Slot<M, R>>,
    general: Option<usize>,
    /// The place of the listener that runs, or the topic for which there is none.
    running: Result<usize, String>,
}

impl<M, O> Run<M, Result<O, ConsumeFailure>> for Routed<M, Result<O, ConsumeFailure>>
where
    M: OfTopic,
{
    fn start(&mut self, messages: M, context: ConsumeContext) {
        let topic = messages.topic();
        let place = self.places.get(topic).copied().or(self.general);
        self.running = place.ok_or_else(|| topic.to_owned());
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) {
            slot.start(messages, context);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<Result<O, ConsumeFailure>>> {
        match &self.running {
            Ok(place) => self.slots.get_mut(*place).map_or(Poll::Pending, |slot| slot.poll(cx)),
            // A message that comes again, from a time when there was one.
            Err(topic) => {
                let failure = format!("topic {topic} has no listener").into();
                Poll::Ready(Ended::Returned(Err(failure)))
            }
        }
    }

    fn abort(&mut self) {
        if let Ok(place) = self.running
            && let Some(slot) = self.slots.get_mut(place)
        {
            slot.abort();
        }
    }
}

/// One listener that hands each message to that of its topic, or to the general listener.
///
/// # Errors
/// `InvalidOption` for listeners of different kinds.
pub(crate) fn route(
    general: Option<Listener>,
    topics: impl IntoIterator<Item = (String, Listener)>,
) -> Result<Option<Listener>, MQClientError> {
    let named = topics.into_iter().map(|(topic, listener)| (Some(topic), listener));
    let mut all = general.map(|listener| (None, listener)).into_iter().chain(named).peekable();
    let Some((first, listener)) = all.peek().cloned() else { return Ok(None) };
    macro_rules! of_kind {
        ($kind:ident) => {{
            let (mut places, mut handlers, mut general) = (FxHashMap::default(), Vec::new(), None);
            for (topic, other) in all {
                let Listener::$kind(handler) = other else {
                    return Err(different(&first, &listener, &topic, &other));
                };
                match topic {
                    Some(topic) => _ = places.insert(topic, handlers.len()),
                    None => general = Some(handlers.len()),
                }
                handlers.push(handler);
            }
            if places.is_empty() {
                return Ok(Some(listener));
            }
            let by_topic = ByTopic { places: Arc::new(places), handlers, general };
            Listener::$kind(Handler::of(by_topic))
        }};
    }
    Ok(Some(match &listener {
        Listener::Concurrently(_) => of_kind!(Concurrently),
        Listener::Orderly(_) => of_kind!(Orderly),
        Listener::Batch(_) => of_kind!(Batch),
    }))
}

fn different(
    first: &Option<String>,
    one: &Listener,
    second: &Option<String>,
    two: &Listener,
) -> MQClientError {
    let name = |topic: &Option<String>| match topic {
        Some(topic) => format!("the listener of topic {topic}"),
        None => "the listener for all topics".to_owned(),
    };
    let reason = format!(
        "{} is of the kind {one:?}, and {} of the kind {two:?}: all listeners of a consumer are of one kind",
        name(first),
        name(second)
    );
    invalid("topic_listener", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, MessageQueue, RecordHeader};
    use std::task::Waker;

    fn says(outcome: ConsumeOutcome) -> Listener {
        MessageListener::concurrently(move |_, _| std::future::ready(outcome.clone())).0
    }

    fn outcome(listener: &Listener, topic: &str) -> Result<ConsumeOutcome, String> {
        let Listener::Concurrently(handler) = listener else { panic!("another kind") };
        let mut slot = handler.slot();
        let message = Arc::new(MessageExt::new(Message::new(topic, "x"), RecordHeader::default()));
        slot.start(message, ConsumeContext::new(MessageQueue::new(topic, "b", 0)));
        match slot.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ended::Returned(outcome)) => outcome.map_err(|failure| failure.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_goes_to_the_listener_of_its_topic() {
        let own = ConsumeOutcome::Later { delay_level: Some(7) };
        let topics = [("Own".to_owned(), says(own.clone()))];
        let all = route(Some(says(ConsumeOutcome::Success)), topics.clone()).unwrap().unwrap();
        assert_eq!(outcome(&all, "Own"), Ok(own.clone()));
        assert_eq!(outcome(&all, "Other"), Ok(ConsumeOutcome::Success));
        let alone = route(None, topics).unwrap().unwrap();
        assert_eq!(outcome(&alone, "Own"), Ok(own));
        assert_eq!(outcome(&alone, "Other"), Err("topic Other has no listener".to_owned()));
        assert!(route(None, []).unwrap().is_none());
    }

    #[test]
    fn listeners_of_two_kinds_are_refused_by_name() {
        let orderly = MessageListener::orderly(|_, _| async {}).0;
        let refused =
            |general, topics: &[(String, Listener)]| route(general, topics.to_vec()).unwrap_err().to_string();
        let topics = [("A".to_owned(), says(ConsumeOutcome::Success)), ("B".to_owned(), orderly.clone())];
        let of_topics = refused(None, &topics);
        assert!(of_topics.contains("topic A is of the kind Concurrently"), "{of_topics}");
        assert!(of_topics.contains("topic B of the kind Orderly"), "{of_topics}");
        let with_general = refused(Some(orderly), &topics[..1]);
        assert!(
            with_general.contains("for all topics") && with_general.contains("topic A"),
            "{with_general}"
        );
    }
}
