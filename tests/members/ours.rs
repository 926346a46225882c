//! The program with this project's client.

use std::collections::HashMap;
use std::env;
use std::io::Write;
use std::process::{Command, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rocketmq::consumer::strategy::{
    AllocateMachineRoomNearby, AllocateMessageQueueAveragely, AllocateMessageQueueAveragelyByCircle,
    AllocateMessageQueueByConfig, AllocateMessageQueueByMachineRoom, AllocateMessageQueueConsistentHash,
    AllocateMessageQueueStrategy, MachineRoomResolver,
};
use rocketmq::consumer::{
    ConsumeFromWhere, ConsumeOutcome, MessageModel, OrderlyOutcome, PullConsumer, PullConsumerHandle,
    PushConsumer,
};
use rocketmq::model::{MessageExt, MessageQueue};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

const NAME_SERVER: &str = "ROCKETMQ_MEMBERS_OF";

/// One address everywhere, because strategies look at the ids of members, and the file of a broadcast member is named after it.
const CLIENT_IP: &str = "10.0.0.1";

/// How long popped messages are invisible, in ms: what a member has that is killed comes again then.
const POP_INVISIBLE: u64 = 10_000;

/// The command that starts this test binary again, to run [`serve`].
pub(crate) fn program(name_server: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("the path of this test"));
    command.args(["members::ours::serve", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(NAME_SERVER, name_server);
    command
}

#[test]
#[ignore = "not a test: the process with members of groups"]
fn serve() {
    // Without the variable somebody runs all ignored tests.
    let Ok(name_server) = env::var(NAME_SERVER) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("start a runtime");
    let (tell, mut lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = tell.blocking_send(line);
        }
        // Whoever holds the other end is gone.
        exit(0);
    });
    runtime.block_on(async {
        let mut members: HashMap<String, (Member, String)> = HashMap::new();
        while let Some(line) = lines.recv().await {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["join", name, ..] => {
                    members.insert(name.to_owned(), join(&name_server, name, &words[2..]).await);
                    say(&format!("joined {name}"));
                }
                ["queues", name] => {
                    let (member, topic) = &members[name];
                    let queues = member.assignment().into_iter().filter(|queue| queue.topic() == topic);
                    let queues = queues.map(|queue| format!(" {}:{}", queue.broker_name(), queue.queue_id()));
                    say(&format!("queues {name}{}", queues.collect::<String>()));
                }
                ["leave", name] => {
                    let (member, _) = members.remove(name).expect("it has joined");
                    member.leave().await;
                    say(&format!("left {name}"));
                }
                _ => panic!("{line}"),
            }
        }
    });
}

/// A consumer that runs.
enum Member {
    Pushed(PushConsumer),
    /// The task ends with the consumer when it is told to.
    Polling {
        handle: PullConsumerHandle,
        leaves: Arc<AtomicBool>,
        task: JoinHandle<PullConsumer>,
    },
}

impl Member {
    /// The queues that it has now, of all topics.
    fn assignment(&self) -> Vec<MessageQueue> {
        match self {
            Self::Pushed(consumer) => consumer.assignment(),
            Self::Polling { handle, .. } => handle.assignment(),
        }
    }

    /// What it handled is committed when this returns.
    async fn leave(self) {
        let report = match self {
            Self::Pushed(consumer) => consumer.shutdown().await,
            Self::Polling { leaves, task, .. } => {
                leaves.store(true, Ordering::Relaxed);
                let consumer = task.await.expect("no panic");
                consumer.commit().await.expect("committed");
                consumer.shutdown().await
            }
        };
        let report = report.expect("it runs");
        assert!(report.is_clean(), "{report:?}");
    }
}

