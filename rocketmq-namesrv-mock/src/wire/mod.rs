//! Reads requests and writes answers like Apache's servers.
//!
//! * `request`, `fields`, `json`, `about`: the parts of a request.
//! * `answer`, `reply`, `answer_frames`: answers, their way back, and faults on it. `texts`: parts of remarks.

pub(crate) mod about;
mod answer;
pub(crate) mod answer_frames;
mod fields;
mod json;
mod reply;
mod request;
mod texts;

pub(crate) use answer::{Answer, Refusal};
pub(crate) use fields::{read_fields, required};
pub(crate) use json::{decode_json, encode_json, json_answer, json_body, json_text, optional_json_body};
pub(crate) use reply::{AnswerFault, Reply};
pub(crate) use request::Request;
pub(crate) use texts::{NOT_SET, SEE_FAQ, bare_numbers, java_time, peer_with_slash};
