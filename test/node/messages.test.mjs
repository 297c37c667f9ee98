// Messages that are edited and deleted.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NO_LIMITS, accepted, assertProblem, heard, nextEvent, nextEvents, person, refused, settle, startServer, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const STAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** The newest messages of a room, by the other door. */
async function history(who, roomId) {
  const { status, body } = await server.rest(who, 'GET', `/rooms/${encodeURIComponent(roomId)}/messages`);
  assert.equal(status, 200);
  return body.items;
}

test('an edit and a deletion reach every device of both people', async () => {
  const [ada, ben, eve] = [person('vendor'), person('driver'), person('company')];
  const [phone, tab] = [await server.connect(ada), await server.connect(ada, { namespace: '/chat', transports: ['polling'] })];
  const [other, stranger] = [await server.connect(ben), await server.connect(eve)];
  const { messageId, roomId } = await accepted(phone, 'chat:message', { to: ben.userId, text: 'at nin' });

  const edited = await accepted(tab, 'chat:edit', { roomId, messageId, text: ' at nine\n' });
  const { status, editedAt, ...rest } = edited;
  assert.deepEqual({ status, rest }, { status: 'ok', rest: { messageId, roomId, seq: 1, revision: 2 } });
  assert.match(editedAt, STAMP);
  for (const socket of [phone, tab, other]) {
    assert.deepEqual(await nextEvent(socket, 'chat:edited'), {
      roomId, messageId, seq: 1, revision: 2, userId: ada.userId, username: ada.username, text: 'at nine', editedAt,
    });
  }
  assert.deepEqual(await accepted(phone, 'chat:edit', { roomId, messageId, text: 'at nine' }), edited, 'it says so already');

  const deleted = await accepted(phone, 'chat:delete', { roomId, messageId });
  assert.deepEqual([deleted.seq, deleted.revision, deleted.editedAt], [1, 3, undefined]);
  for (const socket of [phone, tab, other]) {
    assert.deepEqual(await nextEvent(socket, 'chat:deleted'), {
      roomId, messageId, seq: 1, revision: 3, userId: ada.userId, username: ada.username, deletedAt: deleted.deletedAt,
    });
  }
  assert.deepEqual(await accepted(tab, 'chat:delete', { roomId, messageId }), deleted, 'it is deleted already');
  await refused(tab, 'conflict', 'messageId', 'chat:edit', { roomId, messageId, text: 'at ten' });

  const [left] = await history(ben, roomId);
  assert.deepEqual([left.id, left.text, left.deleted, left.deletedBy, left.deletedAt, left.revision],
    [messageId, '', true, ada.userId, deleted.deletedAt, 3]);
  await Promise.all([phone, tab, other, stranger].map((socket) => settle(socket)));
  for (const socket of [phone, tab, other]) {
    assert.deepEqual([heard(socket, 'chat:edited').length, heard(socket, 'chat:deleted').length], [1, 1]);
  }
  assert.deepEqual([...heard(stranger, 'chat:edited'), ...heard(stranger, 'chat:deleted')], []);
});

