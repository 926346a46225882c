use rocketmq_remoting::protocol::body::{MessageRequestMode, SetMessageRequestModeRequestBody};

use super::answers::fan_out;
use super::{Answers, Brokers, MQAdmin, Server};
use crate::error::MQClientError;

impl MQAdmin {
    /// Sets whether the members of a group pull a topic or pop it, on the masters of these brokers. Members whose
    /// [`client_rebalance`](crate::conf::ConsumerOption::set_client_rebalance) is false follow while they run, within the 20 s in
    /// which each asks for its queues; others do not ask. With `pop_share_queue_num` 0 each member pops all queues; with a number
    /// n it pops its own and those of n other members. Request code 401; Java: `MQAdminExt.setMessageRequestMode`, `mqadmin
    /// setConsumeMode`. Dropping the future leaves the mode on the brokers told so far.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::{Brokers, MQAdmin, MessageRequestMode};
    /// # let mock = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # mock.create_topic("Orders", 4)?;
    /// let admin = MQAdmin::connect(mock.name_server_addr()).await?;
    /// let set = admin.set_message_request_mode("Orders", "billing", MessageRequestMode::Pop, 0, &Brokers::All).await?;
    /// assert!(set.is_complete());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the cluster or a broker does not exist; `NameServerUnreachable`; `FanOut` if no broker set it: its code
    /// is 17 for a topic that does not exist, and 16 for a retry topic, which is always pulled.
    pub async fn set_message_request_mode(
        &self,
        topic: &str,
        group: &str,
        mode: MessageRequestMode,
        pop_share_queue_num: u32,
        brokers: &Brokers,
    ) -> Result<Answers<Server, ()>, MQClientError> {
        let body = SetMessageRequestModeRequestBody {
            consumer_group: group.to_owned(),
            mode,
            pop_share_queue_num: i32::try_from(pop_share_queue_num).unwrap_or(i32::MAX),
            topic: topic.to_owned(),
        };
        fan_out(self.masters(brokers).await?, |server| {
            let body = &body;
            async move {
                let address = self.dial_address(&server)?;
                self.asking()?.set_message_request_mode(&address, body).await
            }
        })
        .await
        .any()
    }
}
