//! Clients and a cluster in one thread, on a network in memory and tokio's paused time.
//!
//! - `producers`: producers while connections stall and brokers go
//! - `groups`: the tests of consumer groups, one run for each seed, and how to replay a seed
//! - `plan`: what a seed decides: the cluster, the group, and what happens when
//! - `world`: a run: cluster, network, producer, and its end; `steps`: what happens to it
//! - `pulling`, `popping`, `replicas`: members that are polled, that pop, and that read from slaves
//! - `assigning`: members that are polled and name their queues
//! - `damage`, `older`: stored records that are damaged, and brokers that come back with older stores
//! - `owed`: what the group still has to do; `seat`: a consumer of any kind
//! - `crew`: the consumers of a run; `listeners`: what their handlers do
//! - `takeovers`: how long queues wait for another member
//! - `trouble`: faults of servers and answers
//! - `line`: the network of one consumer, which can fail apart from the others
//! - `log`: what consumers and steps did, and when; `dice`: repeatable random numbers
//! - `checker`: what each run must keep, from the log and the history of the brokers

mod assigning;
mod checker;
mod crew;
mod damage;
mod dice;
mod groups;
mod line;
mod listeners;
mod log;
mod older;
mod owed;
mod plan;
mod popping;
mod producers;
mod pulling;
mod replicas;
mod seat;
mod steps;
mod takeovers;
mod trouble;
mod world;

pub(crate) use producers::simulate;
