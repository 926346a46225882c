use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::{ConsumerConnection, SubscriptionData};
use tokio::time::{Instant, sleep_until};

use super::{Agreement, Difference};
use crate::consumer::member::Member;
use crate::consumer::watch::ConsumerEvent;
use crate::error::{MQClientError, with_causes};
use crate::waiting;

/// Two looks begin at least this long apart: members that differ cause a rebalance with each heartbeat.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Answers that say nothing of permissions: no member of the group is online, or the broker is busy.
const PASSING: [ResponseCode; 3] =
    [ResponseCode::CONSUMER_NOT_ONLINE, ResponseCode::SYSTEM_BUSY, ResponseCode::FLOW_CONTROL];

/// After each rebalance, asks one broker of each set what the group subscribes to, and members that were not asked yet.
pub(crate) async fn keep_looking(member: Arc<Member>) {
    let mut agreement = Agreement::default();
    loop {
        member.look_wanted.notified().await;
        let not_before = Instant::now() + AT_MOST_EVERY;
        look(&member, &mut agreement).await;
        sleep_until(not_before).await;
    }
}

async fn look(member: &Member, agreement: &mut Agreement) {
    let (instance, ours) = (&member.instance, member.all_subscribed());
    let (version, brokers) = (instance.groups_version(), brokers(member));
    let asked = waiting::all(brokers.iter().map(|broker| ask(member, broker))).await;
    let (mut answers, mut namesakes) = (Vec::new(), Vec::new());
    for (broker, answer) in brokers.iter().zip(asked) {
        namesakes.extend(namesake(member, broker, &answer).await);
        match answer {
            Ok(answer) => answers.push((broker, answer)),
            Err(error) => refused(member, agreement, error),
        }
    }
    let is_twice = (!namesakes.is_empty()).then(|| namesakes.iter().any(Option::is_some));
    if agreement.is_twice(is_twice) {
        namesakes.into_iter().flatten().take(1).for_each(|event| member.events.emit(event));
    }
    let tables: Vec<_> = answers.iter().map(|(_, answer)| answer).collect();
    let asked = agreement.listed(instance.client_id(), &tables);
    let answered = waiting::all(asked.iter().map(|id| ask_member(member, &answers, id))).await;
    for (id, said) in asked.iter().zip(answered) {
        agreement.said(id, said);
    }
    if instance.groups_version() != version {
        // Brokers may have answered before they heard of our latest change, whose rebalance leads to the next look.
        return;
    }
    for (difference, client_id) in agreement.differences(Instant::now(), &ours, &tables) {
        let Difference { topic, ours, theirs } = difference;
        let (group, client_id) = (member.events.group(), client_id.map(Arc::from));
        member.events.emit(ConsumerEvent::SubscriptionsDiffer { group, topic, ours, theirs, client_id });
    }
}

/// Whether a broker has another client with our id. `None`: it may still have an earlier connection of ours.
async fn namesake(
    member: &Member,
    broker: &Arc<str>,
    answer: &Result<ConsumerConnection, MQClientError>,
) -> Option<Option<ConsumerEvent>> {
    let me = member.instance.client_id();
    let (count, addresses) = match answer {
        Ok(answer) => {
            let mine = answer.connection_set.iter().filter(|one| one.client_id == me);
            let addresses: Vec<Arc<str>> = mine.map(|one| one.client_addr.as_str().into()).collect();
            (addresses.len(), addresses)
        }
        // An access list that forbids this question allows members to ask for the ids (38), once for each connection.
        Err(error) => {
            error.response_code()?;
            let ids = member.instance.api().asking().consumer_ids(broker, member.group()).await.ok()?;
            (ids.iter().filter(|id| *id == me).count(), Vec::new())
        }
    };
    if !member.instance.knows_one_connection(broker).await {
        return None;
    }
    let (group, client_id, broker) = (member.events.group(), me.into(), broker.clone());
    Some((count > 1).then_some(ConsumerEvent::DuplicateClientId { group, client_id, broker, addresses }))
}

/// The subscriptions of another member, which a broker asks for them.
async fn ask_member(
    member: &Member,
    answers: &[(&Arc<str>, ConsumerConnection)],
    id: &str,
) -> Option<Vec<SubscriptionData>> {
    let knows = |answer: &ConsumerConnection| answer.connection_set.iter().any(|one| one.client_id == id);
    let (broker, _) = answers.iter().find(|(_, answer)| knows(answer))?;
    match member.instance.api().asking().consumer_running_info(broker, member.group(), id).await {
        Ok(info) => Some(info.subscription_set),
        Err(error) => {
            tracing::debug!(id, error = with_causes(&error), "a member does not say what it subscribes to");
            None
        }
    }
}

/// One server of each set of brokers that has subscribed topics.
fn brokers(member: &Member) -> BTreeSet<Arc<str>> {
    let is_connected = |address: &&Arc<str>| member.instance.api().remoting().connection(address).is_some();
    let subscribed = member.all_subscribed();
    let views = subscribed.iter().filter_map(|subscribed| member.view(&subscribed.topic));
    let chosen = views.filter_map(|view| {
        let servers = || view.brokers().filter_map(|broker| view.reader(broker));
        servers().filter(is_connected).min().or_else(|| servers().min()).cloned()
    });
    chosen.collect()
}

/// The members and subscriptions that a broker knows, once it knows the subscriptions of this member.
async fn ask(member: &Member, broker: &Arc<str>) -> Result<ConsumerConnection, MQClientError> {
    let api = member.instance.api();
    member.instance.reach(broker, Instant::now() + api.timeout()).await?;
    api.asking().consumer_connection(broker, member.group()).await
}

fn refused(member: &Member, agreement: &mut Agreement, error: MQClientError) {
    let is_refusal = error.response_code().is_some_and(|code| !PASSING.contains(&code));
    if is_refusal && !std::mem::replace(&mut agreement.is_refusal_told, true) {
        member.events.emit(ConsumerEvent::SubscriptionsUnchecked { group: member.events.group(), error });
    } else {
        tracing::debug!(group = %member.group(), error = with_causes(&error), "the group is not looked at");
    }
}
