//! Producers and a cluster in one thread, on a network in memory and tokio's paused time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::{ClientOption, ProducerOption};
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{InMemoryNetwork, MockCluster};
use rocketmq_remoting::net::memory::seed_random;
use tokio::time::{Instant, sleep};

use crate::retries::MODES;

/// Silence says nothing about a server that was dialled a shorter time ago.
const TRUST_IN_A_DIAL: Duration = Duration::from_secs(10);

struct World {
    network: InMemoryNetwork,
    cluster: MockCluster,
    producer: Producer,
}

impl World {
    async fn new(seed: u64, brokers: usize, change: impl FnOnce(&mut ProducerOption)) -> Self {
        seed_random(seed);
        let network = InMemoryNetwork::new(seed);
        let cluster = MockCluster::builder().brokers(brokers).network(network.clone()).start().await.unwrap();
        cluster.create_topic("T", 4).unwrap();
        let mut option = ProducerOption::default();
        option.set_name_server_addr(cluster.name_server_addr()).set_group_name("simulated");
        option.set_transport(Arc::new(network.clone()));
        change(&mut option);
        let producer = Producer::new(option);
        producer.start().await.unwrap();
        Self { network, cluster, producer }
    }

    fn broker(&self) -> SocketAddr {
        self.cluster.broker_addr("broker-a").unwrap()
    }

    fn name_server(&self) -> SocketAddr {
        self.cluster.name_server_addr().parse().unwrap()
    }
}

/// Runs a simulation of its own.
pub(crate) fn simulate<T>(simulation: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(simulation)
}

#[test]
fn hours_of_sends_and_heartbeats_take_moments() {
    let real = std::time::Instant::now();
    simulate(async {
        let world = World::new(1, 1, |_| {}).await;
        let began = Instant::now();
        for count in 1..=30 {
            world.producer.send(Message::new("T", "x")).await.unwrap();
            assert_eq!(world.cluster.message_count("T"), count);
            sleep(Duration::from_secs(600)).await;
        }
        assert_eq!(began.elapsed().as_secs(), 5 * 3600);
        assert_eq!(world.network.streams(world.broker()), 1, "heartbeats keep the connection");
        assert!(world.producer.shutdown().await.unwrap().is_clean());
        world.cluster.shutdown().await;
        assert_eq!(world.network.streams(world.broker()), 0);
    });
    assert!(real.elapsed() < Duration::from_secs(20), "{:?}", real.elapsed());
}

/// What a user sees of 60 sends under faults, and when.
fn history(seed: u64) -> Vec<(u128, String)> {
    simulate(async {
        let world = World::new(seed, 2, |option| {
            option.set_send_msg_max_timeout_per_request(1000);
        })
        .await;
        world.network.set_latency(Duration::from_millis(1)..=Duration::from_millis(20));
        let began = Instant::now();
        let mut history = Vec::new();
        for count in 0..60 {
            match count {
                10 => world.network.cut(world.broker()),
                20 => world.network.stall(world.broker()),
                30 => world.network.stall(world.name_server()),
                40 => world.network.set_reachable(world.broker(), false),
                41 => world.network.cut(world.broker()),
                50 => world.network.set_reachable(world.broker(), true),
                _ => {}
            }
            let sent = world.producer.send(Message::new("T", "x")).await;
            let seen = sent.map_or_else(
                |error| error.to_string(),
                |sent| format!("{} {}", sent.message_queue, sent.queue_offset),
            );
            history.push((began.elapsed().as_micros(), seen));
            sleep(Duration::from_secs(7)).await;
        }
        history
    })
}

#[test]
fn a_run_repeats_for_its_seed() {
    let first = history(7);
    assert_eq!(first, history(7));
    assert_ne!(first, history(8), "another seed is another run");
}

#[test]
fn on_a_half_open_connection_one_send_fails_and_the_next_one_is_stored() {
    for mode in MODES {
        simulate(async {
            let world = World::new(1, 1, |_| {}).await;
            mode.send(&world.producer).await.unwrap();
            for stored in [2, 3] {
                sleep(TRUST_IN_A_DIAL).await;
                world.network.stall(world.broker());
                let error = mode.send(&world.producer).await.unwrap_err();
                assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
                let began = Instant::now();
                mode.send(&world.producer).await.unwrap();
                assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
                assert_eq!(world.cluster.message_count("T"), stored);
            }
        });
    }
}

#[test]
fn a_retry_of_the_same_send_leaves_a_half_open_connection() {
    for mode in MODES {
        simulate(async {
            let world = World::new(1, 1, |option| {
                option.set_send_msg_max_timeout_per_request(1000);
            })
            .await;
            mode.send(&world.producer).await.unwrap();
            sleep(TRUST_IN_A_DIAL).await;
            world.network.stall(world.broker());
            let began = Instant::now();
            mode.send(&world.producer).await.unwrap();
            assert!(began.elapsed() < Duration::from_millis(1100), "{:?}", began.elapsed());
            assert_eq!(world.cluster.message_count("T"), 2);
        });
    }
}

