//! Streams over a queue whose messages are deleted or damaged, and whose broker is away, on paused time.

use std::time::Duration;

use rocketmq::admin::{MQAdmin, QueuePosition, QueueStream};
use rocketmq::client::MQClient;
use rocketmq::conf::{AdminOption, ClientOption};
use rocketmq::error::{MQClientError, RecordError, ResponseCode};
use rocketmq::model::{Bytes, MessageQueue};
use rocketmq_namesrv_mock::{AnswerChange, Fault, FaultAction, RecordDamage};
use rocketmq_remoting::protocol::RequestCode;
use tokio::time::{Instant, timeout};

use crate::faults::support::{Site, TOPIC, simulate};

/// A queue with messages `0`, `1` …, and an admin.
async fn scene(count: usize) -> (Site, MQAdmin, MessageQueue) {
    let site = Site::new(1, 1).await;
    site.send(count).await;
    let admin = admin(&site).await;
    let queue = admin.message_queues(TOPIC).await.unwrap().remove(0);
    (site, admin, queue)
}

async fn admin(site: &Site) -> MQAdmin {
    let mut option = AdminOption::default();
    option.set_name_server_addr(site.cluster.name_server_addr());
    option.set_transport(std::sync::Arc::new(site.network.clone()));
    MQAdmin::with_option(&option).await.unwrap()
}

/// The number of pulls so far.
fn pulls(site: &Site) -> usize {
    site.cluster.requests().iter().filter(|request| request.code == RequestCode::PULL_MESSAGE).count()
}

/// The offset of the next message.
async fn offset(stream: &mut QueueStream) -> i64 {
    stream.next().await.expect("it has not ended").expect("a message").queue_offset()
}

