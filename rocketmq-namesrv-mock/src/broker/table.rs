//! Which request code goes where.

use crate::wire::Reply;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use super::{
    Broker, admin, assignment, clients, connections, consume_stats, filter, forward, group_admin, locks,
    offsets, pop, pull, query, recall, replication, reply, reset, runtime, send, send_back, topics,
    transaction, view,
};
use crate::wire::{Answer, Refusal};

/// Who serves a request.
enum Handler {
    /// Answers at once.
    AtOnce(fn(&Broker, &Request<'_>) -> Result<Answer, Refusal>),
    /// Answers itself, perhaps later.
    Itself(fn(&Broker, RemotingCommand, Reply)),
}

/// A request and where it came from.
pub(super) struct Request<'a> {
    pub(super) command: &'a RemotingCommand,
    pub(super) responder: &'a Reply,
}

/// Serves one request.
pub(super) fn dispatch(broker: &Broker, command: RemotingCommand, responder: Reply) {
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
        RequestCode::SEND_REPLY_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2 => Handler::Itself(reply::reply),
        RequestCode::RECALL_MESSAGE => Handler::AtOnce(recall::recall),
        RequestCode::GET_PRODUCER_CONNECTION_LIST => Handler::AtOnce(connections::producers),
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => Handler::Itself(pull::pull),
        RequestCode::POP_MESSAGE => Handler::Itself(pop::pop),
        RequestCode::ACK_MESSAGE => Handler::AtOnce(pop::ack),
        RequestCode::BATCH_ACK_MESSAGE => Handler::AtOnce(pop::batch_ack),
        RequestCode::CHANGE_MESSAGE_INVISIBLETIME => Handler::AtOnce(pop::change_invisible_time),
        RequestCode::NOTIFICATION => Handler::Itself(pop::notification),
        RequestCode::POLLING_INFO => Handler::AtOnce(pop::polling_info),
        RequestCode::PEEK_MESSAGE => Handler::AtOnce(pop::peek),
        RequestCode::QUERY_ASSIGNMENT => Handler::AtOnce(assignment::query),
        RequestCode::SET_MESSAGE_REQUEST_MODE => Handler::AtOnce(assignment::set_mode),
        RequestCode::END_TRANSACTION => Handler::Itself(transaction::end_transaction),
        RequestCode::VIEW_MESSAGE_BY_ID => Handler::AtOnce(view::by_id),
        RequestCode::QUERY_MESSAGE => Handler::AtOnce(query::by_key),
        RequestCode::GET_ALL_TOPIC_CONFIG => Handler::AtOnce(admin::all_configs),
        RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_BROKER => Handler::AtOnce(admin::system_topics),
        RequestCode::GET_ALL_PRODUCER_INFO => Handler::AtOnce(admin::producers),
        RequestCode::GET_BROKER_CONFIG => Handler::AtOnce(admin::config),
        RequestCode::UPDATE_BROKER_CONFIG => Handler::AtOnce(admin::change),
        RequestCode::QUERY_CONSUME_QUEUE => Handler::AtOnce(admin::queue_data),
        RequestCode::VIEW_BROKER_STATS_DATA => Handler::AtOnce(admin::stats),
        RequestCode::CLEAN_EXPIRED_CONSUMEQUEUE
        | RequestCode::CLEAN_UNUSED_TOPIC
        | RequestCode::DELETE_EXPIRED_COMMITLOG => Handler::AtOnce(admin::clean),
        RequestCode::GET_BROKER_HA_STATUS => Handler::AtOnce(admin::replicas),
        RequestCode::GET_BROKER_CONSUME_STATS => Handler::AtOnce(admin::all_groups),
        RequestCode::QUERY_CONSUME_TIME_SPAN => Handler::AtOnce(admin::time_spans),
        RequestCode::QUERY_CORRECTION_OFFSET => Handler::AtOnce(admin::correction_offsets),
        RequestCode::GET_ALL_CONSUMER_OFFSET => Handler::AtOnce(admin::all_offsets),
        RequestCode::GET_ALL_DELAY_OFFSET => Handler::AtOnce(admin::delay_offsets),
        RequestCode::GET_ALL_MESSAGE_REQUEST_MODE => Handler::AtOnce(admin::request_modes),
        admin::COLD_DATA => Handler::AtOnce(admin::cold_data),
        RequestCode::GET_BROKER_RUNTIME_INFO => Handler::AtOnce(runtime::info),
        RequestCode::QUERY_CONSUMER_OFFSET => Handler::AtOnce(offsets::query_consumer_offset),
        RequestCode::UPDATE_CONSUMER_OFFSET => Handler::AtOnce(offsets::update_consumer_offset),
        RequestCode::SEARCH_OFFSET_BY_TIMESTAMP => Handler::AtOnce(offsets::search_by_timestamp),
        RequestCode::GET_MAX_OFFSET => Handler::AtOnce(offsets::max_offset),
        RequestCode::GET_MIN_OFFSET => Handler::AtOnce(offsets::min_offset),
        RequestCode::GET_EARLIEST_MSG_STORETIME => Handler::AtOnce(offsets::earliest_store_time),
        RequestCode::CHECK_CLIENT_CONFIG => Handler::AtOnce(filter::check_client),
        RequestCode::UPDATE_AND_CREATE_TOPIC => Handler::AtOnce(topics::update_and_create),
        RequestCode::DELETE_TOPIC_IN_BROKER => Handler::AtOnce(topics::delete),
        RequestCode::GET_TOPIC_CONFIG => Handler::AtOnce(topics::config),
        RequestCode::GET_TOPIC_STATS_INFO => Handler::AtOnce(topics::stats),
        _ => return find_for_groups(code),
    })
}

