//! Settings of groups: 200, 201, 207, 225, 352, 353.

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{
    SubscriptionGroupConfig, SubscriptionGroupList, SubscriptionGroupWrapper,
};
use rocketmq_remoting::protocol::header::{
    DeleteSubscriptionGroupFields, QuerySubscriptionByConsumerFields, UpdateGroupForbiddenFields,
};
use serde::Serialize;

use crate::broker::state::{Broker, GroupTable, check_group, default_retry_policy};
use crate::broker::topics::changed_of_group;
use crate::wire::{Answer, Refusal, Request, json_answer, json_body, optional_json_body, required};

/// 200. Without a body nothing happens.
pub(crate) fn update(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let config: Option<SubscriptionGroupConfig> = optional_json_body(request.command)?;
    if let Some(config) = config {
        check_name(&config)?;
        put(&mut broker.lock().groups, config)?;
    }
    Ok(Answer::success())
}

/// 225. All names are checked before the first group is changed.
pub(crate) fn update_list(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let list: SubscriptionGroupList = json_body(request.command, "subscriptionGroupList")?;
    list.group_config_list.iter().try_for_each(check_name)?;
    let mut state = broker.lock();
    list.group_config_list.into_iter().try_for_each(|config| put(&mut state.groups, config))?;
    Ok(Answer::success())
}

/// 201.
pub(crate) fn all(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let groups = &state.groups;
    let wrapper = SubscriptionGroupWrapper {
        data_version: groups.version().clone(),
        forbidden_table: groups.forbidden().clone(),
        subscription_group_table: groups.all().clone(),
    };
    Ok(json_answer(&wrapper)?.with_field("totalGroupNum", groups.all().len()))
}

/// 352. A request for an unknown group creates the group.
pub(crate) fn config(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: QuerySubscriptionByConsumerFields<'_> = request.fields()?;
    let group = required(fields.group, "group")?;
    match broker.lock().groups.find(&group) {
        Some(config) => json_answer(config),
        None => Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, "No group in this broker")),
    }
}

/// Deletes a group (207). Members stay, and the next request of a member creates the group again. Unless `cleanOffset` is
/// set, it comes back at once with default settings: Apache's broker asks for its kind and thereby creates it.
pub(crate) fn delete(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: DeleteSubscriptionGroupFields<'_> = request.fields()?;
    let group = required(fields.group_name, "groupName")?;
    let mut state = broker.lock();
    state.groups.remove(&group);
    state.figures.remove_group(&group);
    if fields.clean_offset == Some(true) {
        state.offsets.remove_group(&group);
    } else {
        state.groups.find_or_create(&group);
    }
    Ok(Answer::success())
}

/// Java: `GroupForbidden`.
#[derive(Serialize)]
struct GroupForbidden<'a> {
    group: &'a str,
    readable: bool,
    topic: &'a str,
}

/// 353. Tells whether a group may read a topic, and first changes that if asked to.
pub(crate) fn forbidden(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let fields: UpdateGroupForbiddenFields<'_> = request.fields()?;
    let (group, topic) = (required(fields.group, "group")?, required(fields.topic, "topic")?);
    let groups = &mut broker.lock().groups;
    if let Some(readable) = fields.readable {
        groups.set_may_read(&group, &topic, readable);
    }
    let readable = groups.may_read(&group, &topic);
    let answer = json_answer(&GroupForbidden { group: &group, readable, topic: &topic })?;
    Ok(answer.with_remark(""))
}

fn check_name(config: &SubscriptionGroupConfig) -> Result<(), Refusal> {
    let name = config.group_name.as_deref().unwrap_or_default();
    check_group(name).map_err(|remark| Refusal::new(ResponseCode::INVALID_PARAMETER, remark))
}

/// Applies all settings of a request; missing ones get their defaults, attributes stay.
fn put(groups: &mut GroupTable, config: SubscriptionGroupConfig) -> Result<(), Refusal> {
    let group = config.group_name.clone().unwrap_or_default();
    let current = groups.get(&group).map(|known| &known.attributes);
    let attributes = changed_of_group(current, &config.attributes)?;
    let group_retry_policy = config.group_retry_policy.or_else(|| Some(default_retry_policy()));
    groups.put(&group, SubscriptionGroupConfig { attributes, group_retry_policy, ..config });
    Ok(())
}
