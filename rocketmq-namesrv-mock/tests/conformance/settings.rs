//! Settings of servers that run, by Java's names.

use std::collections::BTreeMap;

use rocketmq_remoting::protocol::RequestCode;

use super::peer::{Peer, field, fresh_topic, is_success, verdict};
use crate::stage;

/// All settings of a server.
async fn all(peer: &Peer, code: RequestCode) -> BTreeMap<String, String> {
    let answer = peer.call(code, &[], "").await;
    assert!(is_success(&answer), "{answer:?}");
    let text = String::from_utf8(answer.body.to_vec()).expect("a text");
    let line = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings: BTreeMap<_, _> = text.lines().filter_map(line).collect();
    let names: Vec<_> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.is_sorted(), "{names:?}");
    settings
}

/// The answer of a server to new settings.
async fn change(peer: &Peer, code: RequestCode, text: &str) -> (i32, String) {
    let answer = peer.call(code, &[], text.to_owned()).await;
    assert!(answer.body.is_empty() && !answer.ext_fields.is_present(), "{answer:?}");
    let (code, remark) = verdict(&answer);
    (code, remark.to_owned())
}

/// How often the settings were changed.
async fn changes(peer: &Peer) -> i64 {
    let answer = peer.call(RequestCode::GET_BROKER_CONFIG, &[], "").await;
    let version: serde_json::Value = serde_json::from_str(&field(&answer, "version")).expect("JSON");
    version["counter"].as_i64().expect("a number")
}

#[tokio::test]
async fn a_broker_is_changed_while_it_runs() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (tell, set) = (RequestCode::GET_BROKER_CONFIG, RequestCode::UPDATE_BROKER_CONFIG);
    let (before, count) = (all(&peer, tell).await, changes(&peer).await);
    assert!(before.len() > 450, "{} settings", before.len());
    for (name, value) in
        [("brokerName", "broker-a"), ("maxMessageSize", "4194304"), ("fileReservedTime", "72")]
    {
        assert_eq!(before[name], value);
    }
    // None of these changes anything that another test could see.
    let text = "# by a test\nclusterTopicEnable = nonsense\\\n  \nfileReservedTime:73\nno.such.setting=1\n\
                cleanResourceInterval=soon\ntimerRocksDBRollMaxTps 8001\nflushDiskType=NO_FLUSH\ncommercialBaseCount=3000000000";
    assert_eq!(change(&peer, set, text).await, (0, String::new()));
    let after = all(&peer, tell).await;
    let different: Vec<_> = after.iter().filter(|(name, value)| before.get(*name) != Some(*value)).collect();
    let expected =
        [("clusterTopicEnable", "false"), ("fileReservedTime", "73"), ("timerRocksDBRollMaxTps", "8001.0")];
    assert_eq!(
        different,
        expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .iter()
            .map(|(a, b)| (a, b))
            .collect::<Vec<_>>()
    );
    assert_eq!(changes(&peer).await, count + 1);
    let locked = (16, "Can not update config in black list.".to_owned());
    for name in ["rocketmqHome", "brokerConfigPath", "configBlackList"] {
        assert_eq!(change(&peer, set, &format!("fileReservedTime=74\n{name}=x")).await, locked);
    }
    assert_eq!(change(&peer, set, "fileReservedTime=\\u12").await, (1, "string2Properties error".into()));
    assert_eq!(change(&peer, set, "").await, (0, String::new()));
    assert_eq!(all(&peer, tell).await, after, "nothing of that was taken over");
    assert_eq!(changes(&peer).await, count + 1);
    let back = "clusterTopicEnable=TRUE\nfileReservedTime=72\ntimerRocksDBRollMaxTps=8000";
    assert_eq!(change(&peer, set, back).await.0, 0);
    assert_eq!(all(&peer, tell).await, before);
}

#[tokio::test]
async fn a_name_server_is_changed_while_it_runs() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::of(name_server);
    let (tell, set) = (RequestCode::GET_NAMESRV_CONFIG, RequestCode::UPDATE_NAMESRV_CONFIG);
    let before = all(&peer, tell).await;
    for (name, value) in
        [("enableTopicList", "true"), ("productEnvName", "center"), ("waitSecondsForService", "45")]
    {
        assert_eq!(before[name], value);
    }
    assert_eq!(before.len(), 40);
    assert_eq!(change(&peer, set, "waitSecondsForService=46\nno.such.setting=1").await, (0, String::new()));
    assert_eq!(all(&peer, tell).await["waitSecondsForService"], "46");
    assert_eq!(
        change(&peer, set, "kvConfigPath=x").await,
        (16, "Can not update config in black list.".into())
    );
    assert_eq!(change(&peer, set, "a=\\u").await, (1, "string2Properties error".into()));
    assert_eq!(change(&peer, set, "waitSecondsForService=45").await.0, 0);
    assert_eq!(all(&peer, tell).await, before);
}

#[tokio::test]
async fn topics_are_listed_by_their_unit() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let names = [0, 1, 2, 3].map(|flag| (flag, fresh_topic(&format!("unit{flag}"))));
    for (flag, name) in &names {
        let flag = flag.to_string();
        let fields = [
            ("topic", name.as_str()),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "1"),
            ("writeQueueNums", "1"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", flag.as_str()),
            ("order", "false"),
        ];
        assert_eq!(peer.call(RequestCode::UPDATE_AND_CREATE_TOPIC, &fields, "").await.code, 0);
        peer.until_route(name_server, name).await;
    }
    let name_server = Peer::of(name_server);
    for (code, flags) in [
        (RequestCode::GET_UNIT_TOPIC_LIST, vec![1, 3]),
        (RequestCode::GET_HAS_UNIT_SUB_TOPIC_LIST, vec![2, 3]),
        (RequestCode::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, vec![2]),
    ] {
        let answer = name_server.call(code, &[], "").await;
        let list: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        let listed =
            |name: &str| list["topicList"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let found: Vec<_> = names.iter().filter(|(_, name)| listed(name)).map(|(flag, _)| *flag).collect();
        assert_eq!(found, flags, "{code:?}: {list}");
    }
}
