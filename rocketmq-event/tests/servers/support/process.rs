use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::park_timeout;
use std::time::{Duration, Instant, SystemTime};

/// Generous: a cold machine with two very busy cores.
const BOOT_DEADLINE: Duration = Duration::from_secs(180);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const TAIL_LINES: usize = 40;
/// Below those that the system gives to outgoing connections: a server that is started again finds its port free.
const PORTS: std::ops::Range<u64> = 10_000..30_000;

/// Runs the command in its arguments until it ends or until this shell's standard input is closed, which the kernel does for
/// us however the test process ends. Only then does it kill, and only its own child.
const WATCH: &str = r#"
trap '' INT HUP
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -KILL "$server"; } 2>/dev/null &
watch=$!
exec 3<&-
wait "$server"
code=$?
kill "$watch" 2>/dev/null
exit "$code"
"#;

/// A process and the shell that watches over it. Dropping it kills the process with SIGKILL, and waits until it is gone.
#[derive(Debug)]
pub(super) struct Server {
    shell: Child,
    log: PathBuf,
}

impl Server {
    /// Starts a command. What it prints goes to `log`.
    pub(super) fn start(command: &Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("create a server's log");
        let errors = output.try_clone().expect("share a server's log");
        let mut watched = Command::new("sh");
        watched.args(["-c", WATCH, "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            watched.env(name, value.expect("no variable is taken away"));
        }
        let shell = watched
            .current_dir(log.parent().expect("a log lies in a folder"))
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("start a shell");
        Self { shell, log: log.to_owned() }
    }

    /// Waits until the server answers `request` on its port. It panics with the end of the log when the server ends before.
    pub(super) fn wait_until_it_answers(&mut self, port: u16, request: &[u8]) {
        let started = Instant::now();
        while !answers(port, request) {
            let ended = self.shell.try_wait().expect("ask for a child's state");
            assert!(ended.is_none(), "the server ended by itself: {}", self.tail());
            assert!(started.elapsed() < BOOT_DEADLINE, "no answer after {BOOT_DEADLINE:?}: {}", self.tail());
            park_timeout(POLL_INTERVAL);
        }
    }

    fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The shell ends right after the kill; nothing is to be done if it cannot be waited for.
        let _ = self.shell.wait();
    }
}

fn answers(port: u16, request: &[u8]) -> bool {
    let ask = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request)?;
        stream.read(&mut [0; 8])
    };
    ask().is_ok_and(|read| read > 0)
}

/// Free ports.
pub(crate) fn ports<const COUNT: usize>() -> [u16; COUNT] {
    // All are held until the last is known to be free, and let go together.
    let mut held = Vec::new();
    while held.len() < COUNT {
        let port = u16::try_from(PORTS.start + random() % (PORTS.end - PORTS.start)).unwrap();
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
    }
    std::array::from_fn(|place| held[place].local_addr().unwrap().port())
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}

/// A new folder for a server. It is deleted with the value.
#[derive(Debug)]
pub(super) struct Home(pub(super) PathBuf);

impl Home {
    pub(super) fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let home = target().join("servers").join(format!("{name}-{}-{count}", std::process::id()));
        // What an earlier process with the same id left behind.
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).expect("create a server's folder");
        Self(home)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        fs::write(&file, text).expect("write a server's file");
        file
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // A failed test leaves its logs.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

pub(super) fn target() -> PathBuf {
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.find(|folder| folder.join(".ci").is_dir()).expect("this is a clone").join("target")
}
