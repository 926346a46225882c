use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::conf::parse_name_servers;
use crate::error::{NameServerAnswer, with_causes};
use crate::mq_client_api::MQClientApi;
use crate::name_servers::NameServers;

/// The interval between requests to the address server.
const EVERY: Duration = Duration::from_secs(120);

/// The interval while no NameServer is known.
const EVERY_WITHOUT_ANY: Duration = Duration::from_secs(10);

/// The limit of one request, in seconds.
const TIMEOUT_SECONDS: u64 = 3;

/// The longest answer: a longer text is no list of addresses.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// An HTTP server that knows the addresses of the NameServers. Java: `DefaultTopAddressing`.
#[derive(Debug, Clone)]
pub(crate) struct TopAddressing {
    url: Arc<str>,
}

impl TopAddressing {
    pub(crate) fn new(url: Arc<str>) -> Self {
        Self { url }
    }

    /// Asks once. A failure keeps the list, and is reported to requests that find the list empty.
    pub(crate) async fn update(&self, name_servers: &NameServers) {
        match self.fetch().await {
            Ok(list) => name_servers.update(list),
            Err(said) => {
                tracing::warn!(url = %self.url, said, "the address server gave no NameServers, the list stays");
                name_servers.not_updated(NameServerAnswer { address: self.url.clone(), said });
            }
        }
    }

    /// Asks at each interval.
    pub(crate) async fn keep_updating(self, api: Arc<MQClientApi>) {
        loop {
            let none = api.name_servers().addresses().is_empty();
            sleep(if none { EVERY_WITHOUT_ANY } else { EVERY }).await;
            self.update(api.name_servers()).await;
        }
    }

    async fn fetch(&self) -> Result<Vec<Arc<str>>, String> {
        let url = self.url.clone();
        // A blocking HTTP client on a blocking thread: a request every two minutes justifies no async client.
        let answer = tokio::task::spawn_blocking(move || get(&url)).await;
        let answer = answer.map_err(|error| with_causes(&error))??;
        // Like in Java, only the first line counts.
        let list = answer.trim().split(['\r', '\n']).next().unwrap_or_default();
        if list.is_empty() {
            return Err("an empty answer".to_owned());
        }
        parse_name_servers(list).map_err(|error| format!("no list of NameServers: {error}"))
    }
}

fn get(url: &str) -> Result<String, String> {
    let request = minreq::get(url).with_timeout(TIMEOUT_SECONDS).with_max_redirects(3);
    let response = request.send_lazy().map_err(|error| with_causes(&error))?;
    if response.status_code != 200 {
        return Err(format!("HTTP status {}", response.status_code));
    }
    let mut body = Vec::new();
    response.take(ANSWER_LIMIT + 1).read_to_end(&mut body).map_err(|error| with_causes(&error))?;
    if body.len() as u64 > ANSWER_LIMIT {
        return Err(format!("more than {ANSWER_LIMIT} bytes"));
    }
    String::from_utf8(body).map_err(|error| with_causes(&error))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request after the other with these texts, and returns the requests.
    async fn serve(listener: &TcpListener, answer: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let count = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..count]).into_owned()
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn good_answers_change_the_list_and_bad_ones_do_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/rocketmq/nsaddr", listener.local_addr().unwrap());
        let (top_addressing, name_servers) = (TopAddressing::new(url.into()), NameServers::new(Vec::new()));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nns5:\r\n1\r\n5\r\n0\r\n\r\n";
        for (answer, list) in [
            (ok("not a list"), ""),
            (ok(" ns1:1;ns2:2 \r\n"), "ns1:1;ns2:2"),
            (ok("\n ns3:3\rignored:1\nignored:2"), "ns3:3"),
            (ok("  \r\n "), "ns3:3"),
            (ok("ns4"), "ns3:3"),
            (ok(&"ns4:4;".repeat(20_000)), "ns3:3"),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nns4:4".to_owned(), "ns3:3"),
            ("garbage".to_owned(), "ns3:3"),
            (chunked.to_owned(), "ns5:5"),
        ] {
            let (asked, ()) = tokio::join!(serve(&listener, &answer), top_addressing.update(&name_servers));
            assert!(asked.starts_with("GET /rocketmq/nsaddr HTTP/1.1\r\n"), "{asked}");
            assert_eq!(name_servers.addresses().join(";"), list, "after {answer:.60}");
        }
        drop(listener);
        top_addressing.update(&name_servers).await;
        assert_eq!(name_servers.addresses().join(";"), "ns5:5", "while it is down");
    }
}
