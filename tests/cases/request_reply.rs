//! Requests and their replies. The replying side pulls the request, or is a consumer whose listener replies.

use std::time::Duration;

use rocketmq::consumer::{ConsumeFailure, ConsumeOutcome};
use rocketmq::error::{MQClientError, Outcome};
use rocketmq::model::{Message, MessageExt, MessageQueue, SendStatus};
use rocketmq::producer::reply_message;
use rocketmq_remoting::protocol::ResponseCode;

use super::consumer::support::{consumer, fresh_group};
use super::support::{Site, fresh_topic};
use crate::stage;

/// A topic with one queue.
async fn requests(site: &Site) -> (String, MessageQueue) {
    let topic = site.create("requests", 1).await;
    let queues = site.producer.fetch_publish_message_queues(&topic).await.expect("queues");
    (topic, queues.into_iter().next().expect("there is one"))
}

/// Replies to the request at an offset.
async fn reply(site: &Site, queue: &MessageQueue, offset: i64) -> MessageExt {
    let request = site.pull_one(queue, offset).await;
    let body = [b"re: ", &request.body()[..]].concat();
    let mut reply = reply_message(&request, body).expect("it is a request");
    reply.set_tags("answer");
    reply.put_property("of", request.msg_id());
    let sent = site.producer.send(reply).await.expect("the reply is stored and pushed");
    assert_eq!(sent.send_status, SendStatus::SendOk);
    request
}

#[tokio::test]
async fn a_request_gets_its_reply() {
    let name_server = &*stage::name_server().await;
    let (asking, replying) = (Site::new(name_server).await, Site::new(name_server).await);
    let (topic, queue) = requests(&replying).await;
    // The second is large enough to be compressed, both ways.
    for (offset, body) in ["what time is it?".to_owned(), "why? ".repeat(10_000)].into_iter().enumerate() {
        let request = Message::new(topic.as_str(), body.clone()).with_keys("k");
        // Nothing was sent before: the broker has to be told who asks.
        let (answer, request) =
            tokio::join!(asking.producer.request(request, 20_000), reply(&replying, &queue, offset as i64));
        let answer = answer.expect("a reply");
        assert!(answer.body() == &format!("re: {body}"));
        assert_eq!((answer.tags(), answer.property("of")), (Some("answer"), Some(request.msg_id())));
        let correlation_id = request.property("CORRELATION_ID");
        assert!(correlation_id.is_some() && answer.property("CORRELATION_ID") == correlation_id);
        assert!(answer.property("ARRIVE_TIME").is_some());
        assert_eq!((request.keys(), request.property("TTL")), (Some("k"), Some("20000")));
    }
    let stats = asking.producer.get_stats().expect("the producer runs");
    assert_eq!((stats.send_success_count, stats.send_failure_count), (2, 0));
}

#[tokio::test]
async fn many_requests_at_once_get_their_own_replies() {
    let name_server = &*stage::name_server().await;
    let (asking, replying) = (Site::new(name_server).await, Site::new(name_server).await);
    let (topic, queue) = requests(&replying).await;
    let mut asked = tokio::task::JoinSet::new();
    for index in 0..40 {
        let (producer, topic) = (asking.producer.clone(), topic.clone());
        asked.spawn(async move {
            let body = format!("question {index}");
            let answer = producer.request(Message::new(topic, body.clone()), 20_000).await;
            assert_eq!(answer.expect("a reply").body(), &format!("re: {body}"));
        });
    }
    for offset in 0..40 {
        reply(&replying, &queue, offset).await;
    }
    while let Some(done) = asked.join_next().await {
        done.expect("each got its reply");
    }
}

