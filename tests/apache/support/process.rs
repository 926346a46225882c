//! One Java server, which cannot outlive the test process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Parts of the JDK that Apache's code opens on JDK 17.
pub(crate) const MODULE_FLAGS: &[&str] = &[
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
];

/// Short-lived servers: starting fast matters more than peak speed.
pub(crate) const START_FLAGS: &[&str] = &["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];

/// Runs the command in its arguments (the first is the store to delete afterwards) until it ends or until this shell's
/// standard input is closed, which the kernel does for us however the test process ends. Only then does it kill, and
/// only its own child. A line of input before the end leaves the store where it is.
const WATCH: &str = r#"
trap '' INT HUP
store=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ if read -r _ <&3; then : > "$store.kept"; fi; kill -KILL "$server"; } 2>/dev/null &
watch=$!
exec 3<&-
wait "$server"
code=$?
kill "$watch" 2>/dev/null
if [ -e "$store.kept" ]; then rm -f -- "$store.kept"; else rm -rf -- "$store"; fi
exit "$code"
"#;

/// A shell's exit code for "command not found".
const NOT_FOUND: i32 = 127;
const TAIL_LINES: usize = 40;

/// A server and the shell that watches over it. Dropping it kills the server and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    pub(crate) shell: Child,
    home: PathBuf,
}

impl Server {
    /// Starts `class`; `conf` becomes its configuration file. The folder `name` in `home` takes all that it writes, and
    /// `store` in there, which is deleted when the server ends, what it is to keep for so long.
    pub(crate) fn start(
        home: &Path,
        name: &str,
        class: &str,
        lib: &Path,
        flags: &[String],
        conf: &str,
    ) -> Self {
        let home_of_server = home.join(name);
        fs::create_dir_all(&home_of_server).expect("create a server's folder");
        let conf_file = home_of_server.join("server.conf");
        fs::write(&conf_file, conf).expect("write a server's configuration");
        let output = File::create(home_of_server.join("stdout.log")).expect("create a server's log");
        let errors = output.try_clone().expect("share a server's log");

        let shell = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(home_of_server.join("store"))
            .arg(java())
            .args(flags)
            .args(START_FLAGS)
            .args(MODULE_FLAGS)
            // Apache's logging writes below the user's home.
            .arg(format!("-Duser.home={}", home_of_server.display()))
            .arg("-cp")
            .arg(lib.join("*"))
            .arg(class)
            .arg("-c")
            .arg(&conf_file)
            .env("ROCKETMQ_HOME", &home_of_server)
            .current_dir(&home_of_server)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("start a shell");
        Self { name: name.to_owned(), shell, home: home_of_server }
    }

    /// Why the server is no longer running, with the tails of its logs; `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.shell.try_wait().expect("ask for a child's state")?;
        if status.code() == Some(NOT_FOUND) {
            return Some(format!(
                "no JVM at {:?}: install JDK 17, put java on the PATH or set JAVA_HOME",
                java()
            ));
        }
        Some(format!("the Apache {} ended by itself, {status}{}", self.name, self.log_tails()))
    }

    /// The last lines of each log that is not empty.
    pub(crate) fn log_tails(&self) -> String {
        let mut logs = vec![self.home.join("stdout.log")];
        if let Ok(entries) = fs::read_dir(self.home.join("logs/rocketmqlogs")) {
            logs.extend(entries.flatten().map(|entry| entry.path()));
        }
        let mut tails = String::new();
        for log in logs {
            let text =
                fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            if !lines.is_empty() {
                let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
                tails.push_str(&format!("\n--- {} ---\n{}", log.display(), tail.join("\n")));
            }
        }
        tails
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // The shell ends right after the kill; nothing is to be done if it cannot be waited for.
        let _ = self.shell.wait();
    }
}

pub(crate) fn java() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) => Path::new(&home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}
