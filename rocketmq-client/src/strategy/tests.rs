use super::*;

const TABLE: &str = include_str!("../../testdata/strategies-5.5.0.txt");

/// The room of a broker stands before `@`, that of a member before `-`.
#[derive(Debug)]
struct ByPrefix;

impl MachineRoomResolver for ByPrefix {
    fn broker_deploy_in(&self, queue: &MessageQueue) -> Option<String> {
        queue.broker_name().split_once('@').map(|(room, _)| room.to_owned())
    }

    fn consumer_deploy_in(&self, client_id: &str) -> Option<String> {
        client_id.split_once('-').map(|(room, _)| room.to_owned())
    }
}

/// A row of the table, as the call of Java that made it.
struct Row {
    strategy: Box<dyn AllocateMessageQueueStrategy>,
    queues: Vec<MessageQueue>,
    members: Vec<String>,
    shares: Vec<Vec<usize>>,
}

#[test]
fn all_shares_are_those_of_java() {
    let mut rows = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let row = Row::parse(line);
        for (me, expected) in row.members.iter().zip(&row.shares) {
            let share = row.strategy.allocate("group", me, &row.queues, &row.members).unwrap();
            let expected: Vec<_> = expected.iter().map(|place| row.queues[*place].clone()).collect();
            assert_eq!(share, expected, "{me} in {line}");
        }
        rows += 1;
    }
    assert_eq!(rows, 699);
}

#[test]
fn names_are_those_of_java() {
    let nearby = AllocateMachineRoomNearby::new(AllocateMessageQueueAveragely, ByPrefix);
    let strategies: [&dyn AllocateMessageQueueStrategy; 6] = [
        &AllocateMessageQueueAveragely,
        &AllocateMessageQueueAveragelyByCircle,
        &AllocateMessageQueueConsistentHash::default(),
        &AllocateMessageQueueByConfig::default(),
        &AllocateMessageQueueByMachineRoom::default(),
        &nearby,
    ];
    assert_eq!(
        strategies.map(|strategy| strategy.name().into_owned()),
        ["AVG", "AVG_BY_CIRCLE", "CONSISTENT_HASH", "CONFIG", "MACHINE_ROOM", "MACHINE_ROOM_NEARBY-AVG"]
    );
}

#[test]
fn a_member_that_is_not_on_the_list_gets_nothing() {
    let (queues, members) = (plain_queues(1, 4), plain_members(2));
    let nearby = AllocateMachineRoomNearby::new(AllocateMessageQueueAveragely, ByPrefix);
    let strategies: [&dyn AllocateMessageQueueStrategy; 5] = [
        &AllocateMessageQueueAveragely,
        &AllocateMessageQueueAveragelyByCircle,
        &AllocateMessageQueueConsistentHash::default(),
        &AllocateMessageQueueByMachineRoom::new(["room0"]),
        &nearby,
    ];
    for strategy in strategies {
        let share = strategy.allocate("group", "stranger", &queues, &members).unwrap();
        assert!(share.is_empty(), "{}", strategy.name());
    }
}

#[test]
fn a_strategy_that_cannot_decide_says_why() {
    let (queues, members) = (plain_queues(1, 4), plain_members(2));
    let nearby = AllocateMachineRoomNearby::new(AllocateMessageQueueAveragely, ByPrefix);
    let error = nearby.allocate("group", &members[0], &queues, &members).unwrap_err();
    assert_eq!(error.to_string(), "no machine room for broker broker-0");
    let in_rooms = room_queues(1, 1, 4);
    let error = nearby.allocate("group", &members[0], &in_rooms, &members).unwrap_err();
    assert_eq!(error.to_string(), "no machine room for member 10.0.0.0@4000");
    let no_ring = AllocateMessageQueueConsistentHash::new(0);
    assert!(no_ring.allocate("group", &members[0], &queues, &members).is_err());
}