test('who may edit and delete, by both doors', async () => {
  const [ada, ben, root] = [person('provider'), person('vendor'), person('admin')];
  const [mine, his, admins] = [await server.connect(ada), await server.connect(ben), await server.connect(root)];
  const { messageId, roomId } = await accepted(mine, 'chat:message', { to: ben.userId, text: 'mine' });
  await refused(his, 'forbidden', undefined, 'chat:edit', { roomId, messageId, text: 'his' });
  await refused(his, 'forbidden', undefined, 'chat:delete', { roomId, messageId });
  await refused(admins, 'room_forbidden', 'roomId', 'chat:edit', { roomId, messageId, text: 'the house\'s' });
  await refused(mine, 'not_found', 'messageId', 'chat:edit', { roomId, messageId: 'none', text: 'x' });
  await refused(mine, 'not_found', 'messageId', 'chat:delete', { roomId: 'elsewhere', messageId });
  for (const text of ['', ' \u200b ', 'x'.repeat(5001), 7, null, undefined]) {
    const { error, field } = await refused(mine, text?.length > 5000 ? 'too_large' : 'invalid_payload', 'text', 'chat:edit', { roomId, messageId, text });
    assert.deepEqual([error, field], ['Invalid message', 'text']);
  }
  const path = `/rooms/${encodeURIComponent(roomId)}/messages/${messageId}`;
  assertProblem(await server.rest(ben, 'PATCH', path, { text: 'his' }), 403, 'forbidden');
  assertProblem(await server.rest(ada, 'PATCH', path, { text: ' ' }), 422, 'invalid_payload', 'text');
  const edited = await server.rest(ada, 'PATCH', path, { text: 'mine, by REST' });
  assert.deepEqual([edited.status, edited.body.revision], [200, 2]);
  const deleted = await server.rest(root, 'DELETE', path);
  assert.deepEqual([deleted.status, deleted.body.revision], [200, 3]);
  assert.deepEqual((await nextEvent(mine, 'chat:deleted')).userId, root.userId);
  const audit = await server.rest(root, 'GET', '/audit?action=message.delete&limit=1');
  assert.deepEqual([audit.body.items[0].target, audit.body.items[0].actor.userId], [messageId, root.userId]);
});

test('who was away finds messages as they have become', async () => {
  const [ada, ben] = [person('vendor'), person('vendor')];
  const [socket, listener] = [await server.connect(ada), await server.connect(ben, { auth: { token: ben.token, batch: true } })];
  for (const member of [socket, listener]) await accepted(member, 'room:join', 'edits');
  const said = [];
  for (const text of ['one', 'two', 'three']) said.push(await accepted(socket, 'chat:message', { roomId: 'edits', text }));
  await accepted(socket, 'chat:edit', { roomId: 'edits', messageId: said[1].messageId, text: 'second' });
  await accepted(socket, 'chat:delete', { roomId: 'edits', messageId: said[2].messageId });
  await nextEvent(listener, 'chat:deleted');
  const inOrder = heard(listener, 'chat:batch').flat().map(({ revision }) => revision)
    .concat(heard(listener, 'chat:edited').map(({ revision }) => revision), heard(listener, 'chat:deleted').map(({ revision }) => revision));
  assert.deepEqual(inOrder, [1, 2, 3, 4, 5]);

  const late = await server.connect(ben);
  await accepted(late, 'room:join', { roomId: 'edits', after: 1 });
  const { messages } = await nextEvent(late, 'room:history');
  assert.deepEqual(messages.map(({ seq, text, revision, deleted = false }) => [seq, text, revision, deleted]),
    [[2, 'second', 4, false], [3, '', 5, true]]);
  assert.deepEqual(await history(ada, 'edits').then((all) => all.map(({ text }) => text)), ['one', 'second', '']);
  // A message that is sent again was sent, whatever it has become.
  const once = { roomId: 'edits', text: 'once', clientId: 'e-1' };
  const first = await accepted(socket, 'chat:message', once);
  await accepted(socket, 'chat:edit', { roomId: 'edits', messageId: first.messageId, text: 'changed' });
  assert.deepEqual(await accepted(socket, 'chat:message', once), first);
  await nextEvents(late, 'chat:message', 1);
  await settle(late);
  assert.equal(heard(late, 'chat:message').length, 1);
});

