//! The end-to-end cases, on Apache's broker.

use crate::cases;
use crate::for_each_case;
use crate::shared::shared;

macro_rules! on_apache {
    ($($room:ident: $($case:ident),+;)+) => {
        $(mod $room {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                cases::$room::$case(shared().name_server_addr()).await;
            })+
        })+
    };
}

for_each_case!(on_apache);
