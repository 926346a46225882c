//! The queues of this member.
//!
//! - [`TopicPlanner`]: which queues of a topic to release, and which to take when
//! - [`RebalanceTiming`]: when to look
//! - [`Rebalancer`]: asks, takes and releases
//! - [`RouteWatch`]: which queues a topic has while NameServers disagree

mod plan;
mod rebalancer;
mod route_watch;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use plan::{PlanInput, RebalancePlan, TopicPlanner, plan_alone};
pub(crate) use rebalancer::{Rebalancer, release};
pub(crate) use route_watch::RouteWatch;
pub(crate) use timing::RebalanceTiming;
