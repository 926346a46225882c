//! The queues of this member.
//!
//! - [`TopicPlanner`]: which queues of a topic to release, and which to take when
//! - [`AssignedPlanner`]: the same by the word of a broker, which says to pull or to pop them
//! - [`RebalanceTiming`]: when to look
//! - [`Rebalancer`]: asks, takes and releases
//! - [`RouteWatch`]: which queues a topic has while NameServers disagree

mod assigned;
mod plan;
mod rebalancer;
mod route_watch;
#[cfg(test)]
mod tests;
mod timing;

pub(crate) use assigned::{AssignedInput, AssignedPlanner, Share};
pub(crate) use plan::{PlanInput, RebalancePlan, TopicPlanner, plan_alone};
pub(crate) use rebalancer::{Rebalancer, release, start_release};
pub(crate) use route_watch::RouteWatch;
pub(crate) use timing::RebalanceTiming;
