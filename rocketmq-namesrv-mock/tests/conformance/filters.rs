//! Filters over properties: which messages an expression lets pass, and what is said of bad ones.
//!
//! Needs a broker with `enablePropertyFilter`.

use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};
use serde_json::json;

use super::groups::{consumer, heartbeat};
use super::peer::{Peer, field, fresh_group, fresh_topic, pull_fields, records, verdict};
use crate::stage;

/// The properties of the messages that [`PASSING`] speaks of.
const MESSAGES: [&[(&str, &str)]; 12] = [
    &[("a", "5")],
    &[("a", "5.5"), ("b", "x")],
    &[("a", "abc")],
    &[],
    &[("a", "-3"), ("b", "y")],
    &[("b", "x"), ("c", "true")],
    &[("a", "2147483648")],
    &[("a", " 7 ")],
    &[("a", "10"), ("b", "10")],
    &[("a", "NaN"), ("b", "5")],
    &[("a", "1e2"), ("c", "TRUE"), ("TAGS", "t")],
    &[("a", "x'y"), ("b", "abcabc"), ("c", "no")],
];

/// Expressions, and the messages that pass. With bad ones in the header of a pull, all do.
#[rustfmt::skip]
const PASSING: &[(&str, &str)] = &[
    ("a > 4", "0 8"),
    ("a >= 5", "0 8"),
    ("a < 5", "4"),
    ("a <= 5.5", "0 1 4"),
    ("a > 5.4", "1 6 7 8 9 10"),
    ("a > 2147483647", ""),
    ("a > -4", "0 4 8"),
    ("a < -2.5", "4"),
    ("a = 5", "0"),
    ("a = 5.5", "1"),
    ("a = '5'", "0"),
    ("a <> 'abc'", "0 1 4 6 7 8 9 10 11"),
    ("a <> 5", "4 8"),
    ("a = 5 OR b = 'x'", "0 5"),
    ("b = 'x' OR a = 5", "0 1 5"),
    ("b = 'x' AND a > 5.0", "1"),
    ("a BETWEEN 4 AND 10", "0 8"),
    ("a NOT BETWEEN 4 AND 10", "4"),
    ("a BETWEEN 4.5 AND 10.5", "0 1 7 8"),
    ("a IN ('5', 'abc', '10')", "0 2 8"),
    ("a NOT IN ('5', 'abc')", "1 4 6 7 8 9 10 11"),
    ("a IN ('1', '2', '3', '4', '5', 'abc')", "0 2"),
    ("a IS NULL", "3 5"),
    ("a IS NOT NULL", "0 1 2 4 6 7 8 9 10 11"),
    ("NOT a IS NULL", "3 5"),
    ("a IS NULL OR b IS NULL", "0 2 3 5 6 7 10"),
    ("a = b", "3 8"),
    ("a <> b", "0 1 2 4 6 7 9 10 11"),
    ("a > b", "9"),
    ("a <= b", "8"),
    ("b = a", "3 8"),
    ("d = e", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("d <> e", ""),
    ("d > e", ""),
    ("d = 1", ""),
    ("NOT d = 1", ""),
    ("d IS NULL AND a = '5'", "0"),
    ("a CONTAINS 'b'", "2"),
    ("a NOT CONTAINS 'b'", "0 1 4 6 7 8 9 10 11"),
    ("b CONTAINS 'abc'", "11"),
    ("b STARTSWITH 'abc'", "11"),
    ("b NOT STARTSWITH 'abc'", "1 4 5 8 9"),
    ("b ENDSWITH 'bc'", "11"),
    ("b NOT ENDSWITH 'bc'", "1 4 5 8 9"),
    ("a CONTAINS ''", ""),
    ("a NOT CONTAINS ''", ""),
    ("a = 'x''y'", "11"),
    ("c = TRUE", "5 10"),
    ("c = FALSE", "11"),
    ("TRUE = c", ""),
    ("c <> TRUE", "11"),
    ("c", ""),
    ("NOT c", "5 10 11"),
    ("c OR b = 'x'", "1 5"),
    ("TRUE", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("FALSE", ""),
    ("NULL", ""),
    ("NOT NULL", ""),
    ("1 = TRUE", ""),
    ("1 <> TRUE", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("5 = a", "0"),
    ("5.5 = a", "1"),
    ("4 < a", "0 8"),
    ("1 = 1", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("1 = 1.0", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("1 <> 2", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("1 > 2", ""),
    ("2147483648 = a", "6"),
    ("'x' = b", "1 5"),
    ("'x' = 'x'", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("-5 = 5", ""),
    ("- -5 = 5", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("-a = 5", ""),
    ("-a IS NULL", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("(a > 4) = TRUE", "0 8"),
    ("(a > 4) = FALSE", "4"),
    ("(a = '5') = (b = 'x')", "3 4 8 9 11"),
    ("(a > 4) IS NULL", "3 5"),
    ("a > 4 IS NULL", "3 5"),
    ("a > 4 AND a < 10 OR b = 'x'", "0 5"),
    ("b = 'x' OR a > 4 AND a < 10", "0 1 5"),
    ("(b = 'x' OR a IS NULL) AND c IS NULL", "1 3"),
    ("NOT b = 'x'", ""),
    ("NOT (b = 'x')", "4 8 9 11"),
    ("NOT NOT c IS NULL", "0 1 2 3 4 6 7 8 9"),
    ("TAGS = 't'", "10"),
    ("TAGS IS NOT NULL", "10"),
    ("A > 4", ""),
    ("a > 4 nonsense", "0 8"),
    ("a > 4)", "0 8"),
    ("a = 1e2", "10"),
    ("a = 100.0", "10"),
    ("a = .5E1", "0"),
    ("a > 4L", "0 8"),
    ("a = NULL", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("a >", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("a > 'x'", "0 1 2 3 4 5 6 7 8 9 10 11"),
    ("FALSE OR a = 'abc'", "2"),
    ("b = 'x' IS NULL", "0 2 3 6 7 10"),
    ("a /* note */ = -- more", "3 5"),
];

/// Expressions that a broker refuses, and what it says.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("a >", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 3.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    \"+\" ...\n    "),
    ("a > 'x'", "java.lang.RuntimeException: Value ''x'' cannot be compared."),
    ("a NOT foo", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" \"NOT\" \"NOT \"\" at line 1, column 3.\nWas expecting one of:\n    \"BETWEEN\" ...\n    \"IN\" ...\n    \"CONTAINS\" ...\n    \"STARTSWITH\" ...\n    \"ENDSWITH\" ...\n    \">\" ...\n    \">=\" ...\n    \"<\" ...\n    \"<=\" ...\n    "),
    ("a IS foo", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" <ID> \"foo \"\" at line 1, column 6.\nWas expecting one of:\n    \"NOT\" ...\n    \"NULL\" ...\n    "),
    ("", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 0, column 0.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    \"+\" ...\n    "),
    ("(a", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 2.\nWas expecting one of:\n    \"NOT\" ...\n    \"AND\" ...\n    \"OR\" ...\n    \"BETWEEN\" ...\n    \"IN\" ...\n    \"IS\" ...\n    \"CONTAINS\" ...\n    \"STARTSWITH\" ...\n    \"ENDSWITH\" ...\n    \"=\" ...\n    \"<>\" ...\n    \">\" ...\n    \">=\" ...\n    \"<\" ...\n    \"<=\" ...\n    \")\" ...\n    "),
    ("a IN (1)", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" <DECIMAL_LITERAL> \"1 \"\" at line 1, column 7.\nWas expecting:\n    <STRING_LITERAL> ...\n    "),
    ("a IN ('x' 'y')", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" <STRING_LITERAL> \"\\'y\\' \"\" at line 1, column 11.\nWas expecting one of:\n    \",\" ...\n    \")\" ...\n    "),
    ("1 IN ('x')", "java.lang.RuntimeException: Expected a property for In expression, got: 1"),
    ("+(a", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" \"+\" \"+ \"\" at line 1, column 1.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    "),
    ("a = NULL", "java.lang.RuntimeException: 'NULL' cannot be compared."),
    ("TRUE = 1", "java.lang.RuntimeException: 'TRUE' cannot be compared with '1'"),
    ("a BETWEEN 2 AND 1", "java.lang.RuntimeException: Illegal values of between, left value(2) must less than or equal to right value(1)"),
    ("a BETWEEN NULL AND 1", "java.lang.RuntimeException: Illegal values of between, values can not be null!"),
    ("a > 9223372036854775808", "java.lang.NumberFormatException: For input string: \"9223372036854775808\""),
    ("a > 1e400", "java.lang.RuntimeException: 1e400 is greater than 1.7976931348623157E308"),
    ("a > 0.0", "java.lang.RuntimeException: 0.0 is less than 4.9E-324"),
    ("a #", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 4.  Encountered: <EOF> after : \"\""),
    ("a > /* x", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 9.  Encountered: <EOF> after : \"/* x\""),
    ("a = 'x", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 7.  Encountered: <EOF> after : \"\\'x\""),
    ("1", "org.apache.rocketmq.filter.parser.ParseException: Expression will not result in a boolean value: 1"),
    ("NOT 1", "org.apache.rocketmq.filter.parser.ParseException: Expression will not result in a boolean value: 1"),
    ("a != 1", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 3.  Encountered: \"!\" (33), after : \"\""),
    ("a == 1", "org.apache.rocketmq.filter.parser.ParseException: Encountered \" \"=\" \"= \"\" at line 1, column 4.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    \"+\" ...\n    "),
    ("a IS NOT", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 8.\nWas expecting:\n    \"NULL\" ...\n    "),
    ("(a > 1) > 1", "java.lang.RuntimeException: Value '(a > 1)' cannot be compared."),
    ("a.b > 1", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 3.  Encountered: \"b\" (98), after : \".\""),
    ("é > 1", "org.apache.rocketmq.filter.parser.TokenMgrError: Lexical error at line 1, column 1.  Encountered: \"\\u00e9\" (233), after : \"\""),
    ("a\n>\n 1 AND b >", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 3, column 10.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    \"+\" ...\n    "),
    ("a BETWEEN 1", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 11.\nWas expecting:\n    \"AND\" ...\n    "),
    ("a >\t", "org.apache.rocketmq.filter.parser.ParseException: Encountered \"<EOF>\" at line 1, column 8.\nWas expecting one of:\n    \"NOT\" ...\n    \"TRUE\" ...\n    \"FALSE\" ...\n    \"NULL\" ...\n    <DECIMAL_LITERAL> ...\n    <FLOATING_POINT_LITERAL> ...\n    <STRING_LITERAL> ...\n    <ID> ...\n    \"(\" ...\n    \"-\" ...\n    \"+\" ...\n    "),
];

/// A pull from the first message on, which carries its subscription.
async fn pull(peer: &Peer, topic: &str, expression: &str) -> RemotingCommand {
    let fields = pull_fields("case_filters", topic).with(&subscribed(expression)).with(&[("sysFlag", "4")]);
    peer.call(RequestCode::PULL_MESSAGE, &fields.list(), "").await
}

fn subscribed(expression: &str) -> [(&str, &str); 2] {
    [("subscription", expression), ("expressionType", "SQL92")]
}

async fn check_client(peer: &Peer, language: &str, expression: &str) -> (i32, String) {
    let subscription =
        json!({"topic": "T", "subString": expression, "expressionType": language, "subVersion": 1});
    let body = json!({"clientId": "c", "group": "g", "subscriptionData": subscription}).to_string();
    let answer = peer.call(RequestCode::CHECK_CLIENT_CONFIG, &[], body).await;
    (answer.code, answer.remark().to_owned())
}

#[tokio::test]
async fn expressions_let_messages_pass() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("filters");
    for properties in MESSAGES {
        peer.store(&topic, 4, properties).await;
    }
    peer.until_visible(&topic, MESSAGES.len() as i64).await;
    for (expression, expected) in PASSING {
        let answer = pull(&peer, &topic, expression).await;
        let offsets: Vec<_> = records(&answer).iter().map(|one| one.queue_offset().to_string()).collect();
        assert_eq!(offsets.join(" "), *expected, "{expression}");
        let code = if expected.is_empty() { (20, "NO_MATCHED_MESSAGE") } else { (0, "FOUND") };
        assert_eq!(
            (verdict(&answer), field(&answer, "nextBeginOffset").as_str()),
            (code, "12"),
            "{expression}"
        );
    }
}

#[tokio::test]
async fn bad_expressions_are_refused_with_java_s_words() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    for (expression, remark) in REFUSED {
        let (code, said) = check_client(&peer, "SQL92", expression).await;
        assert_eq!((code, said.as_str()), (23, *remark), "{expression}");
    }
    let no_language = "Cannot invoke \"org.apache.rocketmq.filter.FilterSpi.compile(String)\" because the return \
                       value of \"org.apache.rocketmq.filter.FilterFactory.get(String)\" is null";
    assert_eq!(check_client(&peer, "FOO", "a > 1").await, (23, no_language.to_owned()));
    for (language, expression) in [("SQL92", "a > 1 behind #"), ("TAG", "a ||"), ("", "||")] {
        assert_eq!(check_client(&peer, language, expression).await.0, 0, "{expression}");
    }
}

#[tokio::test]
async fn a_held_pull_wakes_for_what_passes() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("filters_held");
    peer.store(&topic, 4, &[("a", "1")]).await;
    peer.until_visible(&topic, 1).await;
    let waiting = [("queueOffset", "1"), ("sysFlag", "6"), ("suspendTimeoutMillis", "20000")];
    let fields = pull_fields("case_filters", &topic).with(&subscribed("a > 1")).with(&waiting);
    let fields = fields.list();
    let held = peer.call(RequestCode::PULL_MESSAGE, &fields, "");
    let (answer, _) = tokio::join!(held, peer.store(&topic, 4, &[("a", "2")]));
    assert_eq!((verdict(&answer), records(&answer).len()), ((0, "FOUND"), 1));
}

#[tokio::test]
async fn heartbeats_say_what_a_group_filters_by() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let (group, topic) = (fresh_group("filters"), fresh_topic("filters_group"));
    for value in ["1", "2", "3"] {
        peer.store(&topic, 4, &[("a", value)]).await;
    }
    peer.until_visible(&topic, 3).await;
    let not_readable = "The broker's consumer filter data is not exist!Your expression may be wrong!";
    let not_latest = "the consumer's subscription not latest";
    for (expression, version, asked, expected) in [
        ("a >", 1, 1, Err((27, not_readable))),
        ("a > 1", 2, 2, Ok("1 2")),
        ("a > 2", 2, 2, Ok("1 2")),
        ("a > 2", 3, 3, Ok("2")),
        ("a > 2", 3, 4, Err((25, not_latest))),
        ("a > 2", 4, 4, Ok("2")),
        ("a >", 5, 5, Err((27, not_readable))),
    ] {
        let subscription = json!({"topic": topic, "subString": expression, "expressionType": "SQL92", "subVersion": version});
        let heartbeat = heartbeat("case@filters", &[consumer(&group, &[subscription])]);
        assert_eq!(peer.call(RequestCode::HEART_BEAT, &[], heartbeat.to_string()).await.code, 0);
        let asked = asked.to_string();
        let fields = pull_fields(&group, &topic).with(&[("subVersion", &asked)]);
        let answer = peer.call(RequestCode::PULL_MESSAGE, &fields.list(), "").await;
        match expected {
            Err(refused) => assert_eq!(verdict(&answer), refused, "{expression} {version}"),
            Ok(offsets) => {
                let found: Vec<_> =
                    records(&answer).iter().map(|one| one.queue_offset().to_string()).collect();
                assert_eq!(found.join(" "), offsets, "{expression} {version}");
            }
        }
    }
}
