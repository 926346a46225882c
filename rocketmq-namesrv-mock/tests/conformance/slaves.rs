//! What a slave does by itself, and what it leaves to its master. All cases use a topic that every broker has from the
//! start: others reach Apache's slaves about a minute later.

use std::time::{Duration, Instant};

use rocketmq_remoting::protocol::RemotingCommand;
use serde_json::json;

use super::peer::{Peer, field, fresh_group, pull_fields, told};
use crate::stage;

const TOPIC: &str = "BenchmarkTest";
const BUSY: &str = "2 \"[REJECTREQUEST]system busy, start flow control for a while\"";

/// Pulls from queue 0, and waits for messages if there are none. `more` replaces fields.
async fn pull(slave: &Peer, more: &[(&str, &str)]) -> RemotingCommand {
    let fields = pull_fields("TOOLS_CONSUMER", TOPIC);
    let fields = fields.with(&[("sysFlag", "6"), ("suspendTimeoutMillis", "20000"), ("subscription", "*")]);
    slave.call(11, &fields.with(&[("expressionType", "TAG")]).with(more).list(), "").await
}

#[tokio::test]
async fn a_slave_lets_clients_read_if_it_may_and_grants_its_own_locks() {
    let pair = stage::a_master_and_its_slave().await;
    let (master, slave) = (Peer::of(&pair.master()), Peer::of(&pair.slave()));
    assert_eq!(told(&pull(&slave, &[]).await), BUSY, "clients may not read unless a setting says so");
    let send = [("a", "p"), ("b", TOPIC), ("c", "TBW102"), ("d", "1"), ("e", "0"), ("f", "0"), ("g", "1")];
    assert_eq!(slave.ask(310, &[&send[..], &[("h", "0")]].concat(), "x").await, BUSY);
    assert_eq!(slave.ask(36, &[("offset", "0"), ("group", "g"), ("delayLevel", "1")], "").await, BUSY);
    let reset = [("group", "g"), ("topic", TOPIC), ("timestamp", "0"), ("isForce", "true")];
    assert_eq!(slave.ask(222, &reset, "").await, "1 \"Can not reset offset in slave broker\"");

    assert_eq!(slave.call(25, &[], "slaveReadEnable=true").await.code, 0);
    master.store(TOPIC, 1, &[]).await;
    slave.until(30, &[("topic", TOPIC), ("queueId", "0")], super::peer::has("offset", "1")).await;
    assert_eq!(pull(&slave, &[]).await.code, 0);
    let of_group = [("sysFlag", "0"), ("consumerGroup", "TOOLS_CONSUMER")];
    assert_eq!(pull(&slave, &of_group).await.code, 24, "no heartbeat came to the slave");
    let began = Instant::now();
    let ahead = pull(&slave, &[("queueOffset", "99")]).await;
    assert_eq!((ahead.code, ahead.remark(), field(&ahead, "nextBeginOffset")), {
        (20, "OFFSET_OVERFLOW_BADLY", "99".into())
    });
    assert!(began.elapsed() < Duration::from_secs(2), "a pull past the end is never held");

    let queue = json!({ "topic": TOPIC, "brokerName": "broker-a", "queueId": 0 });
    let group = fresh_group("locks");
    for (peer, client) in [(&master, "a"), (&slave, "b")] {
        let lock =
            json!({ "consumerGroup": group, "clientId": client, "mqSet": [queue], "onlyThisBroker": true });
        let granted = peer.ask(41, &[], lock.to_string()).await;
        assert!(granted.contains("\"queueId\":0"), "{client}: {granted}");
    }
}