async fn join(name_server: &str, name: &str, words: &[&str]) -> (Member, String) {
    let settings: HashMap<&str, &str> = words.iter().filter_map(|word| word.split_once('=')).collect();
    if settings["kind"] == "pull" {
        return (poll(name_server, name, &settings).await, settings["topic"].to_owned());
    }
    let number = |key: &str| settings[key].parse::<u64>().expect("a number");
    let (topic, kind, work) =
        (settings["topic"].to_owned(), settings["kind"], Duration::from_millis(number("work")));
    let builder = PushConsumer::builder(settings["group"]).name_server_addr(name_server).option(|option| {
        option
            .set_consume_from_where(ConsumeFromWhere::First)
            .set_client_ip(CLIENT_IP)
            .set_persist_offset_interval(number("persist"))
            .set_start_timeout(60_000)
            .set_enable_trace(settings["trace"] == "true");
        option.set_max_reconsume_times(u32::try_from(number("max")).expect("a small number"));
        match kind {
            "pop" => {
                option
                    .set_client_rebalance(false)
                    .set_pop_invisible_time(POP_INVISIBLE)
                    .set_instance_name(name);
            }
            // The instance keeps its name, so that the member finds its file again.
            "broadcast" => _ = option.set_message_model(MessageModel::Broadcasting),
            _ => _ = option.set_instance_name(name),
        }
    });
    let builder = builder.subscribe(&topic, "*").option(|option| {
        option.set_allocate_message_queue_strategy(strategy(settings["strategy"], &topic));
    });
    let name: Arc<str> = name.into();
    let member = match kind {
        "orderly" => builder.orderly_listener(move |message, _| {
            let name = name.clone();
            async move {
                match handle(&name, &message, work).await {
                    true => OrderlyOutcome::Success,
                    false => OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None },
                }
            }
        }),
        _ => builder.listener(move |message, _| {
            let name = name.clone();
            async move {
                match handle(&name, &message, work).await {
                    true => ConsumeOutcome::Success,
                    false => ConsumeOutcome::Later { delay_level: Some(1) },
                }
            }
        }),
    };
    (Member::Pushed(member.start().await.unwrap_or_else(|error| panic!("{error}"))), topic)
}

/// A pull consumer, with a task that polls.
async fn poll(name_server: &str, name: &str, settings: &HashMap<&str, &str>) -> Member {
    let builder = PullConsumer::builder(settings["group"]).name_server_addr(name_server);
    let builder = builder.subscribe(settings["topic"], "*").option(|option| {
        option
            .set_consume_from_where(ConsumeFromWhere::First)
            .set_client_ip(CLIENT_IP)
            .set_instance_name(name)
            .set_persist_offset_interval(settings["persist"].parse().expect("a number"))
            .set_start_timeout(60_000)
            .set_enable_trace(settings["trace"] == "true");
    });
    let mut consumer = builder.start().await.unwrap_or_else(|error| panic!("{error}"));
    let (handle, leaves) = (consumer.handle(), Arc::new(AtomicBool::new(false)));
    let (name, stop) = (name.to_owned(), leaves.clone());
    let task = tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            for message in consumer.poll(Duration::from_millis(100)).await.expect("it runs") {
                self::handle(&name, &message, Duration::ZERO).await;
            }
        }
        consumer
    });
    Member::Polling { handle, leaves, task }
}

/// Handles a message as the twin in Java does, and says so. Returns whether it did not fail.
async fn handle(name: &str, message: &MessageExt, work: Duration) -> bool {
    let began = micros();
    if !work.is_zero() {
        tokio::time::sleep(work).await;
    }
    let (body, times) = (String::from_utf8_lossy(message.body()), message.reconsume_times());
    say(&format!(
        "done {name} {} {} {} {times} {began} {} {body}",
        message.topic(),
        message.queue_id(),
        message.queue_offset(),
        micros()
    ));
    !(body.starts_with("always") || body.starts_with("once") && times == 0)
}

fn strategy(text: &str, topic: &str) -> Arc<dyn AllocateMessageQueueStrategy> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts[..] {
        ["avg"] => Arc::new(AllocateMessageQueueAveragely),
        ["circle"] => Arc::new(AllocateMessageQueueAveragelyByCircle),
        ["hash"] => Arc::new(AllocateMessageQueueConsistentHash::default()),
        ["room", room] => Arc::new(AllocateMessageQueueByMachineRoom::new([room])),
        ["nearby"] => Arc::new(AllocateMachineRoomNearby::new(AllocateMessageQueueAveragely, Rooms)),
        ["config", broker, ids] => {
            let ids = ids.split(',').map(|id| id.parse().expect("a queue's number"));
            Arc::new(AllocateMessageQueueByConfig::new(ids.map(|id| MessageQueue::new(topic, broker, id))))
        }
        _ => panic!("no strategy: {text}"),
    }
}

/// Brokers are in the room of the last letter of their name, members in that of their first.
#[derive(Debug)]
struct Rooms;

impl MachineRoomResolver for Rooms {
    fn broker_deploy_in(&self, queue: &MessageQueue) -> Option<String> {
        queue.broker_name().chars().last().map(String::from)
    }

    fn consumer_deploy_in(&self, client_id: &str) -> Option<String> {
        client_id.split('@').nth(1)?.chars().next().map(String::from)
    }
}

/// Prints a line at once: a kill loses nothing that was said.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "@ {line}").and_then(|()| out.flush());
    written.expect("the other end reads");
}

fn micros() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_micros() as u64
}
