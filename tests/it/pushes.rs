//! Requests of brokers to producers: transaction checks (39) and replies (326), and to groups that are not here. The broker is
//! scripted.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rocketmq::client::MQClient;
use rocketmq::conf::ProducerOption;
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, MessageExt};
use rocketmq::producer::{
    LocalTransactionState, Producer, TransactionListener, TransactionListenerFn, TransactionProducer,
    reply_message,
};
use rocketmq_common::record::{RecordFields, encode_record};
use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::header::{
    CheckTransactionStateRequestHeader, EndTransactionRequestHeader, ReplyMessageRequestHeader,
    SendMessageRequestHeader,
};
use rocketmq_remoting::protocol::{CommandRef, NoHeader, RemotingCommand, RequestCode, ResponseCode};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::peer::{Act, COMMIT_LOG_OFFSET, NameServer, Peer, QUEUE_OFFSET};

const GROUP: &str = "pushed_to";

/// A broker behind a NameServer.
struct Site {
    broker: Peer,
    name_server: NameServer,
}

impl Site {
    /// Each send is answered with this code.
    async fn start(code: ResponseCode) -> Self {
        let broker = Peer::broker(move |_| Act::Answer(code.0)).await;
        let name_server = NameServer::of_broker(&broker.address()).await;
        Self { broker, name_server }
    }

    async fn next(&self, code: RequestCode) -> (RemotingCommand, Connection) {
        let seen = self.broker.next(code).await;
        (seen.request, seen.connection)
    }

    fn unread_ends(&self) -> usize {
        let unread = self.broker.unread();
        unread.iter().filter(|seen| seen.request.request_code() == RequestCode::END_TRANSACTION).count()
    }
}

fn option(site: &Site) -> ProducerOption {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(site.name_server.address()).set_group_name(GROUP);
    option.set_send_msg_timeout(10_000);
    option
}

async fn transactions(site: &Site, listener: impl TransactionListener) -> TransactionProducer {
    let producer = TransactionProducer::new(option(site), listener);
    producer.start().await.unwrap();
    producer
}

fn end_of(request: &RemotingCommand) -> EndTransactionRequestHeader {
    request.header().unwrap()
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A question about the half message of a group.
async fn ask(client: &Connection, group: &str, body: Option<Bytes>) {
    let mut half = Message::new("Orders", "order");
    half.properties_mut().put_reserved("PGROUP", group);
    half.properties_mut().put_reserved("UNIQ_KEY", "the id");
    let mut record = BytesMut::new();
    let stored = MessageExt::new(half, Default::default());
    encode_record(&RecordFields::from(&stored), &mut record).unwrap();
    let header = CheckTransactionStateRequestHeader {
        topic: Some("RMQ_SYS_TRANS_HALF_TOPIC".into()),
        tran_state_table_offset: 100,
        commit_log_offset: 200,
        msg_id: Some("the id".into()),
        transaction_id: Some("the transaction".into()),
        broker_name: Some("broker-a".into()),
        ..CheckTransactionStateRequestHeader::default()
    };
    let (code, body) = (RequestCode::CHECK_TRANSACTION_STATE, body.unwrap_or(record.freeze()));
    client.oneway(&CommandRef::request(code, &header).with_body(&body), deadline()).await.unwrap();
}

#[tokio::test]
async fn a_transaction_ends_once_and_says_where_its_half_is() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let listener = TransactionListenerFn::new(
        |_, id| async move {
            assert_eq!(id, "the id of the transaction");
            Err("not today".into())
        },
        |_| async { Ok(LocalTransactionState::Unknown) },
    );
    let producer = transactions(&site, listener).await;
    let sent = producer.send_in_transaction(Message::new("Orders", "order")).await.unwrap();
    let (half, _) = site.next(RequestCode::SEND_MESSAGE_V2).await;
    let half = SendMessageRequestHeader::decode(RequestCode::SEND_MESSAGE_V2, &half.ext_fields).unwrap();
    let properties = half.properties.unwrap();
    assert_eq!(half.sys_flag, 4);
    assert!(properties.contains("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}pushed_to\u{2}"), "{properties:?}");
    let (end, _) = site.next(RequestCode::END_TRANSACTION).await;
    assert_eq!((end.is_oneway(), end.remark()), (true, "not today"));
    let header = end_of(&end);
    assert_eq!((header.tran_state_table_offset, header.commit_log_offset), (QUEUE_OFFSET, COMMIT_LOG_OFFSET));
    assert_eq!((header.commit_or_rollback, header.from_transaction_check), (0, false));
    assert_eq!((&*header.producer_group, &*header.msg_id), (GROUP, &*sent.msg_id));
    assert_eq!((header.topic.as_deref(), header.broker_name.as_deref()), (Some("Orders"), Some("broker-a")));
    assert_eq!(header.transaction_id.as_deref(), Some("the id of the transaction"));
    producer.shutdown().await.unwrap();
    assert_eq!(site.unread_ends(), 0);
}