test('reactions reach every device, counted, and are in the history', async () => {
  const [ada, ben] = [person('vendor'), person('company')];
  const [socket, tab, other] = [await server.connect(ada), await server.connect(ada, { namespace: '/chat' }), await server.connect(ben)];
  const { messageId, roomId } = await accepted(socket, 'chat:message', { to: ben.userId, text: 'done' });
  const of = { roomId, messageId };
  const react = (who, emoji, on) => accepted(who, 'chat:react', { ...of, emoji, on });

  assert.deepEqual(await react(other, '\u2764', true), { status: 'ok', messageId, roomId, seq: 1, revision: 2 });
  assert.equal((await react(socket, '❤️', true)).revision, 3);
  assert.equal((await react(tab, '❤️', true)).revision, 3, 'it is so already');
  assert.equal((await react(other, '👩‍👩‍👧‍👦', true)).revision, 4);
  assert.equal((await react(other, '❤️', false)).revision, 5);
  const by = ({ userId, username }) => ({ userId, username });
  for (const listener of [socket, tab, other]) {
    assert.deepEqual(await nextEvents(listener, 'chat:reaction', 4), [
      { ...of, seq: 1, revision: 2, ...by(ben), emoji: '❤️', on: true, count: 1 },
      { ...of, seq: 1, revision: 3, ...by(ada), emoji: '❤️', on: true, count: 2 },
      { ...of, seq: 1, revision: 4, ...by(ben), emoji: '👩‍👩‍👧‍👦', on: true, count: 1 },
      { ...of, seq: 1, revision: 5, ...by(ben), emoji: '❤️', on: false, count: 1 },
    ]);
  }
  assert.deepEqual((await history(ben, roomId))[0].reactions, [
    { emoji: '❤️', count: 1, userIds: [ada.userId] }, { emoji: '👩‍👩‍👧‍👦', count: 1, userIds: [ben.userId], mine: true },
  ]);
  for (const emoji of ['', 'x', ':-)', '👍👍', '<b>', '\u200d', 'a'.repeat(1000), 7, null]) {
    await refused(socket, 'invalid_payload', 'emoji', 'chat:react', { ...of, emoji, on: true });
  }
  await refused(socket, 'invalid_payload', 'on', 'chat:react', { ...of, emoji: '👍' });
  for (const emoji of ['😀', '😁', '😂', '🤣']) await react(socket, emoji, true);
  await refused(socket, 'too_large', 'emoji', 'chat:react', { ...of, emoji: '😅', on: true });
  await react(socket, '😀', false);
  await react(socket, '😅', true);
  await accepted(socket, 'chat:delete', of);
  assert.equal((await history(ben, roomId))[0].reactions, undefined);
  await refused(other, 'conflict', 'messageId', 'chat:react', { ...of, emoji: '👍', on: true });
  await settle(tab);
  assert.equal(heard(tab, 'chat:reaction').length, 4 + 6);
});

test('who was away asks once for what was missed in all rooms', async () => {
  const [ada, ben] = [person('vendor'), person('provider')];
  const socket = await server.connect(ada);
  const { roomId } = await accepted(await server.connect(ben), 'room:create', { name: 'crew', members: [ben.userId] });
  const { roomId: direct } = await accepted(socket, 'chat:message', { to: ben.userId, text: 'one' });
  const gone = await server.connect(ben);
  const first = await accepted(gone, 'chat:sync', {});
  assert.deepEqual(Object.keys(first.rooms).sort(), [direct, roomId].sort());
  assert.deepEqual(first.unread, { [direct]: 1, [roomId]: 0 });
  assert.deepEqual([first.hasMore, first.rooms[direct].reset, first.rooms[direct].revision], [false, true, 1]);
  gone.disconnect();

  const said = [];
  for (const text of ['two', 'three', 'four']) said.push(await accepted(socket, 'chat:message', { roomId: direct, text }));
  await accepted(socket, 'chat:edit', { roomId: direct, messageId: said[0].messageId, text: 'second' });
  await accepted(socket, 'chat:delete', { roomId: direct, messageId: said[1].messageId });

  const back = await server.connect(ben);
  const rooms = { [direct]: 1, [roomId]: 1, 'not a room': 1 };
  const missed = await accepted(back, 'chat:sync', { rooms });
  assert.deepEqual(missed.rooms['not a room'].code, 'room_invalid');
  const { changes, ...room } = missed.rooms[direct];
  assert.deepEqual(room, { revision: 6, hasMore: false });
  assert.deepEqual(changes.map(({ kind, revision, message }) => [kind, revision, message.seq, message.text, message.deleted ?? false]), [
    ['message', 4, 4, 'four', false], ['message', 5, 2, 'second', false], ['message', 6, 3, '', true],
  ]);
  assert.deepEqual(missed.unread, { [direct]: 4 });
  assert.deepEqual(await accepted(back, 'chat:sync', { rooms: { [direct]: 6, [roomId]: 1 } }), { status: 'ok', rooms: {}, hasMore: false, unread: {}, mentions: {} });
  await refused(back, 'invalid_payload', 'rooms', 'chat:sync', { rooms: [1] });
});

