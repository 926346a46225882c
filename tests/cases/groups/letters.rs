//! Dead letters that are counted, read and sent once more.

use rocketmq::admin::{DLQ_RESEND_TIMES, QueuePosition, ResendTo};
use rocketmq::consumer::ConsumeOutcome;
use rocketmq::model::{MessageExt, mix_all};

use super::{Stand, create};
use crate::cases::consumer::support::{Seen, consumer, until};
use crate::cases::support::eventually;
use crate::stage;

/// The only dead letter of a group.
async fn letter(stand: &Stand) -> MessageExt {
    let admin = &stand.site.admin;
    let queues = admin.dead_letter_queues(&stand.group).await.unwrap();
    let [queue] = &queues[..] else { panic!("{queues:?}") };
    let mut letters = admin.read_queue(queue, QueuePosition::Begin, Some(QueuePosition::End));
    letters.next().await.unwrap().unwrap()
}

#[tokio::test]
async fn a_dead_letter_is_counted_read_and_sent_once_more_but_not_in_circles() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "letters").await;
    let (admin, group, seen) = (&stand.site.admin, &*stand.group, Seen::default());
    assert_eq!(admin.count_dead_letters(group).await.unwrap(), 0);
    let collect = seen.clone();
    let fails = |message: &MessageExt| message.property(DLQ_RESEND_TIMES).is_none_or(|times| times == "1");
    let consumer = consumer(name_server, group).subscribe(&stand.topic, "*").listener(move |message, _| {
        let outcome = match &message.body()[..] {
            b"m4" if fails(&message) => ConsumeOutcome::DeadLetter { reason: "no stock".to_owned() },
            _ => ConsumeOutcome::Success,
        };
        collect.add(message);
        std::future::ready(outcome)
    });
    let consumer = consumer.start().await.unwrap();
    let count = async |count: u64| {
        eventually("dead letters", async || {
            (admin.count_dead_letters(group).await.unwrap() == count).then_some(())
        })
        .await;
    };
    count(1).await;
    let first = letter(&stand).await;
    assert_eq!(first.property("DLQ_REASON"), Some("no stock"));

    let resent = admin.resend_dead_letter(&first, ResendTo::RetryTopic, 2).await.unwrap();
    assert_eq!((resent.times, resent.queue.topic()), (1, &*mix_all::retry_topic(group)));
    count(2).await;
    let queue = admin.dead_letter_queues(group).await.unwrap().remove(0);
    let second = stand.site.pull_one(&queue, 1).await;
    assert_eq!((second.property(DLQ_RESEND_TIMES), second.msg_id()), (Some("1"), first.msg_id()));
    let error = admin.resend_dead_letter(&second, ResendTo::RetryTopic, 1).await.unwrap_err().to_string();
    assert!(error.contains("was sent once more 1 times already"), "{error}");
    let resent = admin.resend_dead_letter(&second, ResendTo::OriginalTopic, 2).await.unwrap();
    assert_eq!((resent.times, &resent.queue, resent.queue_offset), (2, &stand.queue, 10));
    until("it is consumed", || seen.counts().get("m4") == Some(&3)).await;
    let last = seen.messages().into_iter().rfind(|message| &message.body()[..] == b"m4").unwrap();
    assert_eq!((last.topic(), last.reconsume_times()), (&*stand.topic, 0));
    assert_eq!(last.msg_id(), first.msg_id());
    assert_eq!(last.property("DLQ_REASON"), None);
    assert_eq!(admin.count_dead_letters(group).await.unwrap(), 2);

    let none = stand.site.pull_one(&stand.queue, 0).await;
    let error = admin.resend_dead_letter(&none, ResendTo::RetryTopic, 1).await.unwrap_err().to_string();
    assert!(error.contains("which holds no dead letters"), "{error}");
    consumer.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_of_an_orderly_group_goes_to_the_original_topic() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "letters_orderly").await;
    let (admin, group, seen) = (&stand.site.admin, &*stand.group, Seen::default());
    create(admin, group).await;
    // A message that a broker takes for a dead letter, as its count is above its maximum.
    let collect = seen.clone();
    let consumer = consumer(name_server, group)
        .option(|option| _ = option.set_max_reconsume_times(0))
        .subscribe(&stand.topic, "*")
        .orderly_listener(move |message, _| {
            let first = &message.body()[..] == b"m0" && message.property(DLQ_RESEND_TIMES).is_none();
            collect.add(message);
            async move {
                use rocketmq::consumer::OrderlyOutcome::{Success, SuspendCurrentQueueAMoment};
                if first { SuspendCurrentQueueAMoment { millis: Some(10) } } else { Success }
            }
        });
    let consumer = consumer.start().await.unwrap();
    seen.wait_for(10).await;
    eventually("the dead letter", async || {
        (admin.count_dead_letters(group).await.unwrap() == 1).then_some(())
    })
    .await;
    let letter = letter(&stand).await;
    let error = admin.resend_dead_letter(&letter, ResendTo::RetryTopic, 5).await.unwrap_err().to_string();
    assert!(error.contains("made a dead letter of") && error.contains("original topic"), "{error}");
    let resent = admin.resend_dead_letter(&letter, ResendTo::OriginalTopic, 5).await.unwrap();
    assert_eq!(resent.queue.topic(), stand.topic);
    until("it is consumed", || seen.counts().get("m0") == Some(&2)).await;
    consumer.shutdown().await.unwrap();
}
