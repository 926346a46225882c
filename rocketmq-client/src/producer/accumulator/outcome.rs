use crate::error::{MQClientError, SendReport};
use crate::model::SendResult;

/// Splits the outcome of a request for several messages: each sender gets its own id, its own place, its own error.
/// `ids` are those of the messages; `reports` tell of the waits of their senders.
pub(in crate::producer) fn of_each<'a>(
    sent: Result<SendResult, MQClientError>,
    ids: Vec<String>,
    reports: impl Iterator<Item = &'a SendReport>,
) -> Vec<Result<SendResult, MQClientError>> {
    match sent {
        Ok(sent) => results(&sent, ids).into_iter().map(Ok).collect(),
        Err(error) => reports.map(|before| Err(own_error(&error, before))).collect(),
    }
}

/// A broker lists the ids of the records that it wrote, joined by commas. If it stores a batch as one record
/// (`queue.type=BatchCQ`), all messages share its id and place.
fn results(sent: &SendResult, ids: Vec<String>) -> Vec<SendResult> {
    let records: Vec<&str> = sent.offset_msg_id.split(',').collect();
    let each_its_own = records.len() == ids.len();
    let result = |(index, msg_id): (usize, String)| {
        let (record, offset) = if each_its_own { (index, index as i64) } else { (0, 0) };
        SendResult {
            transaction_id: sent.transaction_id.as_ref().map(|_| msg_id.clone()),
            offset_msg_id: records.get(record).copied().unwrap_or_default().to_owned(),
            queue_offset: sent.queue_offset + offset,
            msg_id,
            send_status: sent.send_status,
            message_queue: sent.message_queue.clone(),
            recall_handle: None,
            region_id: sent.region_id.clone(),
            trace_on: sent.trace_on,
        }
    };
    ids.into_iter().enumerate().map(result).collect()
}

fn own_error(error: &MQClientError, before: &SendReport) -> MQClientError {
    let Some(report) = error.report().cloned() else { return error.clone() };
    let waited_for_batch = before.waited_for_batch;
    error.clone().with_report(SendReport {
        waited_for_permits: before.waited_for_permits,
        waited_for_batch,
        prepared: report.prepared.saturating_sub(waited_for_batch),
        ..report
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Context;
    use crate::model::{MessageQueue, SendStatus};

    fn sent(offset_msg_id: &str) -> SendResult {
        SendResult {
            send_status: SendStatus::FlushDiskTimeout,
            msg_id: "A,B".to_owned(),
            offset_msg_id: offset_msg_id.to_owned(),
            message_queue: MessageQueue::new("T", "b", 1),
            queue_offset: 7,
            transaction_id: Some("W".to_owned()),
            recall_handle: None,
            region_id: None,
            trace_on: true,
        }
    }

    fn places(offset_msg_id: &str) -> Vec<(String, String, i64)> {
        let own = of_each(Ok(sent(offset_msg_id)), vec!["A".into(), "B".into()], std::iter::empty());
        let place = |result: Result<SendResult, MQClientError>| {
            let result = result.unwrap();
            assert_eq!(result.send_status, SendStatus::FlushDiskTimeout);
            assert_eq!(result.transaction_id.as_deref(), Some(&*result.msg_id));
            (result.msg_id, result.offset_msg_id, result.queue_offset)
        };
        own.into_iter().map(place).collect()
    }

    #[test]
    fn each_message_of_a_batch_has_its_own_place() {
        assert_eq!(places("X,Y"), [("A".into(), "X".into(), 7), ("B".into(), "Y".into(), 8)]);
    }

    #[test]
    fn messages_that_are_stored_as_one_record_share_its_place() {
        assert_eq!(places("X"), [("A".into(), "X".into(), 7), ("B".into(), "X".into(), 7)]);
    }

    #[test]
    fn each_sender_gets_the_error_with_its_own_waiting_times() {
        use std::time::Duration;
        let ms = Duration::from_millis;
        let error = MQClientError::TimedOut {
            timeout: ms(3000),
            waited_for: "x",
            context: Context::of(SendReport {
                prepared: ms(12),
                waited_for_route: ms(5),
                ..SendReport::default()
            }),
        };
        let before = SendReport { waited_for_permits: ms(3), waited_for_batch: ms(10), ..Default::default() };
        let own = of_each(Err(error), Vec::new(), std::iter::once(&before)).remove(0).unwrap_err();
        let report = own.report().unwrap();
        assert_eq!((report.waited_for_permits(), report.waited_for_batch()), (ms(3), ms(10)));
        assert_eq!((report.prepared(), report.waited_for_route()), (ms(2), ms(5)));
    }
}
