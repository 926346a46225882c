//! Maps request codes to handlers.

use std::sync::Arc;

use rocketmq_remoting::net::{Connection, ConnectionEnd, RequestHandler, Responder};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use super::state::Broker;
use super::{
    admin, clients, groups, later, lookup, offsets, pop, pull, replication, send, topics, transactions,
};
use crate::faults::Admission;
use crate::history::BrokerEvent;
use crate::wire::{Answer, Refusal, Reply, Request};

/// The handler of a request.
enum Handler {
    /// Answers at once.
    AtOnce(fn(&Broker, &Request<'_>) -> Result<Answer, Refusal>),
    /// Answers itself, perhaps later.
    Itself(fn(&Broker, RemotingCommand, Reply)),
}

/// Serves one request.
fn dispatch(broker: &Broker, command: RemotingCommand, responder: Reply) {
    if let Some(Err(refusal)) = broker.options.acl.as_ref().map(|acl| acl.check(&command)) {
        return refusal.send(responder);
    }
    if broker.is_slave() {
        if let Some(refusal) = replication::refused_by_slave(broker, command.request_code()) {
            return refusal.send(responder);
        }
        broker.catch_up();
    }
    match find(command.request_code()) {
        Some(Handler::Itself(handle)) => handle(broker, command, responder),
        Some(Handler::AtOnce(handle)) => {
            let request = Request { command: &command, responder: &responder };
            match handle(broker, &request) {
                Ok(answer) => answer.send(responder),
                Err(refusal) => refusal.send(responder),
            }
        }
        None => responder.not_supported(&command),
    }
}

fn find(code: RequestCode) -> Option<Handler> {
    Some(match code {
        RequestCode::SEND_MESSAGE | RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE => {
            Handler::Itself(send::send)
        }
        RequestCode::SEND_REPLY_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2 => Handler::Itself(send::reply),
        RequestCode::RECALL_MESSAGE => Handler::AtOnce(later::recall),
        RequestCode::GET_PRODUCER_CONNECTION_LIST => Handler::AtOnce(clients::producer_connections),
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => Handler::Itself(pull::pull),
        RequestCode::POP_MESSAGE => Handler::Itself(pop::pop),
        RequestCode::ACK_MESSAGE => Handler::AtOnce(pop::ack),
        RequestCode::BATCH_ACK_MESSAGE => Handler::AtOnce(pop::batch_ack),
        RequestCode::CHANGE_MESSAGE_INVISIBLETIME => Handler::AtOnce(pop::change_invisible_time),
        RequestCode::NOTIFICATION => Handler::Itself(pop::notification),
        RequestCode::POLLING_INFO => Handler::AtOnce(pop::polling_info),
        RequestCode::PEEK_MESSAGE => Handler::AtOnce(pop::peek),
        RequestCode::QUERY_ASSIGNMENT => Handler::AtOnce(groups::query_assignment),
        RequestCode::SET_MESSAGE_REQUEST_MODE => Handler::AtOnce(groups::set_mode),
        RequestCode::END_TRANSACTION => Handler::Itself(transactions::end_transaction),
        RequestCode::VIEW_MESSAGE_BY_ID => Handler::AtOnce(lookup::by_id),
        RequestCode::QUERY_MESSAGE => Handler::AtOnce(lookup::by_key),
        RequestCode::GET_ALL_TOPIC_CONFIG => Handler::AtOnce(topics::all_configs),
        RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_BROKER => Handler::AtOnce(topics::system_topics),
        RequestCode::GET_ALL_PRODUCER_INFO => Handler::AtOnce(clients::all_producers),
        RequestCode::GET_BROKER_CONFIG => Handler::AtOnce(admin::config),
        RequestCode::UPDATE_BROKER_CONFIG => Handler::AtOnce(admin::change),
        RequestCode::QUERY_CONSUME_QUEUE => Handler::AtOnce(lookup::queue_data),
        RequestCode::VIEW_BROKER_STATS_DATA => Handler::AtOnce(admin::stats),
        RequestCode::CLEAN_EXPIRED_CONSUMEQUEUE
        | RequestCode::CLEAN_UNUSED_TOPIC
        | RequestCode::DELETE_EXPIRED_COMMITLOG => Handler::AtOnce(admin::clean),
        RequestCode::GET_BROKER_HA_STATUS => Handler::AtOnce(admin::replicas),
        RequestCode::GET_BROKER_CONSUME_STATS => Handler::AtOnce(groups::all_groups),
        RequestCode::QUERY_CONSUME_TIME_SPAN => Handler::AtOnce(groups::time_spans),
        RequestCode::QUERY_CORRECTION_OFFSET => Handler::AtOnce(groups::correction_offsets),
        RequestCode::GET_ALL_CONSUMER_OFFSET => Handler::AtOnce(offsets::all_offsets),
        RequestCode::GET_ALL_DELAY_OFFSET => Handler::AtOnce(offsets::delay_offsets),
        RequestCode::GET_ALL_MESSAGE_REQUEST_MODE => Handler::AtOnce(groups::request_modes),
        admin::COLD_DATA => Handler::AtOnce(admin::cold_data),
        RequestCode::GET_BROKER_RUNTIME_INFO => Handler::AtOnce(admin::runtime_info),
        RequestCode::QUERY_CONSUMER_OFFSET => Handler::AtOnce(offsets::query_consumer_offset),
        RequestCode::UPDATE_CONSUMER_OFFSET => Handler::AtOnce(offsets::update_consumer_offset),
        RequestCode::SEARCH_OFFSET_BY_TIMESTAMP => Handler::AtOnce(offsets::search_by_timestamp),
        RequestCode::GET_MAX_OFFSET => Handler::AtOnce(offsets::max_offset),
        RequestCode::GET_MIN_OFFSET => Handler::AtOnce(offsets::min_offset),
        RequestCode::GET_EARLIEST_MSG_STORETIME => Handler::AtOnce(offsets::earliest_store_time),
        RequestCode::CHECK_CLIENT_CONFIG => Handler::AtOnce(clients::check_client),
        RequestCode::UPDATE_AND_CREATE_TOPIC => Handler::AtOnce(topics::update_and_create),
        RequestCode::UPDATE_AND_CREATE_TOPIC_LIST => Handler::AtOnce(topics::update_and_create_list),
        RequestCode(513) => Handler::AtOnce(topics::create_static),
        RequestCode::RESUME_CHECK_HALF_MESSAGE => Handler::AtOnce(transactions::resume_check),
        RequestCode(60) => Handler::AtOnce(admin::timer_checkpoint),
        RequestCode(61) => Handler::AtOnce(admin::timer_metrics),
        RequestCode::DELETE_TOPIC_IN_BROKER => Handler::AtOnce(topics::delete),
        RequestCode::GET_TOPIC_CONFIG => Handler::AtOnce(topics::config),
        RequestCode::GET_TOPIC_STATS_INFO => Handler::AtOnce(topics::stats),
        _ => return find_for_groups(code),
    })
}

/// Requests about consumer groups.
fn find_for_groups(code: RequestCode) -> Option<Handler> {
    Some(match code {
        RequestCode::HEART_BEAT => Handler::Itself(clients::heart_beat),
        RequestCode::UNREGISTER_CLIENT => Handler::AtOnce(clients::unregister),
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => Handler::AtOnce(clients::consumer_list),
        RequestCode::LOCK_BATCH_MQ => Handler::AtOnce(clients::lock),
        RequestCode::UNLOCK_BATCH_MQ => Handler::AtOnce(clients::unlock),
        RequestCode::CONSUMER_SEND_MSG_BACK => Handler::AtOnce(send::send_back),
        RequestCode::GET_CONSUMER_CONNECTION_LIST => Handler::AtOnce(clients::consumer_connections),
        RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => Handler::AtOnce(groups::update),
        RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST => Handler::AtOnce(groups::update_list),
        RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => Handler::AtOnce(groups::all),
        RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG => Handler::AtOnce(groups::config),
        RequestCode::DELETE_SUBSCRIPTIONGROUP => Handler::AtOnce(groups::delete),
        RequestCode::UPDATE_AND_GET_GROUP_FORBIDDEN => Handler::AtOnce(groups::forbidden),
        RequestCode::INVOKE_BROKER_TO_RESET_OFFSET => Handler::AtOnce(offsets::reset_offset),
        RequestCode::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => Handler::Itself(clients::consumer_status),
        RequestCode::GET_CONSUMER_RUNNING_INFO | RequestCode::CONSUME_MESSAGE_DIRECTLY => {
            Handler::Itself(clients::forward)
        }
        RequestCode::GET_CONSUME_STATS => Handler::AtOnce(groups::consume_stats),
        RequestCode::QUERY_TOPIC_CONSUME_BY_WHO => Handler::AtOnce(groups::consumed_by_whom),
        RequestCode::QUERY_TOPICS_BY_CONSUMER => Handler::AtOnce(groups::topics_of_group),
        RequestCode::QUERY_SUBSCRIPTION_BY_CONSUMER => Handler::AtOnce(groups::subscription),
        RequestCode::CLONE_GROUP_OFFSET => Handler::AtOnce(groups::clone_offsets),
        _ => return admin::unused(code.0).map(Handler::AtOnce),
    })
}

/// Serves the requests to one broker, and keeps the broker alive.
#[derive(Debug, Clone)]
pub(crate) struct BrokerHandler {
    pub(crate) broker: Arc<Broker>,
    pub(crate) admission: Arc<Admission>,
}

impl RequestHandler for BrokerHandler {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let broker = self.broker.clone();
        let carry_out = move |request, reply| dispatch(&broker, request, reply);
        self.admission.serve(&self.broker.server, request, responder, carry_out);
    }

    fn connected(&self, connection: &Connection) {
        self.broker.recorder.note(|| BrokerEvent::Connected { peer: connection.peer().clone() });
    }

    fn disconnected(&self, connection: &Connection, _: &ConnectionEnd) {
        let mut state = self.broker.lock();
        self.broker.recorder.note(|| BrokerEvent::Disconnected { peer: connection.peer().clone() });
        let changed = state.consumers.disconnect(connection.id());
        state.producers.disconnect(connection.id());
        state.held.disconnect(connection.id());
        state.pops.held.disconnect(connection.id());
        drop(state);
        self.broker.notify_consumer_ids_changed(changed);
        self.admission.changes.tell();
    }
}
