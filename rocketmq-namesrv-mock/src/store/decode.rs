//! Reading records back.

use bytes::Bytes;
use rocketmq_common::MessageExt;
use rocketmq_common::record::{RecordDecoder, RecordOptions};

/// A message without its body.
pub(crate) fn decode_head(record: &Bytes) -> Option<MessageExt> {
    decode(record, RecordOptions { read_body: false, ..RecordOptions::default() })
}

/// A message with its stored body, which may be compressed.
pub(crate) fn decode_stored(record: &Bytes) -> Option<MessageExt> {
    decode(record, RecordOptions { decompress: false, check_crc: false, ..RecordOptions::default() })
}

fn decode(record: &Bytes, options: RecordOptions) -> Option<MessageExt> {
    RecordDecoder::with_options(record.clone(), options).next()?.ok()
}