test('a reply quotes the message as it is by now', async () => {
  const [ada, ben] = [person('vendor'), person('vendor')];
  const [socket, other] = [await server.connect(ada), await server.connect(ben)];
  const { messageId, roomId } = await accepted(socket, 'chat:message', { to: ben.userId, text: `${'🛰'.repeat(250)}` });
  const of = { messageId, userId: ada.userId, username: ada.username };
  const reply = async (text) => {
    await accepted(other, 'chat:message', { roomId, text, replyTo: messageId });
    const told = [await nextEvent(socket, 'chat:message', (m) => m.text === text), await nextEvent(other, 'chat:message', (m) => m.text === text)];
    const read = (await history(ada, roomId)).at(-1);
    for (const { replyTo, quoted } of [...told, read]) assert.deepEqual([replyTo, quoted], [messageId, read.quoted]);
    return read.quoted;
  };
  assert.deepEqual(await reply('long'), { ...of, text: '🛰'.repeat(200) });
  await accepted(socket, 'chat:edit', { roomId, messageId, text: 'short' });
  assert.deepEqual(await reply('edited'), { ...of, text: 'short' });
  await accepted(socket, 'chat:delete', { roomId, messageId });
  assert.deepEqual(await reply('gone'), { ...of, text: '', deleted: true });
  assert.deepEqual((await history(ben, roomId)).map(({ quoted }) => quoted?.text), [undefined, '', '', ''], 'no text is left of it');
});

test('mentions: of who sees the message, counted apart until they are read', async () => {
  const [ada, ben, cem] = [person('vendor'), person('provider'), person('vendor')];
  assert.equal((await server.rest(cem, 'GET', '/me')).status, 200);
  const [socket, other] = [await server.connect(ada), await server.connect(ben)];
  const { roomId, messageId } = await accepted(socket, 'chat:message', { to: ben.userId, text: 'look, @ben', mentions: [ben.userId] });
  assert.deepEqual((await nextEvent(other, 'chat:message', (message) => message.id === messageId)).mentions, [ben.userId]);
  await refused(socket, 'not_found', 'mentions', 'chat:message', { roomId, text: 'x', mentions: [cem.userId] });
  await refused(socket, 'invalid_payload', 'mentions', 'chat:message', { roomId, text: 'x', mentions: Array(51).fill(ben.userId) });
  await refused(socket, 'invalid_payload', 'mentions[0]', 'chat:message', { roomId, text: 'x', mentions: ['a b'] });
  const { messageId: second } = await accepted(socket, 'chat:message', { roomId, text: 'and you' });
  const listed = async () => (await accepted(other, 'rooms:list')).rooms.find((room) => room.roomId === roomId);
  assert.deepEqual([(await listed()).unread, (await listed()).mentions], [2, 1]);
  assert.equal((await server.rest(ada, 'PATCH', `/rooms/${roomId}/messages/${second}`, { text: 'and you!', mentions: [ben.userId] })).status, 200);
  assert.deepEqual((await nextEvent(other, 'chat:edited', (message) => message.messageId === second)).mentions, [ben.userId]);
  assert.deepEqual((await accepted(other, 'chat:sync', {})).mentions, { [roomId]: 2 });
  assert.deepEqual((({ unread, mentions }) => ({ unread, mentions }))(await accepted(other, 'chat:read', { roomId, messageId })), { unread: 1, mentions: 1 });
  assert.equal((await server.rest(ada, 'DELETE', `/rooms/${roomId}/messages/${second}`)).status, 200);
  assert.deepEqual([(await listed()).unread, (await listed()).mentions], [1, 0]);
  assert.deepEqual((({ unread, mentions }) => ({ unread, mentions }))(await accepted(other, 'chat:read', { roomId, messageId: second })), { unread: 0, mentions: 0 });
});
