//! Polls for messages: first as a member of a group, then from queues and positions that the program names.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example pull_assign_seek`.

use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::ConsumeFromWhere;
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;

const TOPIC: &str = "PullExample";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;
    let producer = client.producer("pull_example_producer").start().await?;
    for number in 0..12 {
        producer.send(Message::new(TOPIC, format!("reading {number}"))).await?;
    }

    // The members of a group share the queues. A poll confirms the messages of the poll before it.
    let mut consumer = client
        .pull_consumer("pull_example_group")
        .option(|option| _ = option.set_consume_from_where(ConsumeFromWhere::First))
        .subscribe(TOPIC, "*")
        .start()
        .await?;
    let mut count = 0;
    while count < 12 {
        for message in consumer.poll(Duration::from_secs(5)).await? {
            println!("{} of queue {}", String::from_utf8_lossy(message.body()), message.queue_id());
            count += 1;
        }
    }
    consumer.commit().await?;
    println!("shared: {count} messages, clean: {}", consumer.shutdown().await?.is_clean());

    // A tool reads one queue again, and commits nothing by itself.
    let mut tool = client
        .pull_consumer("pull_example_tool")
        .option(|option| _ = option.set_auto_commit(false))
        .build()?;
    tool.start().await?;
    let queues = tool.fetch_message_queues(TOPIC).await?;
    let queue = queues.first().ok_or("the topic has no queue")?.clone();
    tool.assign([queue.clone()]).await?;
    tool.seek_to_begin(&queue).await?;
    let again = tool.poll(Duration::from_secs(5)).await?;
    println!("read again: {} messages, the next is at {}", again.len(), tool.position(&queue)?);
    if let Err(error) = tool.seek(&queue, 1_000_000).await {
        println!("refused: {error}");
    }
    tool.shutdown().await?;
    client.shutdown().await?;
    Ok(())
}
