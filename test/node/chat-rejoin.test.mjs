// Coming back to many rooms at once, under the default limits of joins, as clients do after a restart of the server.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { accepted, ask, heard, nextEvent, person, refused, settle, startServer, test, within } from './helpers.mjs';

const ROOMS = 100;
const SAID = 25; // messages a room: all their newest pages together are more than may wait for one client

const server = await startServer({ ROLECALL_RATE_CHAT: '1000000/1s:1000000' });
after(() => server.stop());

const upTo = (count) => Array.from({ length: count }, (_, i) => i + 1);
const rooms = upTo(ROOMS).map((n) => `back-${n}`);
const writer = await server.connect(person('vendor'));
const last = new Map();
for (const roomId of rooms) {
  const receipts = await Promise.all(upTo(SAID).map((n) => accepted(writer, 'chat:message', { roomId, text: `${n} `.repeat(200) })));
  last.set(roomId, receipts.at(-1));
}

const entered = (acks) => acks.map(({ status, roomId, lastSeq }) => [status, roomId, lastSeq]);
const all = rooms.map((roomId) => ['ok', roomId, SAID]);

test('the official client joins a hundred rooms one by one, and again after a restart', async (t) => {
  const socket = server.open(person('provider'), { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100 });
  let joined;
  const nextTime = () => new Promise((resolve) => { joined = resolve; });
  socket.on('connect', () => joined(Promise.all(rooms.map((roomId) => ask(socket, 'room:join', roomId)))));
  let start = performance.now();
  assert.deepEqual(entered(await nextTime()), all);
  t.diagnostic(`${ROOMS} rooms joined in ${Math.round(performance.now() - start)} ms`);
  const again = nextTime();
  await server.restart();
  start = performance.now();
  assert.deepEqual(entered(await within(5000, 'all to be joined again', again)), all);
  t.diagnostic(`and again in ${Math.round(performance.now() - start)} ms`);
  const { messageId } = await accepted(socket, 'chat:message', { roomId: rooms[7], text: 'here again' });
  await nextEvent(socket, 'chat:message', ({ id }) => id === messageId);
  last.set(rooms[7], { seq: SAID + 1, messageId });
  assert.equal(heard(socket, 'disconnect').length, 1);
  socket.disconnect();
});

test('joins beyond that are answered each, and told to come back one behind the other', async () => {
  const who = person('provider');
  const [tab, otherTab] = await Promise.all([server.connect(who), server.connect(who)]);
  const acks = (await Promise.all([tab, otherTab].map((socket) => Promise.all(rooms.map((roomId) => ask(socket, 'room:join', roomId)))))).flat();
  const shed = acks.filter(({ status }) => status !== 'ok');
  assert.ok(shed.length > 0 && shed.length <= ROOMS, `${shed.length} were shed`);
  for (const { code, error, retryAfterMs } of shed) {
    assert.deepEqual([code, error, retryAfterMs > 0], ['rate_limited', 'Rate limit exceeded', true]);
  }
  assert.ok(new Set(shed.map(({ retryAfterMs }) => retryAfterMs)).size > shed.length / 2, 'they are not all told the same');
  for (const socket of [tab, otherTab]) {
    await settle(socket);
    assert.deepEqual(heard(socket, 'disconnect'), []);
    socket.disconnect();
  }
});

test('a hundred rooms by one event, each from the last message that the client has', async () => {
  const who = person('provider');
  const socket = await server.connect(who);
  const wanted = rooms.map((roomId, n) => (n === 0 ? roomId : { roomId, after: n % 2 ? last.get(roomId).messageId : last.get(roomId).seq }));
  wanted[2] = { roomId: rooms[2], after: SAID - 2 };
  wanted[3] = { roomId: rooms[3], after: SAID + 100 };
  wanted[4] = 'user:somebody';
  wanted[5] = { roomId: rooms[5], after: last.get(rooms[6]).messageId };
  for (const _ of upTo(3)) await accepted(socket, 'room:join', { rooms: wanted.slice(0, 1) });
  const { rooms: acks } = await accepted(socket, 'room:join', { rooms: wanted });
  const failures = { 4: ['user:somebody', 'room_forbidden', 'roomId'], 5: [rooms[5], 'not_found', 'after'] };
  for (const [n, ack] of acks.entries()) {
    const { status, roomId, code, field, lastSeq, reset } = ack;
    if (failures[n]) assert.deepEqual([status, roomId, code, field], ['error', ...failures[n]]);
    else assert.deepEqual([status, roomId, lastSeq, reset], ['ok', rooms[n], last.get(rooms[n]).seq, n === 3 ? true : undefined]);
  }
  assert.equal(acks.length, ROOMS);
  const pages = new Map(heard(socket, 'room:history').map((page) => [page.roomId, page]));
  assert.equal(pages.size, ROOMS - 2);
  for (const [n, roomId] of rooms.entries()) {
    if (failures[n]) continue;
    const { messages, hasMore, reset } = pages.get(roomId);
    const expected = { 0: [10, true], 2: [2, false], 3: [10, true, true] }[n] ?? [0, false];
    assert.deepEqual([messages.length, hasMore, reset], [expected[0], expected[1], expected[2]], roomId);
  }
  await refused(socket, 'invalid_payload', 'rooms', 'room:join', { rooms: [...rooms, 'one-more'] });
  assert.deepEqual(await accepted(socket, 'room:join', { rooms: [] }), { status: 'ok', rooms: [] });
  socket.disconnect();
});
