package foreign;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.rocketmq.common.message.MessageExt;

/** What a listener was given. */
final class Received {
    private final List<MessageExt> messages = Collections.synchronizedList(new ArrayList<>());

    void add(List<MessageExt> delivered) {
        messages.addAll(delivered);
    }

    /** Waits for so many, and returns what there is then, in the order of delivery. */
    List<MessageExt> await(Site site, int count) throws Exception {
        site.await(count + " messages delivered", () -> messages.size() >= count);
        return all();
    }

    List<MessageExt> all() {
        synchronized (messages) {
            return new ArrayList<>(messages);
        }
    }
}