#[tokio::test]
async fn no_reply_in_time_says_where_the_request_is() {
    let name_server = &*stage::name_server().await;
    let (asking, replying) = (Site::new(name_server).await, Site::new(name_server).await);
    let (topic, queue) = requests(&replying).await;
    // Brokers and topic are known, so that the time goes into waiting.
    asking.producer.send(Message::new(topic.as_str(), "first")).await.expect("sent");
    let error = asking.producer.request(Message::new(topic.as_str(), "anyone?"), 2000).await;
    let error = error.expect_err("nobody replies");
    let MQClientError::NoReply { request, timeout, .. } = &error else { panic!("{error}") };
    assert_eq!((&request.message_queue, request.queue_offset), (&queue, 1));
    assert_eq!((*timeout, error.outcome()), (Duration::from_secs(2), Outcome::MaybeStored));
    // The client acknowledges a late reply too: without that, sending the reply would fail.
    let stored = reply(&replying, &queue, 1).await;
    assert_eq!(stored.msg_id(), request.msg_id);
}

#[tokio::test]
async fn a_reply_to_someone_who_has_left() {
    let name_server = &*stage::name_server().await;
    let (asking, replying) = (Site::new(name_server).await, Site::new(name_server).await);
    let (topic, queue) = requests(&replying).await;
    let request = asking.producer.request(Message::new(topic.as_str(), "quick?"), 500).await;
    request.expect_err("nobody replies");
    asking.producer.shutdown().await.expect("it shuts down");
    let request = replying.pull_one(&queue, 0).await;
    let late = reply_message(&request, "too late").expect("it is a request");
    let error = replying.producer.send(late).await.expect_err("nobody is there");
    assert_eq!(error.response_code(), Some(ResponseCode::SYSTEM_ERROR), "{error}");
}

#[tokio::test]
async fn the_listener_of_a_consumer_replies_and_may_fail_before() {
    let name_server = &*stage::name_server().await;
    let (asking, replying) = (Site::new(name_server).await, Site::new(name_server).await);
    let (topic, _) = requests(&replying).await;
    let replier = replying.producer.clone();
    let consumer = consumer(name_server, &fresh_group("replier")).subscribe(&topic, "*");
    let consumer = consumer.listener(move |request, context| {
        let replier = replier.clone();
        async move {
            if request.body() == "fails once" && context.reconsume_times == 0 {
                return Ok(ConsumeOutcome::Later { delay_level: Some(1) });
            }
            let body = [b"re: ", &request.body()[..]].concat();
            replier.send(reply_message(&request, body)?).await?;
            Ok::<_, ConsumeFailure>(ConsumeOutcome::Success)
        }
    });
    let consumer = consumer.start().await.expect("started");
    let ask = |body: &'static str| {
        let request = Message::new(topic.as_str(), body);
        async { asking.producer.request(request, 60_000).await.expect("a reply") }
    };
    // A request that came back from the retry topic still says who waits for its reply.
    let answers = tokio::join!(ask("one"), ask("fails once"), ask("other"));
    let bodies = [&answers.0, &answers.1, &answers.2]
        .map(|answer| String::from_utf8_lossy(answer.body()).into_owned());
    assert_eq!(bodies, ["re: one", "re: fails once", "re: other"]);
    assert!(consumer.shutdown().await.expect("shut down").is_clean());
}

#[tokio::test]
async fn requests_in_a_namespace() {
    let name_server = &*stage::name_server().await;
    let spaced = |option: &mut rocketmq::conf::ProducerOption| {
        option.set_namespace("MQ_INST_1");
    };
    let (asking, replying) = (Site::with(name_server, spaced).await, Site::with(name_server, spaced).await);
    let topic = fresh_topic("spaced_requests");
    let wrapped = format!("MQ_INST_1%{topic}");
    replying.create_topic(&wrapped, 1).await;
    let queue = replying.producer.fetch_publish_message_queues(&topic).await.expect("queues").remove(0);
    let queue = MessageQueue::new(wrapped, queue.shared_broker_name().clone(), queue.queue_id());
    let request = Message::new(topic.as_str(), "question");
    let (answer, _) = tokio::join!(asking.producer.request(request, 20_000), reply(&replying, &queue, 0));
    assert_eq!(answer.expect("a reply").body(), "re: question");
}
