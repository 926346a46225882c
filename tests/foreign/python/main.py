"""What a user of PyPI's rocketmq, the C++ client, sees: python main.py NAME_SERVER"""

import os
import sys
import threading
import time

from rocketmq.client import Message, Producer, PullConsumer, PushConsumer

NAME_SERVER = sys.argv[1]
PATIENCE = 25
lines = []


def show(line):
    lines.append(str(line))


def until(what, condition):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    show("FAILED waited in vain for " + what)


def producer(group):
    made = Producer(group)
    made.set_namesrv_addr(NAME_SERVER)
    made.start()
    return made


def message(topic, body):
    made = Message(topic)
    made.set_keys("key-" + body)
    made.set_tags("tag")
    made.set_property("colour", "red")
    made.set_body(body)
    return made


def consume(group, topic, count, expression="*", orderly=False):
    """All that is delivered until there are so many."""
    seen = []
    lock = threading.Lock()

    def listen(msg):
        with lock:
            seen.append((msg.body.decode(), msg.tags.decode(), msg.keys.decode(), msg.queue_id, msg.reconsume_times))

    consumer = PushConsumer(group, orderly=orderly)
    consumer.set_namesrv_addr(NAME_SERVER)
    consumer.set_instance_name(group)
    consumer.subscribe(topic, listen, expression)
    consumer.start()
    until("%d messages" % count, lambda: len(seen) >= count)
    consumer.shutdown()
    return seen


def send_sync():
    by = producer("python-sync")
    for at in range(8):
        sent = by.send_sync(message("python-sync", "m%d" % at))
        show("%s, an id of %d digits" % (sent.status.name, len(sent.msg_id)))
    for body, tags, keys, _, _ in sorted(consume("python-sync-group", "python-sync", 8)):
        show("%s %s %s" % (body, tags, keys))
    by.shutdown()


def send_oneway():
    by = producer("python-oneway")
    by.send_sync(message("python-oneway", "first"))
    for at in range(5):
        by.send_oneway(message("python-oneway", "m%d" % at))
    show(sorted(seen[0] for seen in consume("python-oneway-group", "python-oneway", 6)))
    by.shutdown()


def send_batch():
    by = producer("python-batch")
    sent = by.send_batch([message("python-batch", "m%d" % at) for at in range(4)])
    show("%s, %d ids" % (sent.status.name, len(sent.msg_id.split(","))))
    # This version hands over a batch that holds no messages.
    show(sorted(seen[0] for seen in consume("python-batch-group", "python-batch", 1)))
    by.shutdown()


def send_ordered():
    by = producer("python-ordered")
    for at in range(12):
        by.send_orderly(message("python-ordered", "order %d step %d" % (at % 3, at // 3)), at % 3,
                        queue_selector=lambda count, msg, arg, order=at % 3: order % count)
    queues = {}
    for body, _, _, queue, _ in consume("python-ordered-group", "python-ordered", 12, orderly=True):
        queues.setdefault(queue, []).append(body)
    for queue in sorted(queues):
        show("queue %d %s" % (queue, queues[queue]))
    by.shutdown()


def push_tags():
    by = producer("python-tags")
    for at in range(9):
        tagged = message("python-tags", "m%d" % at)
        tagged.set_tags("tag%d" % (at % 3))
        by.send_sync(tagged)
    for body, tags, _, _, times in sorted(consume("python-tags-group", "python-tags", 6, "tag0 || tag2")):
        show("%s %s retried %d" % (body, tags, times))
    by.shutdown()


def delay_level():
    by = producer("python-delay")
    late = message("python-delay", "late")
    late.set_delay_time_level(2)
    show(by.send_sync(late).status.name)
    show(by.send_sync(message("python-delay", "soon")).status.name)
    show([seen[0] for seen in consume("python-delay-group", "python-delay", 2)])
    by.shutdown()


def pull():
    by = producer("python-pull")
    for at in range(6):
        by.send_sync(message("python-pull", "m%d" % at))
    consumer = PullConsumer("python-pull-group")
    consumer.set_namesrv_addr(NAME_SERVER)
    consumer.start()
    bodies = set()

    def pulled():
        bodies.update(msg.body.decode() for msg in consumer.pull("python-pull"))
        return len(bodies) >= 6

    until("6 pulled messages", pulled)
    show(sorted(bodies))
    consumer.shutdown()
    by.shutdown()


FEATURES = [
    ("send-sync", "synchronous sends: statuses, and what is delivered", send_sync),
    ("send-oneway", "oneway sends: what is delivered", send_oneway),
    ("send-batch", "a batch: its answer, and what is delivered", send_batch),
    ("send-ordered", "ordered sends and an orderly consumer: the order in each queue", send_ordered),
    ("push-tags", "push consumer by tags: what is delivered", push_tags),
    ("delay-level", "a delay level: the order of delivery", delay_level),
    ("pull", "pull consumer: what is pulled", pull),
]

for name, title, feature in FEATURES:
    lines = []
    try:
        feature()
    except Exception as failure:  # pylint: disable=broad-except
        show("FAILED %s: %s" % (type(failure).__name__, failure))
    print("=== %s | %s" % (name, title))
    for line in lines:
        print(line)
    sys.stdout.flush()
print("=== done")
sys.stdout.flush()
# Threads of the client may still be at work.
os._exit(0)
