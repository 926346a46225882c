//! Rules as JSON objects: reading and writing.

use std::fmt::Write;
use std::time::Duration;

use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::fields::{Fields, not_allowed, required};
use super::{AnswerChange, Fault, FaultAction, FaultError, RecordDamage};

/// The request codes of sends.
pub(super) const SENDS: [RequestCode; 5] = [
    RequestCode::SEND_MESSAGE,
    RequestCode::SEND_MESSAGE_V2,
    RequestCode::SEND_BATCH_MESSAGE,
    RequestCode::SEND_REPLY_MESSAGE,
    RequestCode::SEND_REPLY_MESSAGE_V2,
];

/// The values of `do`.
const ACTIONS: &str = "delay, delay_answer, drop_request, drop_answer, refuse, answer, answer_with, change_answer, go_away, \
    close, close_afterwards, reset, cut_answer, corrupt_answer, garbage, answer_twice, stray_answer, trickle, \
    stop_reading, crash, stop, read_only";

/// The allowed forms of `on`.
const KINDS: &str = "a request's code (310), Java's name of it (SEND_MESSAGE_V2), `sends`, `all`, or several of them \
    are";

impl Fault {
    /// Reads one rule.
    pub(super) fn read(map: &Map<String, Value>) -> Result<Self, FaultError> {
        let mut fields = Fields::new(map);
        let most = i64::from(u32::MAX);
        // The conversion cannot fail: ranges were checked.
        let count = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let name = required("do", fields.text("do")?, &format!("what goes wrong: {ACTIONS}"))?;
        let action = read_action(name, &mut fields)?;
        let fault = Self {
            codes: read_codes(fields.value("on"))?,
            topic: fields.text("topic")?.map(str::to_owned),
            group: fields.text("group")?.map(str::to_owned),
            server: fields.text("server")?.map(str::to_owned),
            after: fields.number("after", 0..=most)?.map_or(0, count),
            times: fields.number("times", 1..=most)?.map(count),
            probability: fields.probability("probability")?,
            seed: fields.number("seed", 0..=i64::MAX)?.unwrap_or(0).unsigned_abs(),
            action,
        };
        fields.finish(name)?;
        Ok(fault)
    }

    fn write(&self) -> Map<String, Value> {
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| {
            map.insert(name.to_owned(), value);
        };
        put("on", write_codes(&self.codes));
        for (name, value) in [("topic", &self.topic), ("group", &self.group), ("server", &self.server)] {
            if let Some(value) = value {
                put(name, json!(value));
            }
        }
        if self.after > 0 {
            put("after", json!(self.after));
        }
        if let Some(times) = self.times {
            put("times", json!(times));
        }
        if let Some(probability) = self.probability {
            put("probability", json!(probability));
            put("seed", json!(self.seed));
        }
        put("do", json!(self.action.name()));
        write_action(&self.action, &mut put);
        map
    }
}

