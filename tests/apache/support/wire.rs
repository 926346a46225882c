//! Requests made by hand: they judge the servers, so they share no code with the client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

const HEART_BEAT: i32 = 34;
const GET_ROUTEINFO_BY_TOPIC: i32 = 105;
/// 5.5.0, so that bodies are strict JSON.
const VERSION: i32 = 513;
const OPAQUE: i32 = 7;
const TIMEOUT: Duration = Duration::from_secs(5);
const FRAME_LIMIT: usize = 16 * 1024 * 1024;

/// The answer of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i64,
    pub(crate) body: Vec<u8>,
}

/// Asks a NameServer where `topic` lives.
pub(crate) fn route(name_server: &str, topic: &str) -> Result<Answer, io::ErrorKind> {
    call(name_server, GET_ROUTEINFO_BY_TOPIC, &json!({ "topic": topic }), b"")
}

/// Tells a broker about a client without producers and consumers.
pub(crate) fn heartbeat(broker: &str, client_id: &str) -> Result<Answer, io::ErrorKind> {
    let body = json!({ "clientID": client_id, "consumerDataSet": [], "producerDataSet": [] });
    call(broker, HEART_BEAT, &json!({}), body.to_string().as_bytes())
}

fn call(addr: &str, code: i32, ext_fields: &Value, body: &[u8]) -> Result<Answer, io::ErrorKind> {
    exchange(addr, code, ext_fields, body).map_err(|error| error.kind())
}

fn exchange(addr: &str, code: i32, ext_fields: &Value, body: &[u8]) -> io::Result<Answer> {
    let addr: SocketAddr = addr.parse().map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&addr, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(&frame(code, ext_fields, body)?)?;

    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_LIMIT {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest)?;
    parse(&rest).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn frame(code: i32, ext_fields: &Value, body: &[u8]) -> io::Result<Vec<u8>> {
    let header = json!({
        "code": code,
        "extFields": ext_fields,
        "flag": 0,
        "language": "JAVA",
        "opaque": OPAQUE,
        "serializeTypeCurrentRPC": "JSON",
        "version": VERSION,
    })
    .to_string();
    let header_length = u32::try_from(header.len()).map_err(io::Error::other)?;
    let length = u32::try_from(4 + header.len() + body.len()).map_err(io::Error::other)?;
    let mut frame = length.to_be_bytes().to_vec();
    // The top byte is the serialization type; 0 is JSON.
    frame.extend_from_slice(&header_length.to_be_bytes());
    frame.extend_from_slice(header.as_bytes());
    frame.extend_from_slice(body);
    Ok(frame)
}

fn parse(frame: &[u8]) -> Option<Answer> {
    let (length, rest) = frame.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let (header, body) = rest.split_at_checked(length)?;
    let header: Value = serde_json::from_slice(header).ok()?;
    let is_answer = header["opaque"] == OPAQUE && header["flag"].as_i64()? & 1 == 1;
    is_answer.then_some(Answer { code: header["code"].as_i64()?, body: body.to_vec() })
}
