//! Frames encoded in advance, and their answers, which are skipped: the limit of the machine without a client.

use bytes::{Buf, BytesMut};
use rocketmq_remoting::protocol::{FrameLimits, RemotingCommand, ResponseCode, SerializeType, decode_frame};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::samples::send_header;

/// A send in a producer's form. All have one opaque: it is not looked at here.
pub fn frame(topic: &str, headers: SerializeType, bytes: usize) -> Vec<u8> {
    let header = send_header(topic);
    let mut command = RemotingCommand::request_with(&header).with_body(vec![b'x'; bytes]);
    command.serialize_type = headers;
    let mut frame = BytesMut::new();
    command.encode(&mut frame).expect("a frame within the limits");
    frame.to_vec()
}

/// Reads the answers of one connection.
#[derive(Debug, Default)]
pub struct Answers {
    buffer: BytesMut,
    checked: bool,
}

impl Answers {
    /// Reads `count` answers, and skips them by their length.
    ///
    /// # Panics
    /// When the broker closes the connection, or refuses the first frame.
    pub async fn wait_for(&mut self, stream: &mut TcpStream, mut count: usize) {
        while count > 0 {
            while let Some(answer) = self.skip_one() {
                count -= 1;
                if !self.checked {
                    self.checked = true;
                    assert_eq!(answer, ResponseCode::SUCCESS.0, "the broker refuses the frame");
                }
            }
            if count > 0 {
                self.buffer.reserve(64 * 1024);
                let read = stream.read_buf(&mut self.buffer).await.expect("the broker answers");
                assert!(read > 0, "the broker closed the connection");
            }
        }
    }

    /// Skips one answer if it is there. Returns the code of the first answer, and 0 for all others.
    fn skip_one(&mut self) -> Option<i32> {
        if !self.checked {
            let answer = decode_frame(&mut self.buffer, &FrameLimits::default());
            return answer.expect("the broker sends frames").map(|answer| answer.code);
        }
        let length = u32::from_be_bytes(*self.buffer.first_chunk::<4>()?) as usize + 4;
        (self.buffer.len() >= length).then(|| self.buffer.advance(length)).map(|()| 0)
    }
}