fn read_action(name: &str, fields: &mut Fields<'_>) -> Result<FaultAction, FaultError> {
    let remark = |fields: &mut Fields<'_>| Ok(fields.text("remark")?.unwrap_or_default().to_owned());
    Ok(match name {
        "delay" => FaultAction::Delay(fields.required_time("ms")?),
        "delay_answer" => FaultAction::DelayAnswer(fields.required_time("ms")?),
        "drop_request" => FaultAction::DropRequest,
        "drop_answer" => FaultAction::DropAnswer,
        "refuse" => FaultAction::Refuse { code: read_answer_code(fields)?, remark: remark(fields)? },
        "answer" => FaultAction::Answer {
            code: read_answer_code(fields)?,
            remark: remark(fields)?,
            fields: fields.texts("fields")?,
            body: fields.bytes("body", "body_hex")?.unwrap_or_default(),
        },
        "answer_with" => FaultAction::AnswerWith { code: read_answer_code(fields)?, remark: remark(fields)? },
        "change_answer" => FaultAction::ChangeAnswer(read_change(fields)?),
        "go_away" => FaultAction::GoAway,
        "close" => FaultAction::Close,
        "close_afterwards" => FaultAction::CloseAfterwards,
        "reset" => FaultAction::Reset,
        "cut_answer" => {
            let at =
                required("byte", fields.number("byte", 0..=i64::from(i32::MAX))?, "how many are written")?;
            // The conversion cannot fail: the range was checked.
            FaultAction::CutAnswer { at: usize::try_from(at).unwrap_or(0), reset: fields.flag("reset")? }
        }
        "corrupt_answer" => {
            let range = -i64::from(i32::MAX)..=i64::from(i32::MAX);
            FaultAction::CorruptAnswer { at: required("byte", fields.number("byte", range)?, "which one")? }
        }
        "garbage" => {
            let bytes = fields.bytes("text", "hex")?;
            FaultAction::Garbage(required("text", bytes, "what is written; so does `hex`")?)
        }
        "answer_twice" => FaultAction::AnswerTwice,
        "stray_answer" => FaultAction::StrayAnswer,
        "trickle" => FaultAction::Trickle(fields.required_time("ms")?),
        "stop_reading" => FaultAction::StopReading(fields.time("ms")?),
        "crash" => {
            let back_after = fields.time("back_after_ms")?;
            FaultAction::Crash { back_after, new_port: fields.flag("new_port")? }
        }
        "stop" => {
            let back_after = fields.time("back_after_ms")?;
            FaultAction::Stop { back_after, new_port: fields.flag("new_port")? }
        }
        "read_only" => FaultAction::ReadOnly(fields.time("ms")?),
        other => return Err(not_allowed("do", &other, &format!("{ACTIONS} are"))),
    })
}

fn read_change(fields: &mut Fields<'_>) -> Result<AnswerChange, FaultError> {
    let last = i64::from(i32::MAX);
    // The conversion cannot fail: the range was checked.
    let record =
        fields.number("record", -last..=last)?.map_or(0, |record| i32::try_from(record).unwrap_or(0));
    let damage = fields.text("damage")?.map(|wanted| {
        let found = RecordDamage::ALL.into_iter().find(|(_, name)| *name == wanted);
        let allowed = RecordDamage::ALL.map(|(_, name)| name).join(", ") + " are";
        found.map(|(damage, _)| (record, damage)).ok_or_else(|| not_allowed("damage", &wanted, &allowed))
    });
    let code = fields.value("code").is_some().then(|| read_answer_code(fields)).transpose()?;
    Ok(AnswerChange {
        code,
        remark: fields.text("remark")?.map(str::to_owned),
        fields: fields.texts("fields")?,
        body: fields.bytes("body", "body_hex")?,
        damage: damage.transpose()?,
    })
}

fn write_change(change: &AnswerChange, put: &mut impl FnMut(&str, Value)) {
    if let Some(code) = change.code {
        write_code_and_remark(code, "", put);
    }
    if let Some(remark) = &change.remark {
        put("remark", json!(remark));
    }
    write_fields(&change.fields, put);
    if let Some(body) = &change.body {
        put("body_hex", json!(to_hex(body)));
    }
    if let Some((record, damage)) = change.damage {
        put("record", json!(record));
        let name = RecordDamage::ALL.into_iter().find(|(known, _)| *known == damage).map(|(_, name)| name);
        put("damage", json!(name));
    }
}

fn write_fields(fields: &[(String, String)], put: &mut impl FnMut(&str, Value)) {
    if !fields.is_empty() {
        let texts = fields.iter().map(|(name, value)| (name.clone(), json!(value)));
        put("fields", Value::Object(texts.collect()));
    }
}

