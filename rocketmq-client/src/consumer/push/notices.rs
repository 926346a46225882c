//! What brokers ask of a consumer.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use rocketmq_remoting::net::Responder;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::consumer::member::Member;
use crate::factory::BrokerRequestHandler;

/// The members of the group changed (40), one way.
#[derive(Debug)]
struct MembersChanged(Weak<Member>);

impl BrokerRequestHandler for MembersChanged {
    fn handle(&self, _: RemotingCommand, _: Responder) {
        if let Some(member) = self.0.upgrade() {
            member.announced.store(true, Ordering::Release);
            member.want_rebalance();
        }
    }
}

/// What answers brokers for a consumer.
pub(super) fn handlers(member: &Arc<Member>) -> Vec<(RequestCode, Arc<dyn BrokerRequestHandler>)> {
    let members_changed = Arc::new(MembersChanged(Arc::downgrade(member)));
    vec![(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, members_changed)]
}
