package foreign;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** Expressions, and messages that they tell apart. */
final class Sql {
    static final int MESSAGES = 8;
    static final String[] EXPRESSIONS = {
        "a > 3", "a >= 3 AND a < 6", "a BETWEEN 2 AND 4", "a NOT BETWEEN 2 AND 4", "colour = 'red'",
        "colour <> 'red'", "colour IN ('red', 'blue')", "colour NOT IN ('red')", "colour IS NULL",
        "colour IS NOT NULL AND a > 4", "NOT (a > 3)", "TAGS = 'odd' OR a = 0", "price > 1.5",
        "flag = TRUE", "missing > 1", "a = '3'", "TAGS IS NOT NULL AND colour CONTAINS 'e'",
        "colour STARTSWITH 'r'", "colour ENDSWITH 'n'", "colour > 'b'",
    };
    private static final String[] COLOURS = {"red", "green", "blue"};

    private Sql() {
    }

    static void send(Site site, DefaultMQProducer producer, MessageQueue queue) throws Exception {
        for (int at = 0; at < MESSAGES; at++) {
            Message message = site.message(queue.getTopic(), "m" + at);
            message.setTags(at % 2 == 0 ? "even" : "odd");
            message.putUserProperty("a", String.valueOf(at));
            message.putUserProperty("price", String.valueOf(at * 0.5));
            message.putUserProperty("flag", String.valueOf(at == 6));
            if (at % 4 != 3) {
                message.putUserProperty("colour", COLOURS[at % 3]);
            }
            producer.send(message, queue);
        }
    }
}
