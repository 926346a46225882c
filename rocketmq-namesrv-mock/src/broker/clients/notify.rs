//! Tells the members of a group that it changed: 40. Java: `DefaultConsumerIdsChangeListener`.

use std::time::Duration;

use rocketmq_remoting::net::Connection;
use rocketmq_remoting::protocol::header::NotifyConsumerIdsChangedRequestHeader;
use rocketmq_remoting::protocol::{CommandRef, RequestCode};

use crate::broker::state::{Broker, Changed, Pushes};
use crate::history::BrokerEvent;

/// The longest wait for room in the write buffer; a notification that cannot be written is lost.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

impl Broker {
    /// Tells all members of these groups, new members included.
    pub(crate) fn notify_consumer_ids_changed(&self, changed: impl IntoIterator<Item = Changed>) {
        for Changed { group, members } in changed.into_iter().filter(|changed| !changed.members.is_empty()) {
            self.note_news(&group, &members);
            self.tasks.spawn(tell(self.pushes(), group, members));
        }
    }

    /// Tells all members of these groups but the newcomer, who is told by the future.
    pub(super) fn notify_others(
        &self,
        changed: Vec<Changed>,
        newcomer: &Connection,
    ) -> impl Future<Output = ()> + Send + use<> {
        let mut own = Vec::with_capacity(changed.len());
        for Changed { group, members } in changed {
            self.note_news(&group, &members);
            let (newcomers, others): (Vec<_>, Vec<_>) =
                members.into_iter().partition(|member| member.id() == newcomer.id());
            own.push((group.clone(), newcomers));
            self.tasks.spawn(tell(self.pushes(), group, others));
        }
        let pushes = self.pushes();
        async move {
            for (group, newcomers) in own {
                tell(pushes.clone(), group, newcomers).await;
            }
        }
    }

    fn note_news(&self, group: &str, members: &[Connection]) {
        self.recorder.note(|| BrokerEvent::Notified {
            group: group.into(),
            peers: members.iter().map(|member| member.peer().clone()).collect(),
        });
    }
}

async fn tell(pushes: Pushes, group: String, members: Vec<Connection>) {
    let header = NotifyConsumerIdsChangedRequestHeader { consumer_group: group.into() };
    let news = CommandRef::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, &header);
    for member in members {
        // A member that has left needs no notification.
        pushes.oneway(&member, &news, WRITE_LIMIT).await;
    }
}