fn write_action(action: &FaultAction, put: &mut impl FnMut(&str, Value)) {
    let ms = |time: &Duration| json!(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    match action {
        FaultAction::Delay(time) | FaultAction::DelayAnswer(time) | FaultAction::Trickle(time) => {
            put("ms", ms(time));
        }
        FaultAction::Refuse { code, remark } | FaultAction::AnswerWith { code, remark } => {
            write_code_and_remark(*code, remark, put);
        }
        FaultAction::Answer { code, remark, fields, body } => {
            write_code_and_remark(*code, remark, put);
            write_fields(fields, put);
            if !body.is_empty() {
                put("body_hex", json!(to_hex(body)));
            }
        }
        FaultAction::ChangeAnswer(change) => write_change(change, put),
        FaultAction::CutAnswer { at, reset } => {
            put("byte", json!(at));
            put("reset", json!(reset));
        }
        FaultAction::CorruptAnswer { at } => put("byte", json!(at)),
        FaultAction::Garbage(bytes) => put("hex", json!(to_hex(bytes))),
        FaultAction::StopReading(time) | FaultAction::ReadOnly(time) => {
            if let Some(time) = time {
                put("ms", ms(time));
            }
        }
        FaultAction::Crash { back_after, new_port } | FaultAction::Stop { back_after, new_port } => {
            if let Some(time) = back_after {
                put("back_after_ms", ms(time));
            }
            put("new_port", json!(new_port));
        }
        FaultAction::DropRequest
        | FaultAction::DropAnswer
        | FaultAction::GoAway
        | FaultAction::Close
        | FaultAction::CloseAfterwards
        | FaultAction::Reset
        | FaultAction::AnswerTwice
        | FaultAction::StrayAnswer => {}
    }
}

fn write_code_and_remark(code: ResponseCode, remark: &str, put: &mut impl FnMut(&str, Value)) {
    put("code", code.name().map_or_else(|| json!(code.0), |name| json!(name)));
    if !remark.is_empty() {
        put("remark", json!(remark));
    }
}

fn read_answer_code(fields: &mut Fields<'_>) -> Result<ResponseCode, FaultError> {
    let value = required("code", fields.value("code"), "the answer's code, as a number or by Java's name")?;
    let named = value.as_str().and_then(ResponseCode::named);
    match named.or_else(|| read_number(value).map(ResponseCode)) {
        Some(code) => Ok(code),
        None => Err(not_allowed("code", value, "a number (2) or Java's name of it (SYSTEM_BUSY) is")),
    }
}

fn read_codes(value: Option<&Value>) -> Result<Vec<RequestCode>, FaultError> {
    let mut codes = Vec::new();
    let mut all = value.is_none();
    let mut add = |kind: &Value| -> Result<(), FaultError> {
        match kind.as_str() {
            Some("all") => all = true,
            Some("sends") => codes.extend(SENDS),
            named => {
                let named = named.and_then(RequestCode::named);
                let code = named.or_else(|| read_number(kind).map(RequestCode));
                codes.push(code.ok_or_else(|| not_allowed("on", kind, KINDS))?);
            }
        }
        Ok(())
    };
    match value {
        None => {}
        Some(Value::Array(kinds)) if !kinds.is_empty() => kinds.iter().try_for_each(&mut add)?,
        Some(Value::String(kinds)) => kinds.split(',').try_for_each(|kind| add(&json!(kind.trim())))?,
        Some(other) => add(other)?,
    }
    Ok(if all { Vec::new() } else { codes })
}

fn write_codes(codes: &[RequestCode]) -> Value {
    match codes {
        [] => json!("all"),
        codes if *codes == SENDS => json!("sends"),
        codes => codes.iter().map(|code| code.name().map_or(json!(code.0), |name| json!(name))).collect(),
    }
}

fn read_number(value: &Value) -> Option<i32> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => i32::try_from(other.as_i64()?).ok(),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.write().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(deserializer)?;
        Self::read(&map).map_err(serde::de::Error::custom)
    }
}
