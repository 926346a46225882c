//! What a broker says of itself: 28. Java: `AdminBrokerProcessor.prepareRuntimeInfo`.

use rocketmq_remoting::protocol::body::{KVTable, encode_body};

use super::Broker;
use super::table::Request;
use crate::wire::{Answer, Refusal};

/// The version that the mock stands for, as number and name.
const VERSION: (&str, &str) = ("513", "V5_5_0");

/// Rates over ten seconds, a minute and ten minutes.
const NO_RATES: &str = "0.0 0.0 0.0";

/// Thread pools of Apache's broker. The mock answers at once, so that nothing queues up.
const POOLS: [&str; 5] = ["send", "pull", "litePull", "query", "ack"];

/// 28: what administration tools show of a broker. Totals are counted, rates are not measured.
pub(super) fn info(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let queues = state.topics.all().flat_map(|topic| topic.queues());
    let entries: Vec<_> = queues.flat_map(|queue| queue.entries()).collect();
    let earliest = entries.iter().map(|entry| entry.store_timestamp).min().unwrap_or(-1);
    let (count, end) = (entries.len().to_string(), state.log.position().to_string());
    let (boot, earliest) = (broker.boot_ms.to_string(), earliest.to_string());
    let mut table = KVTable::default();
    let mut put = |name: &str, value: &str| {
        table.table.insert(name.to_owned(), value.to_owned());
    };
    for name in ["sendThreadPoolQueueCapacity", "EndTransactionThreadPoolQueueCapacity"] {
        put(name, "10000");
    }
    for pool in POOLS {
        put(&format!("{pool}ThreadPoolQueueSize"), "0");
        put(&format!("{pool}ThreadPoolQueueHeadWaitTimeMills"), "0");
    }
    for name in ["putTps", "getFoundTps", "getMissTps", "getTotalTps", "getTransferredTps"] {
        put(name, NO_RATES);
    }
    for name in ["timerReadBehind", "timerOffsetBehind", "timerCongestNum", "pageCacheLockTimeMills"] {
        put(name, "0");
    }
    for name in ["timerEnqueueTps", "timerDequeueTps", "commitLogDiskRatio", "consumeQueueDiskRatio"] {
        put(name, "0.0");
    }
    for total in ["msgPutTotal", "msgGetTotal"] {
        put(&format!("{total}YesterdayMorning"), "0");
        put(&format!("{total}TodayMorning"), "0");
    }
    put("msgPutTotalTodayNow", &count);
    put("msgGetTotalTodayNow", "0");
    put("brokerActive", "true");
    put("brokerVersion", VERSION.0);
    put("brokerVersionDesc", VERSION.1);
    put("bootTimestamp", &boot);
    put("startAcceptSendRequestTimeStamp", "0");
    put("commitLogMinOffset", &state.log.min_position().to_string());
    put("commitLogMaxOffset", &end);
    put("dispatchMaxBuffer", "0");
    put("dispatchBehindBytes", "0");
    put("EndTransactionQueueSize", "0");
    put("earliestMessageTimeStamp", &earliest);
    let body = encode_body(&table);
    let body = body.map_err(|error| Refusal::exception("java.lang.RuntimeException", error))?;
    Ok(Answer::success().with_body(body))
}