#[tokio::test]
async fn a_half_that_is_stored_weakly_is_rolled_back_without_the_listener() {
    for status in [
        ResponseCode::FLUSH_DISK_TIMEOUT,
        ResponseCode::FLUSH_SLAVE_TIMEOUT,
        ResponseCode::SLAVE_NOT_AVAILABLE,
    ] {
        let site = Site::start(status).await;
        let listener = TransactionListenerFn::new(
            |_, _| async { panic!("it must not run") },
            |_| async { Ok(LocalTransactionState::Unknown) },
        );
        let producer = transactions(&site, listener).await;
        let sent = producer.send_in_transaction(Message::new("Orders", "order")).await.unwrap();
        assert_eq!(sent.local_transaction_state, LocalTransactionState::Rollback);
        let (end, _) = site.next(RequestCode::END_TRANSACTION).await;
        assert_eq!(end_of(&end).commit_or_rollback, 12);
    }
}

#[tokio::test]
async fn a_question_goes_to_the_producer_of_its_group_on_a_shared_client() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let client = MQClient::connect(site.name_server.address()).await.unwrap();
    let decides = |state| {
        let execute = |_, _| async { Ok(LocalTransactionState::Unknown) };
        TransactionListenerFn::new(execute, move |_: MessageExt| async move { Ok(state) })
    };
    let commits = decides(LocalTransactionState::Commit);
    let _commits = client.transaction_producer(GROUP, commits).start().await.unwrap();
    let rolls_back = decides(LocalTransactionState::Rollback);
    let _rolls_back = client.transaction_producer("another", rolls_back).start().await.unwrap();
    let (_, connection) = site.next(RequestCode::HEART_BEAT).await;
    for (group, decision) in [("another", 12), (GROUP, 8)] {
        ask(&connection, group, None).await;
        let end = end_of(&site.next(RequestCode::END_TRANSACTION).await.0);
        assert_eq!((&*end.producer_group, end.commit_or_rollback), (group, decision));
    }
}

#[tokio::test]
async fn a_question_is_answered_where_it_was_asked_and_with_its_own_offsets() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let listener = TransactionListenerFn::new(
        |_, _| async { Ok(LocalTransactionState::Unknown) },
        |message: MessageExt| async move {
            assert_eq!((message.topic(), message.broker_name()), ("Orders", "broker-a"));
            Ok(LocalTransactionState::Commit)
        },
    );
    let producer = transactions(&site, listener).await;
    // It sends nothing: a producer of the group can be asked as soon as it runs.
    let (_, client) = site.next(RequestCode::HEART_BEAT).await;
    ask(&client, "another_group", None).await;
    ask(&client, GROUP, Some(Bytes::from_static(b"no record"))).await;
    ask(&client, GROUP, None).await;
    let (end, connection) = site.next(RequestCode::END_TRANSACTION).await;
    assert_eq!((connection.id(), end.is_oneway()), (client.id(), true));
    let header = end_of(&end);
    assert_eq!((header.tran_state_table_offset, header.commit_log_offset), (100, 200));
    assert_eq!((header.commit_or_rollback, header.from_transaction_check), (8, true));
    assert_eq!(header.topic.as_deref(), Some("RMQ_SYS_TRANS_HALF_TOPIC"));
    assert_eq!((&*header.producer_group, &*header.msg_id), (GROUP, "the id"));
    assert_eq!(header.transaction_id.as_deref(), Some("the transaction"));
    drop(producer);
}

