//! The servers run and answer, and they end with their owner.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::stage::shared;
use crate::support::{ApacheCluster, wire};

#[test]
fn name_server_knows_the_route_of_the_auto_create_topic() {
    let cluster = shared();

    let answer = wire::route(cluster.name_server_addr(), "TBW102").unwrap();

    assert_eq!(answer.code, 0);
    let route: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(route["brokerDatas"][0]["brokerAddrs"]["0"], cluster.broker_addr());
    assert_eq!(route["queueDatas"][0]["brokerName"], "broker-a");
}

#[test]
fn name_server_says_that_it_has_no_route_for_an_unknown_topic() {
    let answer = wire::route(shared().name_server_addr(), "smoke-unknown-topic").unwrap();

    assert_eq!(answer.code, 17);
}

#[test]
fn broker_answers_a_heartbeat() {
    let answer = wire::heartbeat(shared().broker_addr(), "smoke").unwrap();

    assert_eq!(answer.code, 0);
}

#[test]
fn a_cluster_ends_with_its_owner_also_in_a_panic() {
    let cluster = ApacheCluster::start("").unwrap_or_else(|reason| panic!("{reason}"));
    let addrs = [cluster.name_server_addr().to_owned(), cluster.broker_addr().to_owned()];

    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let answer = wire::heartbeat(cluster.broker_addr(), "smoke").unwrap();
        assert_ne!(answer.code, 0, "on purpose");
    }));

    assert!(outcome.is_err());
    for addr in addrs {
        assert_eq!(wire::heartbeat(&addr, "smoke").unwrap_err(), ErrorKind::ConnectionRefused);
    }
}
