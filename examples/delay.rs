//! Messages that are delivered later: by a level, after a time, at a time; and a message that is recalled.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one. Recalling needs
//! a broker of 5.3.1 or later with `recallMessageEnable=true`.

use std::time::{SystemTime, UNIX_EPOCH};

use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() {
        Some(MockCluster::builder().recall_message(true).start().await?)
    } else {
        None
    };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("delay_producer");
    let producer = Producer::new(option);
    producer.start().await?;

    // Level 3 of 18 is ten seconds.
    let mut message = Message::new("TopicTest", "by a level");
    message.set_delay_time_level(3);
    println!("level    {}", producer.send(message).await?.msg_id);

    let mut message = Message::new("TopicTest", "after 90 seconds");
    message.set_delay_time_sec(90);
    println!("timer    {}", producer.send(message).await?.msg_id);

    // At most three days from now.
    let midnight = (SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400 + 1) * 86_400;
    let mut message = Message::new("TopicTest", "at midnight (UTC)");
    message.set_deliver_time_ms(midnight * 1000);
    let sent = producer.send(message).await?;
    println!("timer    {}", sent.msg_id);

    // A timer message can be recalled before it is due.
    if let Some(handle) = sent.recall_handle {
        match producer.recall("TopicTest", &handle).await {
            Ok(recalled) => println!("recalled {}", recalled.msg_id),
            Err(error) => println!("not recalled: {error}"),
        }
    }
    producer.shutdown().await?;
    Ok(())
}
