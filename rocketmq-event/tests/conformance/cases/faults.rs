use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rocketmq_event::backend::Notice;
use rocketmq_event::event::FailureKind;
use rocketmq_event::{
    Bus, ConsumerEvent, Context, Event, MessageProducer, Outcome, PublishErrorKind, RetryPolicy,
};
use tokio::sync::Notify;

use crate::lab::{CaseResult, Lab, Order, Seen, consumer, order, recorder, until};

const DEADLINE: Duration = Duration::from_secs(30);

/// A group that exists, so that a broker which routes has a queue for what is published.
async fn make_group(bus: &Bus, lab: &Lab) -> CaseResult {
    let (reader, _seen) = recorder(consumer(bus, lab, "reader"), |_, _| Ok(())).await;
    reader.shutdown(DEADLINE).await?;
    Ok(())
}

pub(crate) async fn survives_a_kill(lab: Lab) -> CaseResult {
    let mut server = lab.fragile().await;
    let server = server.as_mut().ok_or("no server")?;
    let bus = Bus::connect(&server.address()).await?;
    make_group(&bus, &lab).await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let events: Vec<_> = (0..50).map(|number| Event::new(order(number))).collect();
    for result in producer.send_batch(&events).await {
        result?;
    }
    server.kill().await;
    server.restart().await;
    let (reader, mut seen) = recorder(consumer(&bus, &lab, "reader"), |_, _| Ok(())).await;
    let mut all = BTreeSet::new();
    see(&mut seen, &mut all, 50).await;
    assert!(all.into_iter().eq(0..50));
    reader.shutdown(DEADLINE).await?;
    Ok(bus.close().await?)
}

pub(crate) async fn cut_before_the_answer(lab: Lab) -> CaseResult {
    let mut server = lab.fragile().await;
    let server = server.as_mut().ok_or("no server")?;
    let bus = Bus::connect(&server.address()).await?;
    make_group(&bus, &lab).await?;
    let producer = bus.producer(lab.stream.clone()).await?;
    let (mut stored, mut not_stored) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..20 {
        let cuts = server.proxy().cuts();
        if number % 2 == 0 {
            server.proxy().cut_answer()
        } else {
            server.proxy().cut_request()
        }
        // Other traffic may be cut in place of the event; then the event is stored.
        match producer.send(&order(number)).await {
            Ok(_) => _ = stored.insert(number),
            Err(error) => {
                assert_ne!(error.kind(), PublishErrorKind::Closed, "{error:?}");
                if error.outcome() == Outcome::NotStored {
                    not_stored.insert(number);
                }
            }
        }
        until(|| async {
            if server.proxy().cuts() > cuts { Ok(()) } else { Err("nothing is cut".to_owned()) }
        })
        .await;
    }
    // The end of the stream: until it comes all that is stored has come.
    until(|| async { producer.send(&order(1_000)).await.map_err(|error| error.to_string()) }).await;
    let (reader, mut seen) = recorder(consumer(&bus, &lab, "reader"), |_, _| Ok(())).await;
    let mut read = BTreeSet::new();
    while !stored.is_subset(&read) || !read.contains(&1_000) {
        read.insert(seen.next().await.0);
    }
    reader.shutdown(DEADLINE).await?;
    assert!(read.is_disjoint(&not_stored), "{not_stored:?} are not stored, and {read:?} came");
    Ok(bus.close().await?)
}

/// Bytes of this process in memory: now, and at most so far.
fn resident() -> [usize; 2] {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        1_024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    })
}

const FLOOD: u64 = 100_000;
const BODY: usize = 4_096;

pub(crate) async fn back_pressure(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    make_group(&bus, &lab).await?;
    // In a process of its own: other cases need memory as well.
    let mut child = process("a_flood_of_its_own", &lab)?;
    let line = line_of(&mut child, "flooded").await?;
    let more: usize = line.rsplit(' ').next().ok_or("no figure")?.parse()?;
    assert!(child.wait().await?.success());
    let sent = usize::try_from(FLOOD)? * BODY;
    assert!(more < sent / 3, "{more} bytes more, for {sent} bytes of events");
    Ok(bus.close().await?)
}

/// The process of [`back_pressure`].
#[allow(dead_code, reason = "the suite without servers has no processes")]
pub(crate) async fn flood() {
    let (bus, lab) = told().await;
    let producer = bus.producer(lab.stream.clone()).await.unwrap();
    let padding = "x".repeat(BODY);
    let send = |number| {
        let event = Order { number, customer: padding.clone() };
        let producer = &producer;
        // On a busy machine the first thousand give up before their connection is there: a service would send them again.
        async move { until(|| async { producer.send(&event).await.map_err(|error| error.to_string()) }).await }
    };
    let [before, _] = resident();
    let mut sending = pin!(stream::iter(0..FLOOD).map(send).buffer_unordered(1_000));
    while sending.next().await.is_some() {}
    let [_, most] = resident();
    println!("flooded {}", most - before);
    bus.close().await.unwrap();
}

/// This test binary again, for one test that is no test.
fn process(test: &str, lab: &Lab) -> std::io::Result<tokio::process::Child> {
    let address = lab.rig.address().expect("the broker has a process of its own");
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(TOLD, format!("{address} {}", lab.stream));
    command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn()
}

async fn line_of(child: &mut tokio::process::Child, begin: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncBufReadExt, BufReader};

    let output = child.stdout.as_mut().expect("it is piped");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        // The name of the test may stand before it.
        if let Some(place) = line.find(begin) {
            return Ok(line[place..].to_owned());
        }
    }
    Err(std::io::Error::other("the process ended by itself"))
}

