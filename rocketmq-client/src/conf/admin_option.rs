use super::SerializeType;
use super::macros::client_options;
use crate::error::MQClientError;

client_options! {
    /// Options of an admin. Java: the properties of `DefaultMQAdminExt` and `ClientConfig`.
    pub struct AdminOption {}
}
