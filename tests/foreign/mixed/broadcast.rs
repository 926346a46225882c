//! The file of a broadcast member, written by one client and read by the other.

use super::{Client, Home, Scene, bodies, everywhere, until_handled};
use crate::members::Join;
use crate::program;

#[test]
fn a_member_goes_on_at_the_file_of_the_other_client() {
    everywhere(async |scene: &Scene, first: Client, second: Client| {
        let home = Home(program::fetched("home").join(&scene.group));
        let join = Join { kind: "broadcast", ..Join::new(&scene.group, &scene.topic) };
        // Twice: what the second client wrote is read by the first.
        for (turn, client) in [first, second, first].into_iter().enumerate() {
            let sent = scene.send(&format!("turn{turn}-"), 24).await;
            let mut members = scene.members_at(client, &home.0).await;
            members.join("a-member", &join).await;
            until_handled(&sent, &[&members]).await;
            members.leave("a-member").await;
            assert_eq!(bodies(&members.done()), sent, "{client:?} as number {turn}");
        }
    });
}