/// What is about consumer groups.
fn find_for_groups(code: RequestCode) -> Option<Handler> {
    Some(match code {
        RequestCode::HEART_BEAT => Handler::AtOnce(clients::heart_beat),
        RequestCode::UNREGISTER_CLIENT => Handler::AtOnce(clients::unregister),
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => Handler::AtOnce(clients::consumer_list),
        RequestCode::LOCK_BATCH_MQ => Handler::AtOnce(locks::lock),
        RequestCode::UNLOCK_BATCH_MQ => Handler::AtOnce(locks::unlock),
        RequestCode::CONSUMER_SEND_MSG_BACK => Handler::AtOnce(send_back::send_back),
        RequestCode::GET_CONSUMER_CONNECTION_LIST => Handler::AtOnce(connections::consumers),
        RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP => Handler::AtOnce(group_admin::update),
        RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST => Handler::AtOnce(group_admin::update_list),
        RequestCode::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => Handler::AtOnce(group_admin::all),
        RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG => Handler::AtOnce(group_admin::config),
        RequestCode::DELETE_SUBSCRIPTIONGROUP => Handler::AtOnce(group_admin::delete),
        RequestCode::UPDATE_AND_GET_GROUP_FORBIDDEN => Handler::AtOnce(group_admin::forbidden),
        RequestCode::INVOKE_BROKER_TO_RESET_OFFSET => Handler::AtOnce(reset::reset_offset),
        RequestCode::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => Handler::Itself(forward::consumer_status),
        RequestCode::GET_CONSUMER_RUNNING_INFO | RequestCode::CONSUME_MESSAGE_DIRECTLY => {
            Handler::Itself(forward::forward)
        }
        RequestCode::GET_CONSUME_STATS => Handler::AtOnce(consume_stats::consume_stats),
        RequestCode::QUERY_TOPIC_CONSUME_BY_WHO => Handler::AtOnce(consume_stats::consumed_by_whom),
        RequestCode::QUERY_TOPICS_BY_CONSUMER => Handler::AtOnce(consume_stats::topics_of_group),
        RequestCode::QUERY_SUBSCRIPTION_BY_CONSUMER => Handler::AtOnce(consume_stats::subscription),
        RequestCode::CLONE_GROUP_OFFSET => Handler::AtOnce(consume_stats::clone_offsets),
        _ => return None,
    })
}
