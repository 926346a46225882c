//! Cleaning, replicas and cold data: 306, 316, 329, 907, 2003.

use rocketmq_remoting::protocol::RequestCode;
use serde::Serialize;

use crate::broker::state::Broker;
use crate::wire::{Answer, Refusal, Request, json_answer};

/// The request for groups that read messages which are no longer in memory.
pub(crate) const COLD_DATA: RequestCode = RequestCode(2003);

/// 306, 316, 329. The mock has no files, so there is nothing to clean.
pub(crate) fn clean(_: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::success())
}

/// Java: `HARuntimeInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replicas {
    ha_client_runtime_info: ClientInfo,
    ha_connection_info: [(); 0],
    in_sync_slave_nums: usize,
    master: bool,
    master_commit_log_max_offset: i64,
}

/// Java: `HARuntimeInfo.HAClientRuntimeInfo`.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct ClientInfo {
    last_read_timestamp: i64,
    last_write_timestamp: i64,
    master_flush_offset: i64,
    max_offset: i64,
    transferred_byte_in_second: i64,
}

/// 907. Slaves of the mock have no connection of their own to list.
pub(crate) fn replicas(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let position = broker.lock().log.position();
    let master = !broker.is_slave();
    json_answer(&Replicas {
        ha_client_runtime_info: ClientInfo {
            max_offset: if master { 0 } else { position },
            ..ClientInfo::default()
        },
        ha_connection_info: [],
        in_sync_slave_nums: broker.slaves_up(),
        master,
        master_commit_log_max_offset: if master { position } else { 0 },
    })
}

/// Java: `ColdDataCgCtrService.getColdDataFlowCtrInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ColdData {
    runtime_table: NoEntries,
    config_table: NoEntries,
    cg_cold_read_threshold: i64,
    global_cold_read_threshold: i64,
    global_acc: i64,
}

#[derive(Serialize)]
struct NoEntries {}

/// 2003. All messages are in memory: no group reads cold ones.
pub(crate) fn cold_data(_: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    json_answer(&ColdData {
        runtime_table: NoEntries {},
        config_table: NoEntries {},
        cg_cold_read_threshold: 3 * 1024 * 1024,
        global_cold_read_threshold: 100 * 1024 * 1024,
        global_acc: 0,
    })
}
