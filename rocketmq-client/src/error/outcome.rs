use std::fmt;

/// Whether the message of a failed send is stored.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
/// # use rocketmq_client::{model::Message, producer::Producer};
/// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
/// use rocketmq_client::error::Outcome;
///
/// match producer.send(Message::new("TopicTest", "")).await {
///     Ok(sent) => println!("stored at {}", sent.queue_offset),
///     Err(error) if error.outcome() == Outcome::NotStored => println!("safe to send again: {error}"),
///     Err(error) => println!("sending again may make a duplicate: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// No broker has the message: sending it again cannot duplicate it.
    NotStored,
    /// A broker may have stored the message: sending it again may duplicate it. Consumers recognise the duplicate by
    /// its
    /// `UNIQ_KEY` if the same `Message` with its id is sent again.
    MaybeStored,
}

impl Outcome {
    /// The former name of [`MaybeStored`](Self::MaybeStored).
    #[allow(non_upper_case_globals)]
    pub const Unknown: Self = Self::MaybeStored;
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::NotStored => "not stored",
            Outcome::MaybeStored => "maybe stored",
        })
    }
}
