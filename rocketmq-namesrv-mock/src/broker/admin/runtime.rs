//! Run-time figures: 28. Java: `AdminBrokerProcessor.prepareRuntimeInfo`.

use rocketmq_common::mix_all::RMQ_SYS_SCHEDULE_TOPIC;
use rocketmq_remoting::protocol::body::KVTable;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_answer};

/// The version that the mock imitates.
const VERSION: &str = "V5_5_0";

/// Rates over ten seconds, a minute and ten minutes.
const NO_RATES: &str = "0.0 0.0 0.0";

/// Queue sizes of the thread pools of Apache's broker.
const CAPACITIES: [(&str, &str); 6] = [
    ("send", "10000"),
    ("pull", "100000"),
    ("litePull", "100000"),
    ("query", "20000"),
    ("ack", "100000"),
    ("EndTransaction", "100000"),
];

/// Durations of puts, which the mock does not measure.
const NO_PUT_TIMES: &str = "[<=0ms]:0 [0~10ms]:0 [10~50ms]:0 [50~100ms]:0 [100~200ms]:0 [200~500ms]:0 [500ms~1s]:0 \
                            [1~2s]:0 [2~3s]:0 [3~4s]:0 [4~5s]:0 [5~10s]:0 [10s~]:0 ";

/// Thread pools of Apache's broker. The mock answers at once, so their queues are empty.
const POOLS: [&str; 5] = ["send", "pull", "litePull", "query", "ack"];

/// 28: the figures that administration tools show. Totals are counted, rates are not measured.
pub(crate) fn runtime_info(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let state = broker.lock();
    let queues = state.topics.all().flat_map(|topic| topic.queues());
    let entries: Vec<_> = queues.flat_map(|queue| queue.entries()).collect();
    let earliest = entries.iter().map(|entry| entry.store_timestamp).min().unwrap_or(-1);
    let (count, end) = (entries.len().to_string(), state.log.position().to_string());
    // Java always prints a fraction.
    let average = format!("{:?}", state.log.position() as f64 / entries.len().max(1) as f64);
    let (boot, earliest) = (broker.boot_ms.to_string(), earliest.to_string());
    let mut table = KVTable::default();
    let mut put = |name: &str, value: &str| {
        table.table.insert(name.to_owned(), value.to_owned());
    };
    for (pool, capacity) in CAPACITIES {
        put(&format!("{pool}ThreadPoolQueueCapacity"), capacity);
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
    for name in ["timerEnqueueTps", "timerDequeueTps"] {
        put(name, "0.0");
    }
    let path = format!("commitLogDiskRatio_{}", broker.setting("storePathCommitLog"));
    for name in ["commitLogDiskRatio", &path, "consumeQueueDiskRatio"] {
        put(name, &used(broker.options.store_limit, state.log.stored_bytes()));
    }
    for (level, offset) in state.agenda.delivered() {
        let schedule = state.topics.get(RMQ_SYS_SCHEDULE_TOPIC);
        let end = schedule.map_or(0, |topic| topic.queue_or_empty(level - 1).max_offset());
        put(&format!("scheduleMessageOffset_{level}"), &format!("{offset},{end}"));
    }
    for total in ["msgPutTotal", "msgGetTotal"] {
        put(&format!("{total}YesterdayMorning"), "0");
        put(&format!("{total}TodayMorning"), "0");
    }
    put("msgPutTotalTodayNow", &count);
    put("msgGetTotalTodayNow", &state.figures.gets().to_string());
    put("brokerActive", "true");
    put("brokerVersionDesc", VERSION);
    put("bootTimestamp", &boot);
    put("startAcceptSendRequestTimeStamp", "0");
    put("commitLogMinOffset", &state.log.min_position().to_string());
    put("commitLogMaxOffset", &end);
    for name in ["getMessageEntireTimeMax", "putMessageEntireTimeMax", "putMessageFailedTimes"] {
        put(name, "0");
    }
    for name in ["putLatency99", "putLatency999"] {
        put(name, "0.00");
    }
    put("putMessageDistributeTime", NO_PUT_TIMES);
    put("putMessageTimesTotal", &count);
    put("putMessageSizeTotal", &end);
    put("putMessageAverageSize", &average);
    put("remainHowManyDataToFlush", "0 B");
    put("remainTransientStoreBufferNumbs", &i32::MAX.to_string());
    put("commitLogDirCapacity", &capacity(broker.options.store_limit, state.log.stored_bytes()));
    put("runtime", &duration(broker.now_ms().saturating_sub(broker.boot_ms)));
    put("dispatchMaxBuffer", "0");
    put("dispatchBehindBytes", "0");
    put("EndTransactionQueueSize", "0");
    put("earliestMessageTimeStamp", &earliest);
    json_answer(&table)
}

/// The used part of the memory for messages, from 0 to 1.
fn used(limit: usize, used: usize) -> String {
    let percent = (used as f64 * 100.0 / limit.max(1) as f64).round();
    format!("{:?}", percent / 100.0)
}

/// The capacity of the disk, for which the memory for messages stands.
fn capacity(limit: usize, used: usize) -> String {
    format!("Total : {}, Free : {}.", readable(limit), readable(limit.saturating_sub(used)))
}

/// Bytes in a readable unit.
fn readable(bytes: usize) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, seconds / 86_400);
    format!("[ {days} days, {hours} hours, {minutes} minutes, {} seconds ]", seconds % 60)
}
