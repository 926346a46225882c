// What a user of npm's ali-ons sees: node main.mjs NAME_SERVER, with FOREIGN_PACKAGES naming the folder of node_modules.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(process.env.FOREIGN_PACKAGES + '/');
const { Producer, Consumer, Message } = require('ali-ons');

const nameSrv = process.argv[2];
const PATIENCE_MS = 25_000;
// Only for looking up NameServers over HTTP.
const httpclient = { request() { throw new Error('no address server'); } };
const quiet = { info() {}, warn() {}, debug() {}, error() {} };
const opened = [];
let lines = [];

const print = line => lines.push(String(line).replace(/(\d{1,3}\.){3}\d{1,3}:\d+/g, 'ADDRESS'));

async function until(what, condition) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    if (await condition()) return;
    await sleep(20);
  }
  print(`FAILED waited in vain for ${what}`);
}

async function producer(group) {
  const made = new Producer({ nameSrv, httpclient, producerGroup: group, logger: quiet, instanceName: group });
  made.on('error', () => {});
  await made.ready();
  opened.push(made);
  return made;
}

async function consumer(group, topic, tags, options, handler) {
  const instanceName = group + opened.length;
  const made = new Consumer({ nameSrv, httpclient, consumerGroup: group, logger: quiet, instanceName, rebalanceInterval: 500, ...options });
  made.on('error', () => {});
  made.subscribe(topic, tags, handler);
  await made.ready();
  opened.push(made);
  return made;
}

function message(topic, tags, body) {
  const made = new Message(topic, tags, body);
  made.keys = ['key-' + body];
  return made;
}

function sent(answer) {
  return `${answer.sendStatus} on ${answer.messageQueue.brokerName}, ${answer.msgId ? 'with' : 'without'} an id`;
}

// The producer goes through the queues in turn, from one that chance picks.
async function sending() {
  const by = await producer('ali-ons-senders');
  const queues = {};
  for (let at = 0; at < 8; at++) {
    const answer = await by.send(message('ali-ons-send', 'tag', 'm' + at));
    print(sent(answer));
    (queues[answer.messageQueue.queueId] ??= []).push(answer.queueOffset.toString());
  }
  print('offsets by queue ' + JSON.stringify(queues));
}

async function compressing() {
  const by = await producer('ali-ons-large-senders');
  const body = 'line of text\n'.repeat(2000);
  print(sent(await by.send(message('ali-ons-large', 'tag', body))));
  const bodies = [];
  await consumer('ali-ons-large-group', 'ali-ons-large', '*', {}, async msg => { bodies.push(msg.body.toString()); });
  await until('the large message', () => bodies.length === 1);
  print('the body is as it was sent: ' + (bodies[0] === body));
}

async function consuming() {
  const topic = 'ali-ons-tags';
  const by = await producer('ali-ons-tags-senders');
  for (let at = 0; at < 12; at++) await by.send(message(topic, 'tag' + at % 3, 'm' + at));
  const seen = [];
  await consumer('ali-ons-tags-group', topic, 'tag0 || tag2', {}, async msg => {
    seen.push(`${msg.body} tags ${msg.tags} keys ${msg.keys} retried ${msg.reconsumeTimes}`);
  });
  await until('8 messages', () => seen.length === 8);
  seen.sort().forEach(print);
}

async function retrying() {
  const topic = 'ali-ons-retry';
  const by = await producer('ali-ons-retry-senders');
  await by.send(message(topic, 'tag', 'difficult'));
  const seen = [];
  const options = { pollNameServerInteval: 1000, heartbeatBrokerInterval: 1000 };
  await consumer('ali-ons-retry-group', topic, '*', options, async msg => {
    seen.push(`${msg.body} retried ${msg.reconsumeTimes}`);
    if (msg.reconsumeTimes < 1) throw new Error('not yet');
  });
  await until('two tries', () => seen.length >= 2);
  seen.forEach(print);
}

async function broadcasting() {
  const topic = 'ali-ons-broadcast';
  const by = await producer('ali-ons-broadcast-senders');
  await by.send(message(topic, 'tag', 'early'));
  const seen = [[], []];
  for (const one of seen) {
    await consumer('ali-ons-broadcast-group', topic, '*', { isBroadcast: true }, async msg => { one.push(msg.body.toString()); });
  }
  // A broadcasting consumer begins at the end, wherever that is when it comes.
  const probed = one => one.some(body => body.startsWith('probe'));
  await until('both to listen', async () => {
    for (let at = 0; at < 4; at++) await by.send(message(topic, 'tag', 'probe' + at));
    await sleep(200);
    return seen.every(probed);
  });
  for (let at = 0; at < 4; at++) await by.send(message(topic, 'tag', 'm' + at));
  for (const one of seen) {
    const own = () => [...new Set(one.filter(body => body.startsWith('m')))].sort();
    await until('4 messages', () => own().length === 4);
    print('delivered ' + own());
  }
}

async function delaying() {
  const topic = 'ali-ons-delay';
  const by = await producer('ali-ons-delay-senders');
  const late = message(topic, 'tag', 'late');
  late.delayTimeLevel = 2;
  print(sent(await by.send(late)));
  print(sent(await by.send(message(topic, 'tag', 'soon'))));
  const seen = [];
  await consumer('ali-ons-delay-group', topic, '*', {}, async msg => { seen.push(`${msg.body}`); });
  await until('both', () => seen.length === 2);
  seen.forEach(print);
}

const features = [
  ['send', 'sends go to all queues in turn: statuses and offsets', sending],
  ['send-compressed', 'a body that the client compresses, there and back', compressing],
  ['push-tags', 'consumer by tags: what is delivered', consuming],
  ['retry', 'a handler that fails once: the message comes again', retrying],
  ['broadcast', 'two broadcasting consumers: each gets all', broadcasting],
  ['delay-level', 'a delay level: the order of delivery', delaying],
];

process.on('unhandledRejection', () => {});
for (const [name, title, feature] of features) {
  lines = [];
  try {
    await feature();
  } catch (failure) {
    print(`FAILED ${failure.name}: ${failure.message}`);
  }
  while (opened.length) await Promise.race([opened.pop().close().catch(() => {}), sleep(3_000)]);
  console.log(`=== ${name} | ${title}`);
  lines.forEach(line => console.log(line));
}
console.log('=== done');
process.exit(0);