#[test]
fn a_look_up_at_the_only_name_server_leaves_a_half_open_connection() {
    simulate(async {
        let world = World::new(1, 1, |_| {}).await;
        world.cluster.create_topic("U", 4).unwrap();
        sleep(TRUST_IN_A_DIAL).await;
        world.network.stall(world.name_server());
        let error = world.producer.send(Message::new("U", "x")).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotStored, "{error}");
        world.producer.send(Message::new("U", "x")).await.unwrap();
    });
}

#[test]
fn a_broker_in_a_black_hole_fails_its_sends_until_it_is_back() {
    simulate(async {
        let world = World::new(1, 1, |_| {}).await;
        world.producer.send(Message::new("T", "x")).await.unwrap();
        world.network.stall(world.broker());
        world.network.set_reachable(world.broker(), false);
        for _ in 0..5 {
            world.producer.send(Message::new("T", "x")).await.unwrap_err();
        }
        world.network.set_reachable(world.broker(), true);
        // The back-off between dials is 5 s at most.
        sleep(Duration::from_secs(6)).await;
        world.producer.send(Message::new("T", "x")).await.unwrap();
    });
}

/// A cluster and a client that producers can share.
async fn shared(network: &InMemoryNetwork, brokers: usize) -> (MockCluster, MQClient) {
    let cluster = MockCluster::builder().brokers(brokers).network(network.clone()).start().await.unwrap();
    cluster.create_topic("T", 4).unwrap();
    let mut option = ClientOption::default();
    option.set_name_server_addr(cluster.name_server_addr()).set_transport(Arc::new(network.clone()));
    let client = MQClient::new(option);
    client.start().await.unwrap();
    (cluster, client)
}

#[test]
fn the_shutdown_of_a_shared_client_loses_no_trace_record() {
    simulate(async {
        let (cluster, client) = shared(&InMemoryNetwork::new(1), 1).await;
        let traced = client.producer("traced").option(|option| _ = option.set_enable_trace(true));
        let traced = traced.start().await.unwrap();
        traced.send(Message::new("T", "x")).await.unwrap();
        assert!(client.shutdown().await.unwrap().is_clean());
        assert_eq!(cluster.message_count("RMQ_SYS_TRACE_TOPIC"), 1);
    });
}

#[test]
fn a_producer_that_starts_while_its_client_shuts_down_does_not_run() {
    simulate(async {
        let network = InMemoryNetwork::new(1);
        let (cluster, client) = shared(&network, 1).await;
        let name_server = cluster.name_server_addr().parse().unwrap();
        // The start waits for the route of a topic.
        network.stall(name_server);
        let late = client.producer("late").option(|option| _ = option.set_topics(vec!["T".to_owned()]));
        let (started, shut_down) = tokio::join!(late.start(), client.shutdown());
        assert!(matches!(started, Err(MQClientError::ShutDown { .. })), "{started:?}");
        shut_down.unwrap();
    });
}

/// When a client that shares its connections among producers with batches and traces was done with each step.
fn shared_history(seed: u64) -> Vec<u128> {
    simulate(async {
        seed_random(seed);
        let network = InMemoryNetwork::new(seed);
        let (cluster, client) = shared(&network, 4).await;
        network.set_latency(Duration::from_millis(1)..=Duration::from_millis(200));
        let began = Instant::now();
        let mut history = Vec::new();
        for group in ["a", "b", "c"] {
            let producer = client.producer(group).option(|option| {
                option.set_auto_batch(true).set_enable_trace(true).set_send_latency_fault_enable(true);
                option.set_start_detector_enable(true);
            });
            let producer = producer.start().await.unwrap();
            let topics = ["T", "U", "V", "W", "X", "Y", "Z"];
            topics.iter().for_each(|topic| _ = cluster.create_topic(topic, 4));
            let sends = topics.map(|topic| producer.send(Message::new(topic, "x")));
            for send in sends {
                let _ = send.await;
                history.push(began.elapsed().as_micros());
            }
            let (done, mut outcomes) = tokio::sync::mpsc::channel(100);
            for topic in topics.repeat(5) {
                let done = done.clone();
                let callback = move |_| _ = done.try_send(began.elapsed().as_micros());
                producer.send_async(Message::new(topic, "x"), callback).await.unwrap();
            }
            drop(done);
            while let Some(at) = outcomes.recv().await {
                history.push(at);
            }
            sleep(Duration::from_secs(40)).await;
        }
        client.shutdown().await.unwrap();
        history.push(began.elapsed().as_micros());
        history
    })
}

#[test]
fn a_run_of_a_shared_client_repeats_for_its_seed() {
    assert_eq!(shared_history(7), shared_history(7));
}
