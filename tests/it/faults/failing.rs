use std::sync::Arc;
use std::time::Duration;

use rocketmq::consumer::{ConsumeContext, ConsumeFailure, ConsumerEvent};
use rocketmq::model::{MessageExt, mix_all};
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::sleep;

use super::checker::Rules;
use super::support::{GROUP, Site, ends_cleanly, simulate, until};
use super::table::{Row, seen};

/// The listener fails at the message with this body.
const BAD: &str = "7";

async fn fails_at_bad(message: Arc<MessageExt>, _: ConsumeContext) -> Result<(), ConsumeFailure> {
    if message.body() == BAD.as_bytes() { Err("this message cannot be handled".into()) } else { Ok(()) }
}

/// No broker takes a message back: neither given back (36) nor sent to the retry topic.
fn nothing_taken_back(site: &Site, action: &FaultAction) {
    site.cluster.inject(Fault::on(RequestCode::CONSUMER_SEND_MSG_BACK, action.clone()));
    site.cluster.inject(Fault::on_sends(action.clone()).topic(mix_all::retry_topic(GROUP)));
}

#[test]
fn c10_a_message_that_no_broker_takes_back_and_a_process_that_dies_then() {
    simulate(async {
        let mut told = Vec::new();
        let refused =
            FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "out of order".to_owned() };
        for (name, action) in [("refused", refused), ("unanswered", FaultAction::DropRequest)] {
            let site = Site::new(1, 2).await;
            nothing_taken_back(&site, &action);
            let first =
                site.member().listener(site.record.listener("first", fails_at_bad)).start().await.unwrap();
            let mut events = first.events();
            site.send(40).await;
            until("all but one", || site.record.done() == 39).await;
            sleep(Duration::from_secs(300)).await;
            let bad = site.record.runs().into_iter().find(|run| run.body == BAD).unwrap();
            assert_eq!(site.committed()[&bad.queue], bad.offset, "{name}: its offset stands");
            let failures = std::iter::from_fn(|| events.try_next())
                .filter(|event| matches!(event, ConsumerEvent::SendBackFailed { .. }))
                .count();
            assert!((5..=60).contains(&failures), "{name}: {failures} in 300 s");
            site.check(&Rules { is_under_way: true, ..Rules::default() });

            // The process dies. The next member sees the message, and what its queue has behind it.
            drop(first);
            let behind = site
                .record
                .runs()
                .iter()
                .filter(|run| run.queue == bad.queue && run.offset > bad.offset)
                .count();
            site.cluster.clear_faults();
            let second = site.start("second", Duration::from_millis(1)).await;
            site.all_done().await;
            let again =
                site.record.runs().iter().filter(|run| &*run.member == "second" && run.id == bad.id).count();
            assert_eq!(again, 1, "{name}");
            let verdict = site.check(&Rules::default());
            assert!(verdict.duplicates <= behind + 1, "{name}: {verdict:?}, {behind} behind it");
            ends_cleanly(second).await;
            told.push(format!(
                "{name}: {failures} events in 300 s, the offset stands, {} of {behind} behind it again",
                verdict.duplicates
            ));
        }

        // Brokers take messages back again: it comes again by the retry topic, and the offset passes.
        let site = Site::new(1, 2).await;
        nothing_taken_back(
            &site,
            &FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: String::new() },
        );
        let failing = std::sync::atomic::AtomicBool::new(true);
        let failing = Arc::new(failing);
        let fails = failing.clone();
        let consumer = site.member().listener(site.record.listener("first", move |message, context| {
            let fails = fails.load(std::sync::atomic::Ordering::Relaxed);
            async move { if fails { fails_at_bad(message, context).await } else { Ok(()) } }
        }));
        let consumer = consumer.start().await.unwrap();
        site.send(40).await;
        until("all but one", || site.record.done() == 39).await;
        sleep(Duration::from_secs(30)).await;
        site.cluster.clear_faults();
        failing.store(false, std::sync::atomic::Ordering::Relaxed);
        site.all_done().await;
        let verdict = site.check(&Rules::default());
        assert_eq!(verdict.duplicates, 0, "{verdict:?}");
        ends_cleanly(consumer).await;
        seen(Row::C10, told.join("; "));
    });
}