#[tokio::test]
async fn questions_wait_in_a_bounded_queue_and_keep_nobody_waiting() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let (gate, (asked, mut questions)) = (Arc::new(Semaphore::new(0)), mpsc::channel(10));
    let held = gate.clone();
    let listener = TransactionListenerFn::new(
        |_, _| async { Ok(LocalTransactionState::Unknown) },
        move |_| {
            let (held, asked) = (held.clone(), asked.clone());
            async move {
                asked.send(()).await?;
                held.acquire().await?.forget();
                Ok(LocalTransactionState::Rollback)
            }
        },
    );
    let mut option = option(&site);
    option.set_check_request_hold_max(2).set_check_thread_pool_max_size(2);
    let producer = TransactionProducer::new(option, listener);
    producer.start().await.unwrap();
    let (_, client) = site.next(RequestCode::HEART_BEAT).await;
    ask(&client, GROUP, None).await;
    ask(&client, GROUP, None).await;
    questions.recv().await.unwrap();
    questions.recv().await.unwrap();
    // Two are being answered, two wait, the others are dropped.
    for _ in 0..5 {
        ask(&client, GROUP, None).await;
    }
    // Sends go on. The answer to this send comes after the questions, on their connection.
    producer.producer().send(Message::new("Orders", "not in a transaction")).await.unwrap();
    gate.add_permits(100);
    for _ in 0..4 {
        let (end, _) = site.next(RequestCode::END_TRANSACTION).await;
        assert_eq!(end_of(&end).commit_or_rollback, 12);
    }
    producer.shutdown().await.unwrap();
    assert_eq!(site.unread_ends(), 0);
}

/// Pushes a reply; returns the client's answer.
async fn push(client: &Connection, correlation_id: &str, sys_flag: i32, body: &[u8]) -> RemotingCommand {
    let header = ReplyMessageRequestHeader {
        producer_group: "replying".into(),
        topic: "C_REPLY_TOPIC".into(),
        sys_flag,
        properties: Some(format!("CORRELATION_ID\u{1}{correlation_id}\u{2}").into()),
        born_host: "127.0.0.1:1".into(),
        store_host: "127.0.0.1:2".into(),
        ..ReplyMessageRequestHeader::default()
    };
    let (code, body) = (RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT, Bytes::copy_from_slice(body));
    client.call(&CommandRef::request(code, &header).with_body(&body), deadline()).await.unwrap()
}

/// Starts a request; returns the broker's connection to the client and the correlation id.
async fn request(site: &Site) -> (Producer, JoinSet<Result<Message, MQClientError>>, Connection, String) {
    let mut option = option(site);
    option.set_send_msg_timeout(500);
    let producer = Producer::new(option);
    producer.start().await.unwrap();
    let asking = producer.clone();
    let mut asked = JoinSet::new();
    asked.spawn(async move { asking.request(Message::new("Orders", "ok?"), 30_000).await });
    // The broker can only push to clients that it knows: the heartbeat comes first, on this connection.
    let (_, known) = site.next(RequestCode::HEART_BEAT).await;
    let (sent, client) = site.next(RequestCode::SEND_MESSAGE_V2).await;
    assert_eq!(known.id(), client.id());
    let header = SendMessageRequestHeader::decode(RequestCode::SEND_MESSAGE_V2, &sent.ext_fields).unwrap();
    let properties = header.properties.unwrap();
    let (_, rest) = properties.split_once("CORRELATION_ID\u{1}").unwrap();
    let correlation_id = rest.split_once('\u{2}').unwrap().0.to_owned();
    (producer, asked, client, correlation_id)
}

