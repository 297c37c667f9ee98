// Groups, from their making to their end, and what those see of them who come later.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { NO_LIMITS, accepted, heard, nextEvent, person, refused, settle, startServer, test } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

// crew is a group of a maker and a member, with their sockets.
async function crew(more = {}) {
  const [maker, member, later] = [person('company'), person('driver'), person('driver')];
  for (const who of [member, later]) assert.equal((await server.rest(who, 'GET', '/me')).status, 200);
  const [making, being] = [await server.connect(maker), await server.connect(member)];
  const { roomId } = await accepted(making, 'room:create', { name: 'Crew', members: [member.userId], ...more });
  for (const socket of [making, being]) await nextEvent(socket, 'room:added');
  return { maker, member, later, making, being, roomId };
}

const entries = (messages) => messages.map((message) => message.system?.type ?? message.text);

test('groups: who is added sees the room at once on every device, and its log from then on', async () => {
  const { maker, later, making, being, roomId } = await crew();
  const { messageId: before } = await accepted(making, 'chat:message', { roomId, text: 'before' });
  const devices = [await server.connect(later), await server.connect(later, { namespace: '/chat' })];
  const { members } = await accepted(making, 'room:add', { roomId, members: [later.userId] });
  for (const socket of devices) {
    const { room, revision, userId } = await nextEvent(socket, 'room:added');
    assert.deepEqual([room.name, room.members, room.unread, revision, userId], ['Crew', members, 0, 3, maker.userId]);
  }
  for (const socket of [making, being]) assert.deepEqual((await nextEvent(socket, 'room:updated')).added, [later.userId]);
  await accepted(being, 'chat:message', { roomId, text: 'now', replyTo: before });
  const told = await nextEvent(devices[0], 'chat:message', (message) => message.text === 'now');
  assert.equal(told.quoted, undefined);
  assert.equal((await nextEvent(making, 'chat:message', (message) => message.text === 'now')).quoted.text, 'before');
  await accepted(making, 'chat:edit', { roomId, messageId: before, text: 'edited' });
  await nextEvent(being, 'chat:edited', (message) => message.messageId === before);

  assert.deepEqual(entries((await accepted(devices[1], 'chat:history', { roomId, limit: 100 })).messages), ['added', 'now']);
  const { rooms, unread } = await accepted(devices[1], 'chat:sync', {});
  assert.deepEqual([entries(rooms[roomId].changes.map(({ message }) => message)), unread[roomId]], [['added', 'now'], 1]);
  for (const [event, payload] of Object.entries({
    'chat:react': { messageId: before, emoji: '👍', on: true }, 'chat:read': { messageId: before }, 'chat:message': { text: 'x', replyTo: before },
  })) {
    await refused(devices[0], 'not_found', undefined, event, { roomId, ...payload });
  }
  await settle(devices[0]);
  assert.deepEqual(heard(devices[0], 'chat:edited').filter((message) => message.roomId === roomId), []);
});

test('groups: a group may let new members see all of it', async () => {
  const { making, later, roomId } = await crew({ history: 'all' });
  await accepted(making, 'chat:message', { roomId, text: 'before' });
  await accepted(making, 'room:add', { roomId, members: [later.userId] });
  const socket = await server.connect(later);
  assert.deepEqual(entries((await accepted(socket, 'chat:history', { roomId, limit: 100 })).messages), ['created', 'before', 'added']);
});

test('groups: over REST, made once, renamed, handed over and closed', async () => {
  const { maker, member, later, making, being } = await crew();
  const input = { name: 'By REST', members: [member.userId] };
  const first = await server.rest(maker, 'POST', '/rooms', input, { 'Idempotency-Key': 'k-1' });
  const again = await server.rest(maker, 'POST', '/rooms', input, { 'Idempotency-Key': 'k-1' });
  assert.deepEqual([first.status, again.status, again.body], [201, 200, first.body]);
  assert.equal((await server.rest(maker, 'POST', '/rooms', { ...input, name: 'Another' }, { 'Idempotency-Key': 'k-1' })).status, 409);
  const { roomId } = first.body;
  const path = `/rooms/${roomId}`;
  assert.equal((await server.rest(member, 'PATCH', path, { name: 'Mine' })).status, 403);
  assert.deepEqual((await server.rest(maker, 'PATCH', path, { name: 'Ours', owner: member.userId })).body,
    { roomId, name: 'Ours', owner: member.userId, history: 'joined' });
  assert.equal((await nextEvent(being, 'room:updated', (event) => event.roomId === roomId)).name, 'Ours');
  assert.equal((await nextEvent(making, 'room:updated', (event) => event.roomId === roomId && event.owner)).owner, member.userId);
  assert.equal((await server.rest(maker, 'PUT', `${path}/members/${later.userId}`)).status, 403);
  assert.deepEqual((await server.rest(member, 'PUT', `${path}/members/${later.userId}`)).body.members,
    [maker, member, later].map(({ userId }) => userId).sort());
  const missing = await server.rest(member, 'PUT', `${path}/members/nobody-at-all`);
  assert.deepEqual([missing.status, missing.body.field], [404, 'userId']);
  assert.equal((await server.rest(maker, 'DELETE', path)).status, 403);
  assert.equal((await server.rest(person('admin'), 'DELETE', path)).status, 204);
  for (const socket of [making, being]) await nextEvent(socket, 'room:removed', (event) => event.roomId === roomId);
  assert.equal((await server.rest(member, 'GET', path)).status, 403);
});

test('groups: the owner leaves, and the group goes on', async () => {
  const { maker, member, making, being, roomId } = await crew();
  await accepted(making, 'room:remove', { roomId, members: [maker.userId] });
  assert.equal((await nextEvent(being, 'room:updated', (event) => event.owner)).owner, member.userId);
  const entry = await nextEvent(being, 'chat:message', (message) => message.system?.type === 'left');
  assert.deepEqual(entry.system, { type: 'left', by: maker.userId, users: [maker.userId], owner: member.userId });
  await refused(being, 'forbidden', undefined, 'chat:delete', { roomId, messageId: entry.id });
  assert.equal((await accepted(being, 'rooms:list')).rooms[0].unread, 0);
  await accepted(being, 'room:update', { roomId, name: 'Mine now' });
  await accepted(being, 'room:remove', { roomId, members: [member.userId] });
  await refused(being, 'room_forbidden', 'roomId', 'room:join', roomId);
});
