//! Programs for Apache's own clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, Section};
use crate::servers::{Server, Site};
use crate::support::process::{MODULE_FLAGS, START_FLAGS, java};

/// Our programs, compiled against one version of the client.
#[derive(Debug)]
pub(crate) struct Java {
    name: &'static str,
    class_path: String,
}

/// The jars that `apache/fetch` copies: client, tools and servers 5.5.0.
pub(crate) fn apache_lib() -> PathBuf {
    program::root().join("target/apache/lib")
}

impl Java {
    /// Compiles folders below `tests/foreign/java` against the jars in `lib`.
    pub(crate) fn compiled(name: &'static str, folders: &[&str], lib: &Path) -> Self {
        let classes = program::fetched("classes").join(name);
        let _ = fs::remove_dir_all(&classes);
        fs::create_dir_all(&classes).expect("create a folder for classes");
        let jars = lib.join("*").display().to_string();
        let mut command = Command::new(java().with_file_name("javac"));
        // 8 is the language of the older client's time.
        command.args(["--release", "8", "-Xlint:-options,-deprecation", "-encoding", "UTF-8", "-nowarn"]);
        command.args(["-cp", &jars, "-d"]).arg(&classes);
        for folder in folders {
            command.args(files(&program::sources("java").join(folder)));
        }
        let output = command.output().expect("run javac");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Resources first: a setting for logs that wins over those in the jars.
        let resources = program::sources("java").join("resources");
        Self { name, class_path: format!("{}:{}:{jars}", resources.display(), classes.display()) }
    }

    /// Runs `foreign.Main`: all features of a set.
    pub(crate) fn features(&self, server: Server, tag: &str) -> Vec<Section> {
        let sets = [("plain", server.plain()), ("acl", server.with_acl()), ("tls", server.with_tls())];
        sets.into_iter().flat_map(|(set, site)| self.run("Main", server, &site, &[tag, set])).collect()
    }

    /// Runs `foreign.Mqadmin`: commands of Apache's tool.
    pub(crate) fn commands(&self, server: Server) -> Vec<Section> {
        self.run("Mqadmin", server, &server.for_admins(), &[])
    }

    /// Runs `foreign.Benchmarks`: programs that come with Apache RocketMQ.
    pub(crate) fn benchmarks(&self, server: Server) -> Vec<Section> {
        const TOPICS: &[&str] = &["foreign-bench-sync", "foreign-bench-async", "foreign-bench-batch"];
        let site = server.plain_with(TOPICS);
        let runs = ["counted", "batch", "async"].into_iter();
        runs.flat_map(|which| self.run("Benchmarks", server, &site, &[which])).collect()
    }

    /// Runs a program with the address of a NameServer and more.
    fn run(&self, program: &str, server: Server, site: &Site, arguments: &[&str]) -> Vec<Section> {
        let home = program::fresh_home(self.name, server);
        let mut command = program::bounded(&java());
        self.complete(&mut command, program, &home, &[format!("-Dforeign.broker={}", site.broker)]);
        command.arg(&site.name_server).args(arguments);
        program::sections(command)
    }

    /// The command that runs a program with the address of a NameServer.
    pub(crate) fn command(&self, program: &str, home: &Path, name_server: &str) -> Command {
        let mut command = Command::new(java());
        self.complete(&mut command, program, home, &[]);
        command.arg(name_server);
        command
    }

    fn complete(&self, command: &mut Command, program: &str, home: &Path, properties: &[String]) {
        command.args(START_FLAGS).args(MODULE_FLAGS).arg("-Xmx512m").args(properties);
        // Clients write their logs, and the offsets of broadcasting, below the user's home.
        command.arg(format!("-Duser.home={}", home.display())).current_dir(home);
        command.args(["-cp", &self.class_path, &format!("foreign.{program}")]);
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("read a folder of sources");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("read a folder").path()).collect();
    files.sort();
    files
}
