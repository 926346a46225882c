//! The queues of this member.
//!
//! - [`TopicPlanner`]: which queues of a topic to release, and which to take when
//! - [`AssignedPlanner`]: which queues a broker assigns to this member, to pull or to pop
//! - [`RebalanceTiming`]: when to look
//! - [`Rebalancer`]: asks, and takes queues
//! - [`release`]: hands a queue over, or ends it
//! - [`RouteWatch`]: which queues a topic has while NameServers disagree

mod assigned;
mod plan;
mod rebalancer;
mod release;
mod route_watch;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use assigned::{AssignedInput, AssignedPlanner, Share};
pub(crate) use plan::{PlanInput, RebalancePlan, TopicPlanner, plan_alone};
pub(crate) use rebalancer::Rebalancer;
pub(crate) use release::{release, start_release};
pub(crate) use route_watch::RouteWatch;
pub(crate) use timing::RebalanceTiming;
