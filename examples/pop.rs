//! Pops jobs: a broker hands them out and hides them while a worker is busy, so that a slow job holds up no queue, and any number of
//! workers share few queues.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example pop`.

use std::collections::BTreeMap;
use std::time::Duration;

use rocketmq::admin::{Brokers, MessageRequestMode, TopicConfig};
use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFailure, ConsumeFromWhere, ConsumeOutcome};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const TOPIC: &str = "PopExample";
const GROUP: &str = "pop_example_consumer";

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

    // One queue for three workers. An operator says that the group pops: `mqadmin setConsumeMode -t PopExample -m POP …`.
    let admin = client.admin();
    admin.create_topic(&TopicConfig::new(TOPIC, 1), &Brokers::All).await?;
    admin.set_message_request_mode(TOPIC, GROUP, MessageRequestMode::Pop, 0, &Brokers::All).await?;

    let (jobs, mut done) = mpsc::channel(64);
    let mut workers = Vec::new();
    for worker in 1..=3 {
        let jobs = jobs.clone();
        // Each is a process of its own in earnest: a client has one member of a group.
        let mut option = ClientOption::from_env()?;
        if let Some(mock) = &mock {
            option.set_name_server_addr(mock.name_server_addr());
        }
        let own = MQClient::new(option);
        own.start().await?;
        let consumer = own
            .push_consumer(GROUP)
            .option(|option| {
                option.set_client_rebalance(false).set_consume_from_where(ConsumeFromWhere::First);
                option.set_consume_concurrency(2).set_pop_batch_nums(4).set_pop_threshold_for_queue(4);
            })
            .subscribe(TOPIC, "*")
            .listener(move |message, context| {
                let jobs = jobs.clone();
                async move {
                    let job = String::from_utf8_lossy(message.body()).into_owned();
                    if (&*job, context.reconsume_times) == ("job-5", 0) {
                        println!("worker {worker}: {job} fails, and comes again in a second or some more");
                        return Ok(ConsumeOutcome::Later { delay_level: Some(1) });
                    }
                    sleep(Duration::from_millis(50)).await;
                    println!("worker {worker}: {job}");
                    jobs.send((worker, job)).await?;
                    Ok::<_, ConsumeFailure>(ConsumeOutcome::Success)
                }
            })
            .start()
            .await?;
        workers.push((own, consumer));
    }

    let producer = client.producer("pop_example_producer").start().await?;
    for number in 0..30 {
        producer.send(Message::new(TOPIC, format!("job-{number}"))).await?;
    }
    let mut counts = BTreeMap::<String, usize>::new();
    while counts.len() < 30 {
        let Some((_, job)) = timeout(Duration::from_secs(60), done.recv()).await? else { break };
        *counts.entry(job).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");

    for (own, consumer) in workers {
        let stats = consumer.get_stats()?;
        println!("{} jobs done in {} pops", stats.consume_success_count, stats.pop_count);
        let report = consumer.shutdown().await?;
        assert!(report.is_clean(), "{report:?}");
        own.shutdown().await?;
    }
    client.shutdown().await?;
    Ok(())
}
