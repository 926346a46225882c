//! Errors of a send: whether the message may be stored, the attempts, and where the time went.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one. To show a
//! failure, a second producer is told to reach all brokers at a port on which nothing listens.

use rocketmq::conf::{AddressTranslator, ProducerOption};
use rocketmq::error::Outcome;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = match option.name_server_addr() {
        None => Some(MockCluster::builder().brokers(2).start().await?),
        Some(_) => None,
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("retries_producer").set_retry_times_when_send_failed(2).set_send_msg_timeout(2000);

    let producer = Producer::new(option.clone());
    producer.start().await?;
    let sent = producer.send(Message::new("TopicTest", "first")).await?;
    println!("stored in {}", sent.message_queue);
    if let Some(mock) = &mock {
        // This broker goes down: the next send goes to the other one.
        mock.stop_broker(sent.message_queue.broker_name()).await?;
        let sent = producer.send(Message::new("TopicTest", "second")).await?;
        println!("stored in {}, {} retries so far", sent.message_queue, producer.get_stats()?.retry_count);
    }
    producer.shutdown().await?;

    option.set_address_translator(AddressTranslator::new(|_| Some("127.0.0.1:1".to_owned())));
    let lost = Producer::new(option);
    lost.start().await?;
    match lost.send(Message::new("TopicTest", "third")).await {
        Ok(_) => return Err("nobody listens there".into()),
        Err(error) => {
            assert_eq!(error.outcome(), Outcome::NotStored);
            println!("{error}: {}, worth another try: {}", error.outcome(), error.is_retryable());
            for attempt in error.attempts() {
                println!(
                    "  {} at {} after {:?}: {}",
                    attempt.queue, attempt.address, attempt.took, attempt.error
                );
            }
        }
    }
    lost.shutdown().await?;
    Ok(())
}
