//! The tables of a broker, one file for each, and the lock around all of them.
//!
//! Handlers in the other rooms read and change these tables; nothing here knows a handler.
//!
//! - [`broker`]: a broker, its place in the cluster and its clock.
//! - [`settings`], [`acl`]: settings at the start and at run time; access.
//! - [`role`]: master or slave, and the lag of slaves.
//! - [`snapshot`]: state that a restart may bring back or lose.
//! - [`names`]: rules for names of topics and groups.
//! - [`topics`], [`groups`], [`offsets`], [`request_modes`]: topics with their queues, groups, their offsets
//!   and how they get messages.
//! - [`client`], [`consumers`], [`producers`], [`locks`]: clients, their groups and the queues that they have locked.
//! - [`held`], [`waiting`]: requests that wait for a message.
//! - [`pops`]: popped messages.
//! - [`agenda`], [`halves`]: delayed messages and transactions.
//! - [`figures`]: counters of messages.
//! - [`pushes`]: requests to clients.

mod acl;
mod agenda;
mod broker;
mod client;
mod consumers;
mod figures;
mod groups;
mod halves;
mod held;
mod locks;
mod names;
mod offsets;
pub(crate) mod pops;
mod producers;
mod pushes;
mod request_modes;
mod role;
mod settings;
mod snapshot;
mod topics;
mod waiting;

use std::sync::Arc;

pub(crate) use acl::Acl;
pub(crate) use agenda::{Agenda, AgendaItem, Deleted};
pub(crate) use broker::{Broker, BrokerOptions, INVALID_GROUP, INVALID_TOPIC, Identity};
pub(crate) use client::ClientChannelInfo;
pub(crate) use consumers::{Changed, ConsumeMode, ConsumerTable, Subscribed, Subscription};
pub(crate) use figures::{Figures, Growth};
pub(crate) use groups::{GroupTable, default_retry_policy};
pub(crate) use halves::{Halves, TransactionOptions, immunity_ms, millis};
pub(crate) use held::{HeldPulls, HeldRequest, PullWait, Serve};
pub(crate) use locks::LockTable;
pub(crate) use names::{check_group, check_topic, is_forbidden_to_send, is_system_topic};
pub(crate) use offsets::CommittedOffsets;
pub(crate) use producers::ProducerTable;
pub(crate) use pushes::Pushes;
pub(crate) use request_modes::RequestModes;
pub(crate) use role::Role;
pub use role::SlaveLag;
pub(crate) use settings::Obeyed;
pub use snapshot::BrokerSnapshot;
pub(crate) use topics::{Topic, TopicFilterType, TopicSettings, TopicTable};
pub(crate) use waiting::HeldByPlace;

use crate::broker::filters::FilterTable;
use crate::clock::Clock;
use crate::history::Recorder;
use crate::store::CommitLog;
use pops::PopTable;

/// All tables, behind one short lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) topics: TopicTable,
    pub(crate) log: CommitLog,
    pub(crate) offsets: CommittedOffsets,
    pub(crate) groups: GroupTable,
    pub(crate) consumers: ConsumerTable,
    pub(crate) locks: LockTable,
    pub(crate) filters: FilterTable,
    pub(crate) producers: ProducerTable,
    pub(crate) halves: Halves,
    pub(crate) agenda: Agenda,
    pub(crate) held: HeldPulls,
    pub(crate) pops: PopTable,
    pub(crate) modes: RequestModes,
    pub(crate) figures: Figures,
}

impl State {
    fn new(broker: &str, options: &BrokerOptions, clock: &Arc<Clock>, recorder: &Recorder) -> Self {
        Self {
            topics: TopicTable::new(&options.cluster, broker, options.obeyed.auto_create_topic),
            log: CommitLog::new(options.store_limit),
            offsets: CommittedOffsets::default(),
            groups: GroupTable::new(options.obeyed.auto_create_group, clock.clone()),
            consumers: ConsumerTable::new(recorder.clone()),
            filters: FilterTable::default(),
            locks: LockTable::new(recorder.clone()),
            producers: ProducerTable::default(),
            halves: Halves::new(clock.now_ms(), options.obeyed.transactions),
            agenda: Agenda::default(),
            held: HeldPulls::new(clock.clone()),
            pops: PopTable::new(clock.clone()),
            modes: RequestModes::default(),
            figures: Figures::default(),
        }
    }
}
