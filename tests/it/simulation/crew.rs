//! The consumers of a run.

use std::sync::Arc;
use std::time::Duration;

use rocketmq::conf::ConsumerOption;
use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, MessageModel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::line::Line;
use super::listeners::Duty;
use super::log::{Log, What};
use super::plan::{GROUP, Kind, Mode, OTHER, TOPIC};
use super::seat::Seat;
use super::world::World;

/// How long a handler may go on after its time.
pub(super) const GRACE: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(10);
pub(super) const SHUTDOWN: Duration = Duration::from_secs(20);
/// A start or a shutdown may take so much longer than its limit.
const TICK: Duration = Duration::from_millis(500);

/// A consumer that runs.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: usize,
    pub(super) consumer: Seat,
    pub(super) line: Line,
    reader: Option<JoinHandle<()>>,
}

fn option(world: &World, id: usize, line: &Line) -> ConsumerOption {
    let plan = &world.plan;
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
    let mut option = ConsumerOption::default();
    option.set_name_server_addr(world.cluster.name_server_addr()).set_group_name(GROUP);
    option.set_transport(Arc::new(line.clone()));
    option.set_client_ip("10.0.0.1").set_instance_name(format!("m{id}"));
    option.set_consume_from_where(plan.from).set_consume_concurrency(plan.concurrency);
    option.set_consume_message_batch_max_size(plan.batch);
    option.set_max_reconsume_times(plan.max_reconsume_times);
    option.set_persist_offset_interval(ms(plan.persist)).set_consume_timeout(ms(plan.consume_timeout));
    option.set_timeout_grace(ms(GRACE)).set_suspend_current_queue_time(300);
    option.set_pull_threshold_for_queue(plan.threshold).set_pull_batch_size(plan.pull_batch);
    option.set_start_timeout(ms(START)).set_undecodable(plan.undecodable);
    match plan.kind {
        Kind::Push => {}
        Kind::Pull => _ = option.set_auto_commit(!plan.by_hand),
        Kind::Pop => {
            option.set_client_rebalance(false).set_pop_invisible_time(ms(plan.invisible));
            option.set_pop_batch_nums(plan.pull_batch);
        }
    }
    if plan.mode == Mode::Broadcast {
        option.set_message_model(MessageModel::Broadcasting);
        option.set_local_offset_store_dir(world.dir.to_string_lossy());
    }
    option
}

/// Adds a consumer to the group. Tries until its start succeeds.
pub(super) async fn join(world: Arc<World>) {
    let id = world.next_member();
    let line = Line::new(&world.network);
    let duty = Duty { plan: world.plan.clone(), log: world.log.clone(), member: id };
    let (consumer, reader) = Seat::new(option(&world, id, &line), Arc::new(duty));
    tokio::spawn(note_events(world.clone(), id, consumer.events()));
    if world.plan.assigns {
        world.assign(&consumer).await.unwrap();
    } else {
        consumer.subscribe(TOPIC, world.plan.selector()).await.unwrap();
        if world.wants_other() {
            consumer.subscribe(OTHER, "*").await.unwrap();
        }
    }
    world.log.note(format_args!("m{id} starts"));
    let late = loop {
        let began = Instant::now();
        let started = consumer.start().await;
        if began.elapsed() > START + TICK {
            world.log.problem(format_args!("L1: the start of m{id} took {:?}", began.elapsed()));
        }
        match started {
            Ok(()) => break began.elapsed() >= START,
            Err(error) => world.log.note(format_args!("m{id} does not start: {error}")),
        }
        sleep(Duration::from_secs(1)).await;
    };
    world.note_start(id, late);
    world.members().push(Member { id, consumer, line, reader });
}

/// Notes what a consumer tells. Ends with it.
async fn note_events(world: Arc<World>, member: usize, mut events: ConsumerEvents) {
    let log = world.log.clone();
    drop(world);
    while let Some(event) = events.next().await {
        let queue = event.queue().cloned();
        match &event {
            ConsumerEvent::Assigned { queues, .. } => {
                log.add(What::Taken { member, queues: queues.clone() });
            }
            ConsumerEvent::OffsetReset { .. }
            | ConsumerEvent::OffsetCorrected { .. }
            | ConsumerEvent::LockRegained { .. } => {
                log.add(What::Taken { member, queues: queue.into_iter().collect() });
            }
            ConsumerEvent::MessageSkipped { message, .. } => {
                log.add(What::Skipped { member, queue: message.queue.clone(), offset: message.offset });
            }
            _ => {}
        }
        // Texts of errors name ids, which differ from run to run.
        log.note(format_args!("m{member} tells {}", words(&event)));
    }
}

/// The name of an event, and its queue.
fn words(event: &ConsumerEvent) -> String {
    let text = format!("{event:?}");
    let name = text.split([' ', '{']).next().unwrap_or_default();
    let place = event.queue().map(super::log::short).unwrap_or_default();
    let offset = event.message().map(|message| format!(" {}", message.offset)).unwrap_or_default();
    format!("{name} {place}{offset}")
}

/// Shuts a consumer down, and looks whether it keeps what it promises.
pub(super) async fn leave(world: Arc<World>, member: Member, must_be_clean: bool) {
    let Member { id, consumer, line, mut reader } = member;
    let (log, began) = (&world.log, Instant::now());
    log.note(format_args!("m{id} leaves"));
    if must_be_clean && world.plan.kind == Kind::Pull {
        // The messages of the last poll are processed and committed first.
        consumer.stop_polling();
        end_reader(log, id, reader.take()).await;
    }
    let began = if world.plan.kind == Kind::Pull { Instant::now() } else { began };
    let report = consumer.shutdown_within(SHUTDOWN).await.unwrap();
    let took = began.elapsed();
    log.add(What::Gone { member: id });
    log.note(format_args!("m{id} has left after {took:?}: {report:?}"));
    if took > SHUTDOWN + TICK {
        log.problem(format_args!("L1: the shutdown of m{id} took {took:?}"));
    }
    if must_be_clean && !report.is_clean() {
        log.problem(format_args!("L6: the shutdown of m{id} left something in peace: {report:?}"));
    }
    end_reader(log, id, reader).await;
    drop(consumer);
    world.keep(line);
}

async fn end_reader(log: &Log, id: usize, reader: Option<JoinHandle<()>>) {
    if let Some(mut reader) = reader
        && timeout(Duration::from_secs(20), &mut reader).await.is_err()
    {
        log.problem(format_args!("L3: the stream of m{id} does not end"));
        reader.abort();
    }
}

/// Drops a consumer without a shutdown.
pub(super) fn drop_it(world: &World, member: Member) {
    let Member { id, consumer, line, reader } = member;
    world.log.add(What::Gone { member: id });
    drop(consumer);
    if let Some(reader) = reader {
        reader.abort();
    }
    world.keep(line);
}
