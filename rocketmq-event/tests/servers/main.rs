//! The suite of conformance on real servers: RocketMQ, RabbitMQ and Kafka. `.ci/events` installs them and runs it.
//!
//! - `support`: the servers
//! - `contract`: rules of the contract of backends that consumers do not show
//! - `heals`: connections that are lost, a server that is killed
//! - the rest is the suite's own: `../conformance`
//!
//! `EVENTS_CASES` and `EVENTS_TABLE` mean what they mean there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[path = "../conformance/cases/mod.rs"]
mod cases;
mod contract;
#[path = "../conformance/faulty.rs"]
mod faulty;
mod heals;
#[path = "../conformance/lab.rs"]
mod lab;
#[path = "../conformance/logs.rs"]
mod logs;
#[path = "../conformance/rigs.rs"]
#[allow(dead_code, reason = "the brokers without servers run in the suite itself")]
mod rigs;
mod support;
#[path = "../conformance/table.rs"]
mod table;

#[cfg(feature = "kafka")]
mod on_kafka {
    use async_trait::async_trait;
    use rocketmq_event::Bus;

    use crate::support::kafka::Kafka;
    use crate::{contract, heals, rigs, table};

    struct OnKafka(Kafka);

    #[async_trait]
    impl rigs::Rig for OnKafka {
        fn name(&self) -> &'static str {
            "kafka"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&self.0.address()).await.unwrap()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn kafka() {
        table::run(OnKafka(tokio::task::spawn_blocking(Kafka::start).await.unwrap())).await;
    }

    impl heals::Faulty for Kafka {
        const CLOSES_CONNECTIONS: bool = false;

        fn close_all_connections(&self) {}

        fn kill(&mut self) {
            self.kill();
        }

        fn restart(&mut self) {
            self.restart();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn kafka_holds_the_contract() {
        let server = tokio::task::spawn_blocking(Kafka::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        contract::holds(&bus).await;
        bus.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn kafka_that_is_killed() {
        let server = tokio::task::spawn_blocking(Kafka::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        heals::nothing_is_lost(server, bus).await;
    }
}

#[cfg(feature = "rabbitmq")]
mod on_rabbitmq {
    use async_trait::async_trait;
    use rocketmq_event::Bus;
    use rocketmq_event::backend::rabbitmq::{RabbitMqBackend, RabbitMqSettings};

    use crate::support::rabbitmq::RabbitMq;
    use crate::{contract, heals, rigs, table};

    struct OnRabbitMq(RabbitMq);

    #[async_trait]
    impl rigs::Rig for OnRabbitMq {
        fn name(&self) -> &'static str {
            "rabbitmq"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&self.0.address()).await.unwrap()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rabbitmq() {
        table::run(OnRabbitMq(tokio::task::spawn_blocking(RabbitMq::start).await.unwrap())).await;
    }

    impl heals::Faulty for RabbitMq {
        const CLOSES_CONNECTIONS: bool = true;

        fn close_all_connections(&self) {
            self.close_all_connections();
        }

        fn kill(&mut self) {
            self.kill();
        }

        fn restart(&mut self) {
            self.restart();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rabbitmq_holds_the_contract() {
        let server = tokio::task::spawn_blocking(RabbitMq::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        contract::holds(&bus).await;
        let mut settings = RabbitMqSettings::new(server.address());
        settings.delivery_limit = 2;
        let strict = Bus::new(RabbitMqBackend::connect(settings).await.unwrap());
        contract::kills_its_members(&strict).await;
        strict.close().await.unwrap();
        bus.close().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rabbitmq_that_is_killed() {
        let server = tokio::task::spawn_blocking(RabbitMq::start).await.unwrap();
        let bus = Bus::connect(&server.address()).await.unwrap();
        heals::nothing_is_lost(server, bus).await;
    }
}

#[cfg(feature = "rocketmq")]
mod on_rocketmq {
    use async_trait::async_trait;
    use rocketmq_client::admin::MQAdmin;
    use rocketmq_event::Bus;

    use crate::support::rocketmq::RocketMq;
    use crate::{lab, rigs, table};

    struct OnRocketMq(RocketMq);

    #[async_trait]
    impl rigs::Rig for OnRocketMq {
        fn name(&self) -> &'static str {
            "RocketMQ"
        }

        async fn connect(&self) -> Bus {
            Bus::connect(&format!("rocketmq://{}", self.0.name_server())).await.unwrap()
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rocketmq() {
        let server = tokio::task::spawn_blocking(RocketMq::start).await.unwrap();
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
        table::run(OnRocketMq(server)).await;
    }
}
