//! Programs for clients in scripting languages.

use std::path::Path;

use crate::program::{self, Section};
use crate::servers::Server;

/// Topics that these programs send to: not all of the clients let a send create its topic.
const ALI_ONS_TOPICS: &[&str] =
    &["ali-ons-send", "ali-ons-large", "ali-ons-tags", "ali-ons-retry", "ali-ons-broadcast", "ali-ons-delay"];
const PYTHON_TOPICS: &[&str] = &[
    "python-sync",
    "python-oneway",
    "python-batch",
    "python-ordered",
    "python-tags",
    "python-delay",
    "python-pull",
];

/// npm's ali-ons.
pub(crate) fn ali_ons(server: Server) -> Vec<Section> {
    let packages = program::fetched("ali-ons-3.12.0");
    let mut command = program::bounded(Path::new("node"));
    command.arg(program::sources("node").join("main.mjs")).arg(server.plain_with(ALI_ONS_TOPICS).name_server);
    command.env("FOREIGN_PACKAGES", packages).current_dir(program::fresh_home("ali-ons", server));
    program::sections(command)
}

/// PyPI's rocketmq, which is the C++ client.
pub(crate) fn python(server: Server) -> Vec<Section> {
    let python = program::fetched("python-rocketmq-0.4.4").join("venv/bin/python");
    let home = program::fresh_home("python", server);
    let mut command = program::bounded(&python);
    command.arg(program::sources("python").join("main.py")).arg(server.plain_with(PYTHON_TOPICS).name_server);
    // The client writes its logs below the user's home.
    command.env("HOME", &home).current_dir(&home);
    program::sections(command)
}
