//! Statistics of a producer: counts, latencies, and sends in flight.
//!
//! With no argument it starts a mock cluster in this process; with `NAMESRV_ADDR` set it uses that one.

use rocketmq::conf::ProducerOption;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::MockCluster;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ProducerOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    option.set_group_name("stats_producer");
    let producer = Producer::new(option);
    producer.start().await?;

    let mut sends = JoinSet::new();
    for index in 0..1000 {
        let producer = producer.clone();
        sends
            .spawn(async move { producer.send(Message::new("TopicTest", format!("message {index}"))).await });
    }
    while let Some(sent) = sends.join_next().await {
        sent??;
    }

    let stats = producer.get_stats()?;
    println!("sent        {} ({} failed)", stats.send_success_count, stats.send_failure_count);
    println!("latency     {:.2} ms on average", stats.average_rt);
    println!(
        "            {:.2} ms half, {:.2} ms 99 of 100, {:.2} ms the slowest",
        stats.p50_rt, stats.p99_rt, stats.max_rt
    );
    println!("retries     {}", stats.retry_count);
    println!("in flight   {}", stats.in_flight);
    producer.shutdown().await?;
    Ok(())
}
