//! Carries out the steps of a plan.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_remoting::client::RemotingClient;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::{CommandRef, ExtFields, NoHeader, RequestCode};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::crew;
use super::log::What;
use super::plan::{GROUP, OTHER, Step, TOPIC};
use super::trouble::broker_name;
use super::world::World;

impl World {
    /// Begins a step. What takes long goes on in a task.
    pub(super) fn act(self: &Arc<Self>, step: &Step, tasks: &mut JoinSet<()>) {
        let world = self.clone();
        match step.clone() {
            Step::Join if self.members().len() < 4 => _ = tasks.spawn(crew::join(world)),
            Step::Join => {}
            Step::Leave(which) => {
                if let Some(member) = self.take_out(which) {
                    let is_calm = self.plan.calm;
                    tasks.spawn(async move {
                        crew::leave(world.clone(), member, is_calm).await;
                        world.follow().await;
                    });
                }
            }
            Step::Crash(which) => {
                if let Some(member) = self.take_out(which) {
                    crew::drop_it(self, member);
                    tasks.spawn(world.follow());
                }
            }
            Step::Vanish(which) => {
                if let Some(member) = self.take_out(which) {
                    member.line.take_down();
                    crew::drop_it(self, member);
                    tasks.spawn(world.follow());
                }
            }
            Step::Partition(which, time) => {
                if let Some(line) = self.with(which, |member| member.line.clone()) {
                    line.take_down();
                    tasks.spawn(async move {
                        sleep(time).await;
                        line.bring_up();
                        line.bury();
                    });
                }
            }
            Step::Suspend(which, time) => {
                if let Some(consumer) = self.with(which, |member| member.consumer.clone()) {
                    consumer.suspend();
                    tasks.spawn(async move {
                        sleep(time).await;
                        consumer.resume();
                    });
                }
            }
            Step::Pause(which, time) => {
                if let Some(consumer) = self.with(which, |member| member.consumer.clone()) {
                    let queues: Vec<_> = consumer.assignment().into_iter().step_by(2).collect();
                    consumer.pause_queues(&queues);
                    tasks.spawn(async move {
                        sleep(time).await;
                        consumer.resume_queues(&queues);
                    });
                }
            }
            Step::Concurrency(which, count) => {
                _ = self.with(which, |member| member.consumer.set_concurrency(count).unwrap());
            }
            Step::Subscribe(wanted) => {
                self.wants_other.store(wanted, Ordering::Relaxed);
                tasks.spawn(async move { _ = world.subscribe().await });
            }
            Step::Cut(server) => self.network.cut(self.address(server)),
            Step::Stall(server) => self.network.stall(self.address(server)),
            Step::Unreachable(server, time) => {
                let address = self.address(server);
                self.network.stall(address);
                self.network.set_reachable(address, false);
                tasks.spawn(async move {
                    sleep(time).await;
                    world.network.set_reachable(address, true);
                });
            }
            Step::Snapshot(broker) => {
                let snapshot = self.cluster.snapshot(&broker_name(broker)).unwrap();
                self.snapshots.lock().unwrap()[broker] = Some(snapshot);
            }
            Step::Restart { broker, down, older, noticed } => {
                tasks.spawn(async move { world.restart(broker, down, older, noticed).await });
            }
            Step::Trouble(trouble) => self.cluster.inject(*trouble),
            Step::Reset(part) => self.reset(part, tasks),
            Step::ForgetLocks => _ = self.cluster.forget_locks(GROUP),
            Step::Seek(which, queue, to) => {
                if let Some(member) = self.with(which, |member| (member.id, member.consumer.clone())) {
                    tasks.spawn(async move { world.seek(member, queue, to).await });
                }
            }
            Step::Switch(pops) => _ = tasks.spawn(async move { world.switch(pops).await }),
            Step::Suggest(broker, slave) => self.suggest(broker, slave),
            Step::Lag(broker, lag) => self.lag(broker, lag),
            Step::Damage(draw) => self.damage(draw),
            Step::Older { broker, down, offsets } => {
                tasks.spawn(async move { world.lose_messages(broker, down, offsets).await });
            }
        }
    }

    async fn restart(&self, broker: usize, down: Duration, older: bool, noticed: bool) {
        let name = broker_name(broker);
        if noticed {
            self.cluster.stop_broker(&name).await.unwrap();
        } else {
            self.cluster.crash_broker(&name).await.unwrap();
        }
        sleep(down).await;
        let snapshot = self.snapshots.lock().unwrap()[broker].take();
        if let Some(snapshot) = snapshot.filter(|_| older) {
            self.log.note(format_args!("{name} comes back with older offsets"));
            self.cluster.restore_offsets(&name, &snapshot).unwrap();
        }
        self.cluster.start_broker(&name).await.unwrap();
    }

    /// An operator moves one queue (222).
    fn reset(self: &Arc<Self>, part: u64, tasks: &mut JoinSet<()>) {
        let queues = self.cluster.queue_offsets(TOPIC);
        let queue = &queues[usize::try_from(part).unwrap() % queues.len()];
        let to = queue.min + (queue.max - queue.min) * i64::try_from(part).unwrap() / 100;
        self.log.add(What::Reset { queue: queue.queue.clone(), to });
        let address = self.cluster.broker_addr(queue.queue.broker_name()).unwrap().to_string();
        let fields: ExtFields = [
            ("topic", TOPIC.to_owned()),
            ("group", GROUP.to_owned()),
            ("queueId", queue.queue.queue_id().to_string()),
            ("offset", to.to_string()),
            ("timestamp", "-1".to_owned()),
            ("isForce", "true".to_owned()),
        ]
        .into_iter()
        .collect();
        let world = self.clone();
        tasks.spawn(async move {
            let network = Arc::new(world.network.clone());
            let options = ConnectionOptions::default();
            let operator = RemotingClient::with_transport(network, options, Arc::new(NoRequests)).unwrap();
            let request = CommandRef::request(RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &NoHeader);
            let request = request.with_fields(&fields);
            let answer = operator.invoke(&address, &request, Instant::now() + Duration::from_secs(3)).await;
            world.log.note(format_args!("the reset is answered {:?}", answer.map(|answer| answer.code).ok()));
            operator.shutdown(Duration::from_secs(1)).await;
        });
    }

    /// Has all members subscribe to the other topic, or not.
    /// Whether all could.
    pub(super) async fn subscribe(&self) -> bool {
        let mut all = true;
        let consumers: Vec<_> = self.members().iter().map(|member| member.consumer.clone()).collect();
        for consumer in consumers {
            let done = if self.plan.assigns {
                self.assign(&consumer).await
            } else if self.wants_other() {
                consumer.subscribe(OTHER, "*").await
            } else {
                consumer.unsubscribe(OTHER).await
            };
            if let Err(error) = done {
                all = false;
                self.log.note(format_args!("a subscription does not change: {error}"));
            }
        }
        all
    }
}
