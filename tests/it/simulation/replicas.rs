//! Members that read from slaves, which lag behind their masters or copy nothing.

use std::time::Duration;

use rocketmq_namesrv_mock::SlaveLag;

use super::dice::Dice;
use super::plan::{Plan, Step};
use super::trouble::broker_name;
use super::world::World;

impl Plan {
    /// A plan whose brokers have a slave each, and send members there and back.
    pub(super) fn replicated(seed: u64) -> Self {
        let mut plan = Self { slaves: 1, ..Self::new(seed) };
        let mut dice = Dice::new(seed ^ 0x534c_4156);
        let length = plan.steps.last().map_or(1, |(at, _)| at.as_millis() as u64);
        for broker in 0..plan.brokers {
            plan.steps.push((Duration::ZERO, Step::Suggest(broker, dice.percent(70))));
            for _ in 0..dice.range(1..=5) {
                let lag =
                    [SlaveLag::None, SlaveLag::Messages(dice.range(1..=20) as usize), SlaveLag::Stopped];
                let step = match dice.range(0..=1) {
                    0 => Step::Lag(broker, dice.pick(&lag)),
                    _ => Step::Suggest(broker, dice.percent(60)),
                };
                plan.steps.push((dice.ms(1..=length), step));
            }
        }
        plan.steps.sort_by_key(|(at, _)| *at);
        plan
    }
}

impl World {
    /// Has a master, and its slave, send readers to the slave or to the master.
    pub(super) fn suggest(&self, broker: usize, slave: bool) {
        for server in [broker_name(broker), slave_name(broker)] {
            self.cluster.suggest_broker(&server, i64::from(slave)).unwrap();
        }
    }

    pub(super) fn lag(&self, broker: usize, lag: SlaveLag) {
        self.cluster.set_slave_lag(&slave_name(broker), lag).unwrap();
    }
}

fn slave_name(broker: usize) -> String {
    format!("{}-s1", broker_name(broker))
}

/// Seeds that found a defect: none so far.
const FOUND: [u64; 0] = [];

super::groups::tests_of!("replicas", Plan::replicated);