async fn told() -> (Bus, Lab) {
    let told = std::env::var(TOLD).expect("this is no test: it is the process of a case");
    let (address, stream) = told.split_once(' ').unwrap();
    let bus = Bus::connect(address).await.unwrap();
    (bus, Lab { rig: Arc::new(crate::rigs::Memory::default()), stream: stream.to_owned() })
}

/// What a process of its own is told by its environment: address and stream.
const TOLD: &str = "EVENTS_TOLD";

pub(crate) async fn kills_its_handler(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    make_group(&bus, &lab).await?;
    bus.producer(lab.stream.clone()).await?.send(&order(7)).await?;
    let mut deaths = 0;
    let letter = loop {
        assert!(deaths <= 10, "it comes for ever");
        let mut queue = bus.backend().dead(&lab.stream, "reader").await?;
        if let Some(letter) = queue.next().await? {
            break letter;
        }
        drop(queue);
        if die_in_a_handler(&lab, &bus).await? {
            deaths += 1;
        }
    };
    let record = letter.envelope.failure.ok_or("no record")?;
    assert_eq!(record.kind, FailureKind::Died, "{record:?}");
    assert!(deaths >= 2, "{deaths} members died");
    Ok(bus.close().await?)
}

/// A member begins to handle the event and ends without a word. False: the event became a dead letter before.
async fn die_in_a_handler(lab: &Lab, bus: &Bus) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let is_dead = || async {
        let mut queue = bus.backend().dead(&lab.stream, "reader").await.unwrap();
        if queue.next().await.unwrap().is_some() { Ok(()) } else { Err("no dead letter".to_owned()) }
    };
    if lab.rig.address().is_none() {
        let member = lab.bus().await;
        let (_consumer, mut seen) = hanging(&member, lab).await;
        return Ok(tokio::select! { _ = seen.next() => true, () = until(is_dead) => false });
    }
    let mut child = process("a_member_of_its_own", lab)?;
    let begun = tokio::select! {
        begun = line_of(&mut child, "handling") => begun.map(|_| true)?,
        () = until(is_dead) => false,
    };
    child.kill().await?;
    Ok(begun)
}

async fn hanging(bus: &Bus, lab: &Lab) -> (rocketmq_event::MessageConsumer, Seen<u64>) {
    let (tell, seen) = Seen::new();
    let handler = move |event: Event<Order>, _: Context| {
        tell.tell(event.data.number);
        std::future::pending()
    };
    let builder = consumer(bus, lab, "reader").retry(RetryPolicy::later(3));
    (builder.on(handler).start().await.unwrap(), seen)
}

/// The process that [`kills_its_handler`] kills.
#[allow(dead_code, reason = "the suite without servers has no processes")]
pub(crate) async fn member() {
    let (bus, lab) = told().await;
    let (_consumer, mut seen) = hanging(&bus, &lab).await;
    println!("handling {}", seen.next().await);
    std::future::pending::<()>().await;
}

/// Publishes until the broker says that it has the event: twice if it is not known whether it had it before.
async fn publish(producer: &MessageProducer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        until(|| async { producer.send(&order(number)).await.map_err(|error| error.to_string()) }).await;
    }
}

async fn see(seen: &mut Seen<(u64, u32)>, all: &mut BTreeSet<u64>, count: usize) {
    while all.len() < count {
        all.insert(seen.next().await.0);
    }
}

async fn notice(events: &mut (impl Stream<Item = ConsumerEvent> + Unpin), wanted: impl Fn(&Notice) -> bool) {
    let next = async {
        while let Some(event) = events.next().await {
            if let ConsumerEvent::Connection(notice) = event
                && wanted(&notice)
            {
                return;
            }
        }
        panic!("the events ended");
    };
    tokio::time::timeout(Duration::from_secs(60), next).await.expect("the notice comes within 60 s");
}

pub(crate) async fn restarts(lab: Lab) -> CaseResult {
    let mut server = lab.fragile().await;
    let server = server.as_mut().ok_or("no server")?;
    let bus = Bus::connect(&server.address()).await?;
    let (tell, mut seen) = Seen::new();
    let finish = Arc::new(Notify::new());
    let wait = finish.clone();
    let handler = move |event: Event<Order>, context: Context| {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            tell.tell((event.data.number, context.attempt()));
            // Its server is killed meanwhile.
            if event.data.number == 30 {
                tokio::select! { () = wait.notified() => {} () = context.cancelled() => {} }
            }
            Ok(())
        }
    };
    let mailer = consumer(&bus, &lab, "mailer").on(handler).start().await?;
    let mut events = pin!(mailer.events());
    let producer = bus.producer(lab.stream.clone()).await?;
    let mut all = BTreeSet::new();
    publish(&producer, 0..10).await;
    see(&mut seen, &mut all, 10).await;

    // Idle.
    server.kill().await;
    notice(&mut events, |notice| matches!(notice, Notice::Lost { .. })).await;
    assert!(!mailer.health().is_connected);
    server.restart().await;
    notice(&mut events, |notice| *notice == Notice::Connected).await;
    publish(&producer, 10..20).await;
    see(&mut seen, &mut all, 20).await;

    // While events are sent.
    server.kill().await;
    tokio::join!(publish(&producer, 20..30), server.restart());
    see(&mut seen, &mut all, 30).await;

    // While an event is handled.
    publish(&producer, 30..31).await;
    see(&mut seen, &mut all, 31).await;
    server.kill().await;
    finish.notify_one();
    server.restart().await;
    // The event of the handler may come again: its acknowledgement did not reach the server.
    finish.notify_one();
    publish(&producer, 31..40).await;
    let again = async {
        loop {
            finish.notify_one();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! { () = see(&mut seen, &mut all, 40) => {} () = again => {} }
    assert!(all.into_iter().eq(0..40));
    assert!(mailer.shutdown(DEADLINE).await?.is_clean());
    Ok(bus.close().await?)
}
