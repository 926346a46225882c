//! Tells the members of a group that it changed: 40. Java: `DefaultConsumerIdsChangeListener`.

use std::time::Duration;

use rocketmq_remoting::protocol::header::NotifyConsumerIdsChangedRequestHeader;
use rocketmq_remoting::protocol::{CommandRef, RequestCode};

use crate::broker::state::{Broker, Changed};
use crate::history::BrokerEvent;

/// The longest wait for room in the write buffer; a notification that cannot be written is lost.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

impl Broker {
    /// Tells all members of these groups, new members included.
    pub(crate) fn notify_consumer_ids_changed(&self, changed: impl IntoIterator<Item = Changed>) {
        for Changed { group, members } in changed.into_iter().filter(|changed| !changed.members.is_empty()) {
            self.recorder.note(|| BrokerEvent::Notified {
                group: group.as_str().into(),
                peers: members.iter().map(|member| member.peer().clone()).collect(),
            });
            let header = NotifyConsumerIdsChangedRequestHeader { consumer_group: group.into() };
            let pushes = self.pushes();
            self.tasks.spawn(async move {
                let news = CommandRef::request(RequestCode::NOTIFY_CONSUMER_IDS_CHANGED, &header);
                for member in members {
                    // A member that has left needs no notification.
                    pushes.oneway(&member, &news, WRITE_LIMIT).await;
                }
            });
        }
    }
}