impl Row {
    fn parse(line: &str) -> Self {
        let mut cells = line.split(' ');
        let (name, shape) = (cells.next().unwrap(), cells.next().unwrap());
        let shares = cells.map(places).collect();
        let (queues, members) = shape.split_once('/').unwrap();
        let numbers: Vec<usize> = queues.split('x').map(|number| number.parse().unwrap()).collect();
        let queues = match *numbers {
            [brokers, each] => plain_queues(brokers, each),
            [rooms, brokers, each] => room_queues(rooms, brokers, each),
            _ => panic!("shape of {line}"),
        };
        let members = match members.split_once(':') {
            Some((rooms, members)) => room_members(rooms.parse().unwrap(), members.parse().unwrap()),
            None => plain_members(members.parse().unwrap()),
        };
        let strategy = strategy(name, &queues);
        Self { strategy, queues, members, shares }
    }
}

fn strategy(name: &str, queues: &[MessageQueue]) -> Box<dyn AllocateMessageQueueStrategy> {
    use {AllocateMachineRoomNearby as Nearby, AllocateMessageQueueConsistentHash as ConsistentHash};
    let (name, number) = name.split_once(':').unwrap_or((name, "10"));
    let number: u32 = number.parse().unwrap();
    match name {
        "AVG" => Box::new(AllocateMessageQueueAveragely),
        "AVG_BY_CIRCLE" => Box::new(AllocateMessageQueueAveragelyByCircle),
        "CONSISTENT_HASH" => Box::new(ConsistentHash::new(number)),
        "CONFIG" => {
            let half = queues[..queues.len().div_ceil(2)].iter().cloned();
            Box::new(AllocateMessageQueueByConfig::new(half))
        }
        "MACHINE_ROOM" => {
            let rooms = (0..number).map(|room| format!("room{room}"));
            Box::new(AllocateMessageQueueByMachineRoom::new(rooms))
        }
        "MACHINE_ROOM_NEARBY-AVG" => Box::new(Nearby::new(AllocateMessageQueueAveragely, ByPrefix)),
        "MACHINE_ROOM_NEARBY-AVG_BY_CIRCLE" => {
            Box::new(Nearby::new(AllocateMessageQueueAveragelyByCircle, ByPrefix))
        }
        "MACHINE_ROOM_NEARBY-CONSISTENT_HASH" => Box::new(Nearby::new(ConsistentHash::default(), ByPrefix)),
        _ => panic!("unknown strategy {name}"),
    }
}

/// `0..3,5` are 0, 1, 2, 3 and 5.
fn places(share: &str) -> Vec<usize> {
    let runs = share.split(',').filter(|run| *run != "-");
    runs.flat_map(|run| {
        let (first, last) = run.split_once("..").unwrap_or((run, run));
        first.parse().unwrap()..=last.parse().unwrap()
    })
    .collect()
}

fn plain_queues(brokers: usize, each: usize) -> Vec<MessageQueue> {
    let brokers = (0..brokers).map(|broker| format!("broker-{broker}"));
    queues(brokers, each)
}

fn room_queues(rooms: usize, brokers: usize, each: usize) -> Vec<MessageQueue> {
    let names =
        (0..rooms).flat_map(|room| (0..brokers).map(move |broker| format!("room{room}@broker-{broker}")));
    queues(names, each)
}

fn queues(brokers: impl Iterator<Item = String>, each: usize) -> Vec<MessageQueue> {
    let ids = || 0..i32::try_from(each).unwrap();
    let mut queues: Vec<_> = brokers
        .flat_map(|broker| ids().map(move |id| MessageQueue::new("TopicTest", broker.as_str(), id)))
        .collect();
    queues.sort();
    queues
}

fn plain_members(count: usize) -> Vec<String> {
    sorted((0..count).map(|i| format!("10.0.0.{i}@{}", 4000 + i)))
}

fn room_members(rooms: usize, count: usize) -> Vec<String> {
    sorted((0..count).map(|i| format!("room{}-10.0.0.{i}@{}", i % rooms, 4000 + i)))
}

fn sorted(members: impl Iterator<Item = String>) -> Vec<String> {
    let mut members: Vec<_> = members.collect();
    members.sort();
    members
}
