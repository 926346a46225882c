//! The suite of conformance on real servers: RocketMQ, RabbitMQ and Kafka. `.ci/events` installs them and runs it.
//!
//! - `support`: the servers
//! - `contract`: rules of the contract of backends that consumers do not show
//! - `examples`: the examples, told nothing but an address
//! - the rest is the suite's own: `../conformance`
//!
//! `EVENTS_CASES` and `EVENTS_TABLE` mean what they mean there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../conformance/cases/mod.rs"]
mod cases;
mod contract;
mod examples;
#[path = "../conformance/faulty.rs"]
mod faulty;
#[path = "../conformance/lab.rs"]
mod lab;
#[path = "../conformance/proxy.rs"]
mod proxy;
#[path = "../conformance/rigs.rs"]
#[allow(dead_code, reason = "the brokers without servers run in the suite itself")]
mod rigs;
mod support;
#[path = "../conformance/table.rs"]
mod table;

/// The process that publishes for a case: see `cases/faults.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is no test, but the process of a case"]
async fn a_flood_of_its_own() {
    cases::flood().await;
}

/// The process of a member that a case kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is no test, but the process of a case"]
async fn a_member_of_its_own() {
    cases::member().await;
}

#[cfg(feature = "kafka")]
mod on_kafka {
    use async_trait::async_trait;
    use rdkafka::admin::{AdminClient, AdminOptions};
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};
    use rocketmq_event::Bus;
    use rocketmq_event::backend::Positions;
    use tokio::task::{block_in_place, spawn_blocking};

    use crate::proxy::Proxy;
    use crate::support::kafka::Kafka;
    use crate::{contract, examples, rigs, table};

    struct OnKafka {
        server: Kafka,
        fragile: rigs::Shared,
    }

    #[async_trait]
    impl rigs::Rig for OnKafka {
        fn name(&self) -> &'static str {
            "kafka"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&self.server.address()).await.unwrap()
        }

        fn address(&self) -> Option<String> {
            Some(self.server.address())
        }

        fn java(&self, writes: &str, reads: &str) -> Option<tokio::process::Command> {
            Some(self.server.cloud_events(writes, reads).into())
        }

        async fn delete_before(&self, stream: &str, before: &Positions) -> bool {
            let brokers = self.server.address().trim_start_matches("kafka://").to_owned();
            let admin: AdminClient<_> =
                ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
            let mut list = TopicPartitionList::new();
            for (partition, first) in &before.0 {
                let first = Offset::Offset(i64::try_from(*first).unwrap());
                list.add_partition_offset(stream, partition.parse().unwrap(), first).unwrap();
            }
            let deleted = admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
            for partition in deleted.elements() {
                partition.error().unwrap();
            }
            true
        }

        fn fragile(&self) -> Option<&rigs::Shared> {
            Some(&self.fragile)
        }
    }

    /// Kafka tells the port of the proxy as its own.
    struct FragileKafka {
        server: Kafka,
        proxy: Proxy,
    }

    impl FragileKafka {
        async fn start() -> Self {
            let [port] = crate::support::ports();
            let server = spawn_blocking(move || Kafka::start_behind(port)).await.unwrap();
            let proxy = Proxy::start(server.port(), port, None);
            Self { server, proxy }
        }
    }

    #[async_trait]
    impl rigs::Fragile for FragileKafka {
        fn address(&self) -> String {
            format!("kafka://127.0.0.1:{}", self.proxy.port())
        }

        fn proxy(&self) -> &Proxy {
            &self.proxy
        }

        async fn kill(&mut self) {
            block_in_place(|| self.server.kill());
        }

        async fn restart(&mut self) {
            block_in_place(|| self.server.restart());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn kafka() {
        let server = spawn_blocking(Kafka::start).await.unwrap();
        table::run(OnKafka { server, fragile: rigs::Shared::new(FragileKafka::start) }).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn kafka_holds_the_contract() {
        let server = spawn_blocking(Kafka::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        contract::holds(&bus).await;
        bus.close().await.unwrap();
        examples::work_on(&server.address()).await;
    }
}

#[cfg(feature = "rabbitmq")]
mod on_rabbitmq {
    use async_trait::async_trait;
    use rocketmq_event::Bus;
    use rocketmq_event::backend::rabbitmq::{RabbitMqBackend, RabbitMqSettings};
    use tokio::task::{block_in_place, spawn_blocking};

    use crate::proxy::Proxy;
    use crate::support::rabbitmq::RabbitMq;
    use crate::{contract, examples, rigs, table};

    struct OnRabbitMq {
        server: RabbitMq,
        fragile: rigs::Shared,
    }

    #[async_trait]
    impl rigs::Rig for OnRabbitMq {
        fn name(&self) -> &'static str {
            "rabbitmq"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&self.server.address()).await.unwrap()
        }

        fn address(&self) -> Option<String> {
            Some(self.server.address())
        }

        fn fragile(&self) -> Option<&rigs::Shared> {
            Some(&self.fragile)
        }
    }

    struct FragileRabbitMq {
        server: RabbitMq,
        proxy: Proxy,
    }

    impl FragileRabbitMq {
        async fn start() -> Self {
            let server = spawn_blocking(RabbitMq::start).await.unwrap();
            let proxy = Proxy::start(server.port(), 0, None);
            Self { server, proxy }
        }
    }

    #[async_trait]
    impl rigs::Fragile for FragileRabbitMq {
        fn address(&self) -> String {
            format!("amqp://127.0.0.1:{}", self.proxy.port())
        }

        fn proxy(&self) -> &Proxy {
            &self.proxy
        }

        async fn kill(&mut self) {
            block_in_place(|| {
                self.server.wait_until_queues_are_written();
                self.server.kill();
            });
        }

        async fn restart(&mut self) {
            block_in_place(|| self.server.restart());
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rabbitmq() {
        let server = spawn_blocking(RabbitMq::start).await.unwrap();
        table::run(OnRabbitMq { server, fragile: rigs::Shared::new(FragileRabbitMq::start) }).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rabbitmq_holds_the_contract() {
        let server = spawn_blocking(RabbitMq::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        contract::holds(&bus).await;
        let mut settings = RabbitMqSettings::new(server.address());
        settings.delivery_limit = 2;
        let strict = Bus::new(RabbitMqBackend::connect(settings).await.unwrap());
        contract::kills_its_members(&strict).await;
        contract::heals(&bus, || server.close_all_connections()).await;
        strict.close().await.unwrap();
        bus.close().await.unwrap();
        examples::work_on(&server.address()).await;
    }
}

#[cfg(feature = "rocketmq")]
mod on_rocketmq {
    use async_trait::async_trait;
    use rocketmq_client::admin::MQAdmin;
    use rocketmq_event::Bus;
    use tokio::task::{block_in_place, spawn_blocking};

    use crate::proxy::Proxy;
    use crate::support::rocketmq::RocketMq;
    use crate::{examples, lab, rigs, table};

    struct OnRocketMq {
        server: RocketMq,
        fragile: rigs::Shared,
    }

    #[async_trait]
    impl rigs::Rig for OnRocketMq {
        fn name(&self) -> &'static str {
            "RocketMQ"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&format!("rocketmq://{}", self.server.name_server())).await.unwrap()
        }

        fn address(&self) -> Option<String> {
            Some(format!("rocketmq://{}", self.server.name_server()))
        }

        fn fragile(&self) -> Option<&rigs::Shared> {
            Some(&self.fragile)
        }
    }

    struct FragileRocketMq {
        server: RocketMq,
        proxies: rigs::Proxies,
    }

    impl FragileRocketMq {
        async fn start() -> Self {
            let server = started().await;
            let [name_server, broker] = server.ports();
            Self { server, proxies: rigs::Proxies::start(name_server, broker) }
        }
    }

    #[async_trait]
    impl rigs::Fragile for FragileRocketMq {
        fn address(&self) -> String {
            self.proxies.address()
        }

        fn proxy(&self) -> &Proxy {
            &self.proxies.broker
        }

        async fn kill(&mut self) {
            block_in_place(|| self.server.kill());
        }

        async fn restart(&mut self) {
            block_in_place(|| self.server.restart());
        }
    }

    /// Returns when the broker has registered at the NameServer.
    async fn started() -> RocketMq {
        let server = spawn_blocking(RocketMq::start).await.unwrap();
        let admin = MQAdmin::connect(server.name_server()).await.unwrap();
        lab::until(|| async {
            let cluster = admin.cluster_info().await.map_err(|error| error.to_string())?;
            if cluster.broker_addr_table.is_empty() {
                Err("no broker has registered".to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        server
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rocketmq() {
        table::run(OnRocketMq {
            server: started().await,
            fragile: rigs::Shared::new(FragileRocketMq::start),
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rocketmq_runs_the_examples() {
        let server = started().await;
        examples::work_on(&format!("rocketmq://{}", server.name_server())).await;
    }
}
