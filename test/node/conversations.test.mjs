// The list of the rooms in which somebody takes part.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NO_LIMITS, accepted, assertProblem, nextEvent, person, refused, startServer, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

test('a message to somebody who is away is found when they come, and read on every device', async () => {
  const [ada, ben] = [person('vendor'), person('driver')];
  assert.equal((await server.rest(ben, 'GET', '/me')).status, 200); // whoever has been here is known
  const writing = await server.connect(ada);
  assert.deepEqual(await nextEvent(writing, 'rooms:list'), { rooms: [] });
  const { roomId } = await accepted(writing, 'chat:message', { to: ben.userId, text: 'hello' });
  const last = await accepted(writing, 'chat:message', { to: ben.userId, text: 'are you there?', clientId: 'c-1' });

  const [phone, tab] = [await server.connect(ben), await server.connect(ben, { namespace: '/chat' })];
  for (const socket of [phone, tab]) {
    const { rooms } = await nextEvent(socket, 'rooms:list');
    const [{ lastMessage, ...room }] = rooms;
    assert.deepEqual([rooms.length, lastMessage.id, lastMessage.text, lastMessage.clientId], [1, last.messageId, 'are you there?', undefined]);
    assert.deepEqual(room, {
      roomId, kind: 'direct', name: ada.username, peer: ada.userId, lastSeq: 2, readSeq: 0, unread: 2, mentions: 0, muted: false,
    });
  }
  assert.equal((await accepted(phone, 'chat:read', { roomId, messageId: last.messageId })).unread, 0);
  assert.equal((await nextEvent(tab, 'chat:read')).seq, 2);
  const { rooms } = await accepted(tab, 'rooms:list');
  assert.deepEqual([rooms[0].unread, rooms[0].readSeq, rooms[0].lastMessage.readBy], [0, 2, [ada.userId, ben.userId]]);
  const { body } = await server.rest(ben, 'GET', '/rooms');
  assert.deepEqual(body.items, rooms);
});

test('pages, and one room, by either door', async () => {
  const who = person('company');
  const socket = await server.connect(who);
  const ids = Array.from({ length: 5 }, (_, i) => `${who.userId}-room-${i}`);
  for (const roomId of ids) await accepted(socket, 'chat:message', { roomId, text: 'x' });
  const shown = [];
  for (let cursor; ;) {
    const page = await accepted(socket, 'rooms:list', { limit: 2, cursor });
    shown.push(...page.rooms.map(({ roomId }) => roomId));
    if (!page.nextCursor) break;
    cursor = page.nextCursor;
    await accepted(socket, 'chat:message', { roomId: ids[0], text: 'again' }); // which was last
  }
  assert.deepEqual(shown.toSorted(), ids);
  const { status, body } = await server.rest(who, 'GET', `/rooms/${ids[1]}`);
  assert.deepEqual([status, body.roomId, body.lastSeq, body.kind], [200, ids[1], 1, 'open']);
  assertProblem(await server.rest(who, 'GET', `/rooms/${who.userId}-none`), 404, 'not_found');
  assertProblem(await server.rest(who, 'GET', '/rooms?cursor=x'), 422, 'invalid_payload');
  await refused(socket, 'invalid_payload', 'cursor', 'rooms:list', { cursor: 'x' });
});

test('muting holds on every device', async () => {
  const who = person('provider');
  const [phone, tab] = [await server.connect(who), await server.connect(who)];
  const roomId = `${who.userId}-hall`;
  await refused(phone, 'not_found', 'roomId', 'room:mute', { roomId, muted: true });
  await accepted(phone, 'chat:message', { roomId, text: 'x' });
  assert.deepEqual(await accepted(phone, 'room:mute', { roomId, muted: true }), { status: 'ok', roomId, muted: true });
  assert.deepEqual(await nextEvent(tab, 'room:muted'), { roomId, muted: true });
  assert.equal((await accepted(tab, 'rooms:list')).rooms[0].muted, true);
  assert.deepEqual((await server.rest(who, 'PUT', `/rooms/${roomId}/muted`, { muted: false })).body, { roomId, muted: false });
  assert.deepEqual(await nextEvent(tab, 'room:muted'), { roomId, muted: false });
});

test('a new group is told on every device of its members, with its name, and found by who comes later', async () => {
  const [maker, member, absent] = [person('company'), person('driver'), person('driver')];
  assert.equal((await server.rest(absent, 'GET', '/me')).status, 200);
  const sockets = [await server.connect(maker), await server.connect(member), await server.connect(member, { namespace: '/chat' })];
  for (const socket of sockets) await nextEvent(socket, 'rooms:list');
  const { roomId } = await accepted(sockets[0], 'room:create', { name: 'Night shift', members: [member.userId, absent.userId] });
  const members = [maker, member, absent].map(({ userId }) => userId).sort();
  const room = { roomId, kind: 'group', name: 'Night shift', owner: maker.userId, history: 'joined', members, memberCount: 3, lastSeq: 0, readSeq: 0, unread: 0, mentions: 0, muted: false };
  for (const socket of sockets) {
    assert.deepEqual(await nextEvent(socket, 'room:added'), { roomId, revision: 1, userId: maker.userId, username: maker.username, room });
    const { text, kind, system } = await nextEvent(socket, 'chat:message', (message) => message.roomId === roomId);
    assert.deepEqual({ text, kind, system }, {
      text: `${maker.username} made the group Night shift`, kind: 'system', system: { type: 'created', by: maker.userId, users: members, name: 'Night shift' },
    });
  }
  const late = await server.connect(absent);
  const [{ lastMessage, ...listed }] = (await nextEvent(late, 'rooms:list')).rooms;
  assert.deepEqual(listed, { ...room, lastSeq: 1 });
  assert.equal(lastMessage.system.type, 'created');
  await accepted(late, 'room:remove', { roomId, members: [absent.userId] });
  assert.deepEqual((await accepted(late, 'rooms:list')).rooms, []);
  assertProblem(await server.rest(absent, 'GET', `/rooms/${roomId}`), 403, 'room_forbidden');
});
