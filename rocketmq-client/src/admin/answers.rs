use std::fmt::Display;
use std::future::Future;

use crate::error::{Failure, MQClientError};
use crate::waiting::first_ready;

/// The largest number of requests of one call in flight.
const AT_ONCE: usize = 16;

/// The answers of several servers or queues.
///
/// Some servers may have failed: `failed` holds their errors. A method that returns `Answers` fails only when all
/// servers failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answers<K, T> {
    /// The servers or queues that succeeded and their answers, in the order of the names of their brokers.
    pub done: Vec<(K, T)>,
    /// The servers or queues that failed, and their errors.
    pub failed: Vec<(K, MQClientError)>,
}

impl<K, T> Answers<K, T> {
    /// Whether all servers or queues succeeded.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// The answer of a server or queue. `None` if it failed or was not asked.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let offsets = admin.max_offsets("TopicTest").await?;
    /// assert_eq!(offsets.get(&sent.message_queue), Some(&1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn get(&self, key: &K) -> Option<&T>
    where
        K: PartialEq,
    {
        self.done.iter().find(|(of, _)| of == key).map(|(_, answer)| answer)
    }

    /// All answers, for a caller that needs each of them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let offsets = admin.max_offsets("TopicTest").await?.into_complete()?;
    /// assert!(offsets.contains(&(sent.message_queue, 1)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `FanOut` if a server or queue failed; the answers of the others are lost.
    pub fn into_complete(self) -> Result<Vec<(K, T)>, MQClientError>
    where
        K: Display,
    {
        if self.is_complete() { Ok(self.done) } else { Err(self.into_error()) }
    }

    /// Like [`into_complete`](Self::into_complete), but the error of the only server or queue is returned as it is.
    pub(super) fn complete(mut self) -> Result<Vec<(K, T)>, MQClientError>
    where
        K: Display,
    {
        match self.failed.pop() {
            Some((_, error)) if self.failed.is_empty() && self.done.is_empty() => Err(error),
            failed => {
                self.failed.extend(failed);
                self.into_complete()
            }
        }
    }

    /// Returns itself, or an error if all failed.
    pub(super) fn any(self) -> Result<Self, MQClientError>
    where
        K: Display,
    {
        if self.done.is_empty() && !self.is_complete() { Err(self.into_error()) } else { Ok(self) }
    }

    /// The failures as an error.
    pub(super) fn into_error(self) -> MQClientError
    where
        K: Display,
    {
        let asked = self.done.len() + self.failed.len();
        let failures = self.failed.into_iter().map(|(of, error)| Failure::new(of, error)).collect();
        MQClientError::FanOut { asked, failures }
    }

    /// Joins the answers of two rounds.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.done.extend(other.done);
        self.failed.extend(other.failed);
        self
    }
}

impl<K, T> Default for Answers<K, T> {
    fn default() -> Self {
        Self { done: Vec::new(), failed: Vec::new() }
    }
}

/// Asks all servers or queues, some at a time, in order. Dropping the future drops the requests in flight.
pub(super) async fn fan_out<K, T, F>(keys: Vec<K>, ask: impl Fn(K) -> F) -> Answers<K, T>
where
    K: Clone,
    F: Future<Output = Result<T, MQClientError>>,
{
    let mut waiting = keys.into_iter().enumerate();
    let mut asking = Vec::new();
    let mut answered = Vec::new();
    loop {
        for (index, key) in waiting.by_ref().take(AT_ONCE.saturating_sub(asking.len())) {
            asking.push(((index, key.clone()), Box::pin(ask(key))));
        }
        let Some(((index, key), answer)) = first_ready(&mut asking).await else { break };
        answered.push((index, key, answer));
    }
    answered.sort_unstable_by_key(|(index, ..)| *index);
    let mut answers = Answers::default();
    for (_, key, answer) in answered {
        match answer {
            Ok(answer) => answers.done.push((key, answer)),
            Err(error) => answers.failed.push((key, error)),
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use rocketmq_remoting::protocol::ResponseCode;
    use tokio::time::{Instant, sleep};

    use super::*;

    fn refused(code: ResponseCode) -> MQClientError {
        MQClientError::Broker { broker: "b".into(), code, remark: None, context: Box::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_asked_at_once_up_to_the_limit_and_reported_in_their_order() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let began = Instant::now();
        let answers = fan_out((0..40_u64).collect(), async |key| {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            // Within a round, later requests finish first.
            sleep(Duration::from_millis(100 - key)).await;
            now.set(now.get() - 1);
            if key == 7 { Err(refused(ResponseCode::NO_PERMISSION)) } else { Ok(key * 2) }
        })
        .await;
        assert_eq!(most.get(), AT_ONCE);
        assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
        let expected: Vec<(u64, u64)> = (0..40).filter(|key| *key != 7).map(|key| (key, key * 2)).collect();
        assert_eq!(answers.done, expected);
        assert_eq!((answers.get(&3), answers.get(&7)), (Some(&6), None));
        assert!(!answers.is_complete());
        let answers = answers.any().expect("most succeeded");
        let error = answers.into_complete().unwrap_err();
        assert_eq!(error.to_string(), "1 of 40 failed: 7: broker b answered NO_PERMISSION(16)");
    }

    #[tokio::test]
    async fn when_all_fail_the_error_lists_them_and_has_their_common_code() {
        let same =
            fan_out(vec!["x", "y"], async |_| Err::<(), _>(refused(ResponseCode::NO_PERMISSION))).await;
        let error = same.any().unwrap_err();
        assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION));
        assert!(error.is_retryable());
        assert!(error.to_string().contains("2 of 2") && error.to_string().contains("; y: "), "{error}");

        let various = fan_out(vec![16, 29], async |code| Err::<(), _>(refused(ResponseCode(code)))).await;
        let error = various.any().unwrap_err();
        assert_eq!(error.response_code(), None);
        assert!(!error.is_retryable(), "one of them will never succeed");
    }

    #[tokio::test]
    async fn nobody_asked_is_no_failure() {
        let none = fan_out(Vec::<u8>::new(), async |_| Ok(())).await;
        assert!(none.any().is_ok_and(|answers| answers.is_complete() && answers.done.is_empty()));
    }
}
