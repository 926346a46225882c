use std::sync::Arc;

use rocketmq_common::MessageExt;

use super::Pool;
use crate::consumer::listener::{OrderlyResult, Slot};

/// Handles the messages of each queue one by one, until the pool has another size.
pub(super) async fn work(pool: Arc<Pool>, index: usize, slot: Slot<Arc<MessageExt>, OrderlyResult>) {
    let _ = slot;
    while pool.next(index).await.is_some() {}
}