fn deleted(item: Option<Result<rocketmq::model::MessageExt, MQClientError>>) -> (i64, i64) {
    match item {
        Some(Err(MQClientError::MessagesDeleted { from, to, .. })) => (from, to),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_beginning_that_was_deleted_is_told_before_the_first_message_that_is_left() {
    simulate(async {
        let (site, admin, queue) = scene(100).await;
        site.cluster.trim_queue(&queue, 40).unwrap();
        let mut stream = admin.read_queue(&queue, QueuePosition::Offset(10), Some(QueuePosition::End));
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the messages from 10 to 39 of {queue} were deleted: reading goes on at 40")
        );
        assert_eq!((error.broker(), error.is_retryable()), (Some("broker-a"), false));
        for expected in 40..100 {
            assert_eq!(offset(&mut stream).await, expected);
        }
        assert!(stream.next().await.is_none());

        // All of it is gone.
        let mut stream = admin.read_queue(&queue, QueuePosition::Offset(10), Some(QueuePosition::Offset(20)));
        assert_eq!(deleted(stream.next().await), (10, 20));
        assert!(stream.next().await.is_none());
        let mut stream = admin.read_queue(&queue, QueuePosition::Begin, None);
        assert_eq!(offset(&mut stream).await, 40, "who asks for the first message that is left gets it");
    });
}

#[test]
fn a_slow_reader_is_told_what_was_deleted_in_front_of_it() {
    simulate(async {
        let (site, admin, queue) = scene(100).await;
        let mut stream = admin.read_queue(&queue, QueuePosition::Begin, None);
        assert_eq!(offset(&mut stream).await, 0);
        site.cluster.trim_queue(&queue, 90).unwrap();
        for expected in 1..32 {
            assert_eq!(offset(&mut stream).await, expected, "what was fetched is read");
        }
        assert_eq!(deleted(stream.next().await), (32, 90));
        assert_eq!(offset(&mut stream).await, 90);
    });
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_in_its_place() {
    simulate(async {
        let (site, admin, queue) = scene(10).await;
        let change = AnswerChange::new().damage(3, RecordDamage::Crc);
        site.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, FaultAction::ChangeAnswer(change)));
        let mut stream = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
        let mut read = Vec::new();
        while let Some(item) = stream.next().await {
            match item {
                Ok(message) => read.push(message.queue_offset()),
                Err(MQClientError::BadAnswer { source, context, .. }) => {
                    assert!(source.downcast_ref::<RecordError>().is_some(), "{source}");
                    assert_eq!(context.queue(), Some(&queue));
                    read.push(-1);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(read, [0, 1, 2, -1, 4, 5, 6, 7, 8, 9]);
    });
}

#[test]
fn a_broker_that_is_away_is_told_each_time_and_the_stream_goes_on_at_its_place() {
    simulate(async {
        let (site, admin, queue) = scene(40).await;
        let mut stream = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
        for expected in 0..32 {
            assert_eq!(offset(&mut stream).await, expected);
        }
        site.cluster.stop_broker("broker-a").await.unwrap();
        let began = Instant::now();
        for _ in 0..5 {
            stream.next().await.unwrap().expect_err("nobody answers");
        }
        assert!(began.elapsed() >= Duration::from_secs(4), "a pause before each try: {:?}", began.elapsed());
        site.cluster.start_broker("broker-a").await.unwrap();
        let mut next = stream.next().await.unwrap();
        while next.is_err() {
            next = stream.next().await.unwrap();
        }
        assert_eq!(next.unwrap().queue_offset(), 32);
        for expected in 33..40 {
            assert_eq!(offset(&mut stream).await, expected);
        }
        assert!(stream.next().await.is_none(), "its end is that of its beginning");
    });
}

#[test]
fn waiting_for_a_message_costs_few_requests_and_a_filter_that_cannot_be_read_ends_the_stream() {
    simulate(async {
        let (site, admin, queue) = scene(0).await;
        let mut stream = admin.read_queue(&queue, QueuePosition::Begin, None);
        assert!(timeout(Duration::from_secs(3600), stream.next()).await.is_err());
        let pulls_of_an_hour = pulls(&site);
        assert!(
            (100..300).contains(&pulls_of_an_hour),
            "{pulls_of_an_hour} in an hour: brokers hold them for 15 s"
        );
        site.send(1).await;
        assert_eq!(offset(&mut stream).await, 0);

        // A broker that answers at once and brings nothing, as a slave that is behind its master does.
        let fields =
            [("suggestWhichBrokerId", "0"), ("nextBeginOffset", "1"), ("minOffset", "0"), ("maxOffset", "1")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (code, remark) = (ResponseCode::PULL_RETRY_IMMEDIATELY, "OFFSET_OVERFLOW_BADLY".to_owned());
        let at_once = FaultAction::Answer { code, remark, fields, body: Bytes::new() };
        site.cluster.inject(Fault::on(RequestCode::PULL_MESSAGE, at_once));
        let before = pulls(&site);
        assert!(timeout(Duration::from_secs(60), stream.next()).await.is_err());
        let count = pulls(&site) - before;
        assert!((50..70).contains(&count), "{count} in a minute");

        let sql = rocketmq::consumer::MessageSelector::by_sql("amount >");
        let mut stream = admin.read_queue_matching(&queue, sql, QueuePosition::Begin, None);
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.response_code(), Some(ResponseCode::SYSTEM_ERROR));
        assert!(error.to_string().contains("does not support"), "{error}");
        assert!(stream.next().await.is_none());
    });
}

#[test]
fn a_stream_ends_when_its_client_is_shut_down() {
    simulate(async {
        let (site, _, queue) = scene(1).await;
        let mut option = ClientOption::default();
        option.set_name_server_addr(site.cluster.name_server_addr());
        option.set_transport(std::sync::Arc::new(site.network.clone()));
        let client = MQClient::new(option);
        client.start().await.unwrap();
        let mut stream = client.admin().read_queue(&queue, QueuePosition::Begin, None);
        assert_eq!(offset(&mut stream).await, 0);
        client.shutdown().await.unwrap();
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, MQClientError::ShutDown { .. }), "{error}");
        assert!(stream.next().await.is_none());
    });
}