#[tokio::test]
async fn every_pushed_reply_is_acknowledged_and_the_right_one_is_delivered() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let (_producer, mut asked, client, correlation_id) = request(&site).await;
    assert_eq!(push(&client, "unknown", 0, b"for nobody").await.code, ResponseCode::SUCCESS.0);
    let push_nothing = CommandRef::request(RequestCode::PUSH_REPLY_MESSAGE_TO_CLIENT, &NoHeader);
    let broken = client.call(&push_nothing, deadline()).await.unwrap();
    assert_eq!((broken.code, broken.remark()), (1, "process reply message fail"));
    assert_eq!(push(&client, &correlation_id, 0, b"yes").await.code, ResponseCode::SUCCESS.0);
    assert_eq!(push(&client, &correlation_id, 0, b"twice").await.code, ResponseCode::SUCCESS.0);
    assert_eq!(asked.join_next().await.unwrap().unwrap().unwrap().body(), "yes");
    let of_consumers = CommandRef::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, &NoHeader);
    let unknown = client.call(&of_consumers, deadline()).await.unwrap();
    assert_eq!(unknown.code, ResponseCode::REQUEST_CODE_NOT_SUPPORTED.0);
}

#[tokio::test]
async fn a_reply_that_cannot_be_inflated_is_an_error_that_says_so() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let (_producer, mut asked, client, correlation_id) = request(&site).await;
    assert_eq!(push(&client, &correlation_id, 0x301, b"no zlib").await.code, ResponseCode::SUCCESS.0);
    let error = asked.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, MQClientError::BadReply { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::MaybeStored);
}

#[tokio::test]
async fn a_shutdown_ends_requests_that_wait() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let (producer, mut asked, ..) = request(&site).await;
    // It waits for what is in flight, a request too, for as long as the send time-out.
    let report = producer.shutdown().await.unwrap();
    assert_eq!(report.unfinished_sends, 1);
    let error = asked.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, MQClientError::Abandoned { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::MaybeStored);
}

#[tokio::test]
async fn a_reply_can_be_pushed_by_any_broker_of_the_cluster() {
    let cluster = MockCluster::builder().brokers(3).start().await.unwrap();
    let start = |group: &str| Producer::builder(group).name_server_addr(cluster.name_server_addr()).start();
    let (asking, replying) = (start("asking").await.unwrap(), start("replying").await.unwrap());
    // Requests and replies take turns among the brokers, each at its own pace.
    cluster.create_topic("Requests", 1).unwrap();
    for index in 0..6 {
        let body = format!("question {index}");
        let asked = asking.request(Message::new("Requests", body.clone()), 30_000);
        let replied = async {
            let request = loop {
                let mut stored = cluster.messages("Requests").into_iter();
                match stored.find(|message| message.body() == &body) {
                    Some(request) => break request,
                    None => tokio::time::sleep(Duration::from_millis(2)).await,
                }
            };
            replying.send(reply_message(&request, "answer").unwrap()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(asked, replied);
        assert_eq!(answer.unwrap().body(), "answer");
    }
    let stats = replying.get_stats().unwrap();
    assert_eq!(
        (stats.send_success_count, stats.retry_count),
        (6, 0),
        "no reply found its way only at a second try"
    );
}

#[tokio::test]
async fn questions_to_a_consumer_group_that_is_not_here_are_refused() {
    let site = Site::start(ResponseCode::SUCCESS).await;
    let producer = Producer::new(option(&site));
    producer.start().await.unwrap();
    producer.send(Message::new("Orders", "order")).await.unwrap();
    let (_, client) = site.next(RequestCode::SEND_MESSAGE_V2).await;
    for (code, field) in [
        (RequestCode::GET_CONSUMER_STATUS_FROM_CLIENT, "group"),
        (RequestCode::GET_CONSUMER_RUNNING_INFO, "consumerGroup"),
        (RequestCode::CONSUME_MESSAGE_DIRECTLY, "consumerGroup"),
    ] {
        let fields = [(field, "elsewhere")].into_iter().collect();
        let question = CommandRef::request(code, &NoHeader).with_fields(&fields);
        let answer = client.call(&question, deadline()).await.unwrap();
        assert_eq!(answer.code, 1, "{code}");
        let remark = "The Consumer Group <elsewhere> not exist in this consumer";
        assert_eq!(answer.remark.as_deref(), Some(remark), "{code}");
    }
    producer.shutdown().await.unwrap();
}
