//! The end-to-end cases, on Apache's broker.

use crate::cases;
use crate::shared::shared;
use crate::{for_each_case, for_each_case_of_apache};

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
for_each_case_of_apache!(on_apache);
