//! Parts of a true answer that are changed.

use rocketmq_common::record::{RecordDecoder, RecordOptions};
use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction, MockCluster, MockProxy, RecordDamage};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use crate::support::*;

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    cluster.preload("T", 1, 3, b"hello").unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

fn pulls(change: AnswerChange) -> Fault {
    Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)).times(1)
}

#[tokio::test]
async fn single_fields_change_and_all_else_stays() {
    let (cluster, mut peer) = start().await;
    let truth = peer.call(pull_from("T", 0)).await;
    let change = AnswerChange::new().field("suggestWhichBrokerId", "1").field("new", "x");
    cluster.inject(pulls(change));
    let mut changed = peer.call(pull_from("T", 0)).await;
    assert_eq!((field(&changed, "suggestWhichBrokerId"), field(&changed, "new")), ("1".into(), "x".into()));
    assert_eq!((changed.code, &changed.remark, &changed.body), (truth.code, &truth.remark, &truth.body));
    changed.ext_fields.insert("suggestWhichBrokerId", "0");
    changed.ext_fields.remove("new");
    assert_eq!(fields(&changed), fields(&truth));
    cluster.inject("do=change_answer times=1 code=PULL_OFFSET_MOVED remark=gone body=x".parse().unwrap());
    let changed = peer.call(pull_from("T", 0)).await;
    assert_eq!((verdict(&changed), &changed.body[..]), ((21, "gone"), &b"x"[..]));
    assert_eq!(fields(&changed), fields(&truth));
    assert_eq!(cluster.requests().last().unwrap().answer, Some(ResponseCode::PULL_OFFSET_MOVED));
    assert_eq!(peer.call(pull_from("T", 0)).await.body, truth.body, "that was all");
}

#[tokio::test]
async fn one_record_is_damaged_and_its_neighbours_are_read() {
    let (cluster, mut peer) = start().await;
    for (damage, problem) in [
        (RecordDamage::Crc, "checksum"),
        (RecordDamage::Body, "checksum"),
        (RecordDamage::Magic, "magic"),
        (RecordDamage::Bomb, "more than"),
    ] {
        cluster.inject(pulls(AnswerChange::new().damage(-2, damage)));
        let answer = peer.call(pull_from("T", 0)).await;
        let read: Vec<_> = RecordDecoder::new(answer.body).collect();
        let texts: Vec<_> =
            read.iter().map(|read| read.as_ref().map_or(&b""[..], |message| &message.body()[..])).collect();
        assert_eq!(texts, [&b"hello"[..], b"", b"hello"], "{damage:?}");
        let error = read[1].as_ref().unwrap_err();
        let mut told = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            told += &format!(": {source}");
            cause = source.source();
        }
        assert!(told.contains(problem), "{damage:?}: {told}");
    }
    cluster.inject(pulls(AnswerChange::new().damage(1, RecordDamage::Size)));
    let answer = peer.call(pull_from("T", 0)).await;
    let read: Vec<_> = RecordDecoder::new(answer.body).collect();
    assert!(read.len() == 2 && read[0].is_ok() && read[1].is_err(), "nobody knows where the next one begins");
    cluster.inject(pulls(AnswerChange::new().damage(3, RecordDamage::Crc)));
    assert_eq!(records(&peer.call(pull_from("T", 0)).await).len(), 3, "there is no fourth record");
}

#[tokio::test]
async fn a_bomb_has_the_right_checksum_and_32_kib() {
    let (cluster, mut peer) = start().await;
    cluster.inject("on=PULL_MESSAGE do=change_answer damage=bomb".parse().unwrap());
    let answer = peer.call(pull_from("T", 0)).await;
    let raw = RecordOptions { decompress: false, ..RecordOptions::default() };
    let message = RecordDecoder::with_options(answer.body, raw).next().unwrap().unwrap();
    assert!((32_000..34_000).contains(&message.body().len()), "{}", message.body().len());
}

#[tokio::test]
async fn a_proxy_changes_answers_too() {
    let (cluster, _) = start().await;
    let proxy = MockProxy::start(cluster.name_server_addr()).await.unwrap();
    let mut peer = Peer::connect(proxy.name_server_addr()).await;
    proxy.inject("do=change_answer code=17 remark=none times=1".parse().unwrap()).unwrap();
    let route = || request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
    assert_eq!(verdict(&peer.call(route()).await), (17, "none"));
    assert_eq!(peer.call(route()).await.code, 0);
}
