// Rooms, messages in order, history, direct messages.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NO_LIMITS, accepted, ask, assertFailure, assertProblem, heard, nextEvent, nextEvents, person, refused, settle,
  startServer, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const upTo = (count, from = 1) => Array.from({ length: count }, (_, i) => from + i);
const seqs = (messages) => messages.map((message) => message.seq);

test('joining, hearing who comes, and leaving', async () => {
  const [ada, ben] = [person('vendor'), person('provider')];
  const first = await server.connect(ada);
  assert.deepEqual(await accepted(first, 'room:join', 'harbour'), { status: 'ok', roomId: 'harbour', kind: 'open', lastSeq: 0 });
  assert.deepEqual(await nextEvent(first, 'room:history'), { roomId: 'harbour', messages: [], hasMore: false });

  const [tab, otherTab] = [await server.connect(ben), await server.connect(ben, { transports: ['polling'] })];
  await accepted(tab, 'room:join', { roomId: 'harbour' });
  const himself = { roomId: 'harbour', userId: ben.userId, username: ben.username };
  assert.deepEqual(await nextEvent(first, 'room:user-joined'), himself);
  await accepted(otherTab, 'room:join', 'harbour');

  const receipt = await accepted(tab, 'chat:message', { roomId: 'harbour', text: 'ahoy' });
  const { status, messageId, roomId, seq, timestamp, ...rest } = receipt;
  assert.deepEqual({ status, roomId, seq, rest }, { status: 'ok', roomId: 'harbour', seq: 1, rest: {} });
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(new Date(timestamp) - Date.now()) < 60_000);
  for (const socket of [first, tab, otherTab]) {
    assert.deepEqual(await nextEvent(socket, 'chat:message'), {
      id: messageId, roomId, seq: 1, revision: 1, userId: ben.userId, username: ben.username, role: 'provider', text: 'ahoy', timestamp, readBy: [ben.userId],
    });
  }

  await accepted(otherTab, 'room:leave', { roomId: 'harbour' });
  await settle(first);
  assert.deepEqual(heard(first, 'room:user-left'), [], 'he is still there with the other tab');
  await accepted(tab, 'room:leave', 'harbour');
  assert.deepEqual(await nextEvent(first, 'room:user-left'), himself);
  await accepted(tab, 'room:leave', 'harbour');

  await accepted(first, 'chat:message', { roomId: 'harbour', text: 'anyone?' });
  await Promise.all([settle(tab), settle(otherTab)]);
  assert.equal(heard(tab, 'chat:message').length, 1, 'who has left hears nothing more');
  assert.deepEqual([...heard(tab, 'room:user-joined'), ...heard(otherTab, 'room:user-joined')], []);

  await accepted(tab, 'room:join', 'harbour');
  assert.deepEqual(seqs((await nextEvent(tab, 'room:history', ({ messages }) => messages.length > 0)).messages), [1, 2]);
  tab.disconnect();
  assert.deepEqual(await nextEvent(first, 'room:user-left'), himself);
  await settle(first);
  assert.equal(heard(first, 'room:user-joined').length, 2);
});

test('messages of two senders at once: one order for everybody, without a gap', async () => {
  const sockets = await Promise.all([
    server.connect(person('vendor')), server.connect(person('driver')), server.connect(person('admin'), { transports: ['polling'] }),
    server.connect(person('company'), { namespace: '/chat' }),
  ]);
  for (const socket of sockets) await accepted(socket, 'room:join', 'busy');
  const receipts = await Promise.all(upTo(100).flatMap((n) => [0, 1].map((sender) =>
    accepted(sockets[sender], 'chat:message', { roomId: 'busy', text: `${sender}:${n}` }))));
  assert.deepEqual(seqs(receipts).sort((a, b) => a - b), upTo(200));
  const bySeq = new Map(receipts.map(({ seq, messageId }) => [seq, messageId]));
  for (const socket of sockets) {
    const messages = await nextEvents(socket, 'chat:message', 200);
    assert.deepEqual(seqs(messages), upTo(200));
    for (const { seq, id } of messages) assert.equal(id, bySeq.get(seq));
    for (const sender of [0, 1]) {
      const own = messages.map(({ text }) => text).filter((text) => text.startsWith(`${sender}:`));
      assert.deepEqual(own, upTo(100).map((n) => `${sender}:${n}`), 'a sender is heard in the order of sending');
    }
  }
});

test('a message sent again under its clientId is the first one', async () => {
  const [sender, other] = [person('vendor'), person('vendor')];
  const [socket, listener] = [await server.connect(sender), await server.connect(other)];
  for (const member of [socket, listener]) await accepted(member, 'room:join', 'again');
  const message = { roomId: 'again', text: 'once', clientId: 'c-1' };
  const receipts = await Promise.all(upTo(5).map(() => accepted(socket, 'chat:message', message)));
  for (const receipt of receipts) assert.deepEqual(receipt, receipts[0]);
  for (const other of [{ text: 'altered' }, { roomId: 'again-elsewhere' }, { replyTo: receipts[0].messageId }]) {
    await refused(socket, 'conflict', 'clientId', 'chat:message', { ...message, ...other });
  }
  const altered = await server.rest(sender, 'POST', '/rooms/again/messages', { text: 'altered' }, { 'Idempotency-Key': 'c-1' });
  assertProblem(altered, 409, 'conflict', 'Idempotency-Key');

  const replay = await server.rest(sender, 'POST', '/rooms/again/messages', { text: 'once', clientId: 'c-1' });
  const { status, ...receipt } = receipts[0];
  assert.deepEqual([replay.status, replay.body], [200, receipt]);
  const fresh = await server.rest(sender, 'POST', '/rooms/again/messages', { text: 'twice', clientId: 'c-2' });
  assert.deepEqual([fresh.status, fresh.body.seq], [201, 2]);

  const foreign = await accepted(listener, 'chat:message', message);
  assert.notEqual(foreign.messageId, receipts[0].messageId, 'ids of another sender are other ids');
  await nextEvents(listener, 'chat:message', 3);
  await settle(listener);
  assert.deepEqual(heard(listener, 'chat:message').map(({ seq, text }) => [seq, text]), [[1, 'once'], [2, 'twice'], [3, 'once']]);
});

test('a direct message reaches two tabs and a phone, and nobody else', async () => {
  const [ada, ben, eve] = [person('driver'), person('vendor'), person('admin')];
  const mine = await Promise.all([server.connect(ada), server.connect(ada, { namespace: '/chat' }), server.connect(ada, { transports: ['polling'] })]);
  const [sender, senderTab, stranger] = await Promise.all([server.connect(ben), server.connect(ben), server.connect(eve)]);
  const roomId = `dm:${[ada.userId, ben.userId].sort().join(':')}`;
  const receipt = await accepted(sender, 'chat:message', { to: ada.userId, text: 'psst', clientId: 'd-1' });
  assert.equal(receipt.roomId, roomId);
  for (const socket of [...mine, sender, senderTab]) {
    const { id, text, userId } = await nextEvent(socket, 'chat:message');
    assert.deepEqual({ id, text, userId }, { id: receipt.messageId, text: 'psst', userId: ben.userId });
  }
  const answer = await accepted(mine[2], 'chat:message', { roomId, text: 'yes?', replyTo: receipt.messageId });
  assert.equal(answer.seq, 2);
  for (const socket of [...mine, sender, senderTab]) assert.equal((await nextEvent(socket, 'chat:message')).replyTo, receipt.messageId);

  const turned = `dm:${[ada.userId, ben.userId].sort().reverse().join(':')}`;
  for (const id of [roomId, turned]) {
    const { roomId: joined, kind, peer, members } = await accepted(sender, 'room:join', id);
    assert.deepEqual([joined, kind, peer, members], [roomId, 'direct', ada.userId, [ada.userId, ben.userId].sort()]);
  }
  await accepted(sender, 'chat:message', { roomId, text: 'joined as well' });
  await Promise.all([sender, ...mine].map((socket) => nextEvent(socket, 'chat:message')));
  await Promise.all([sender, ...mine].map(settle));
  for (const socket of [sender, ...mine]) assert.equal(heard(socket, 'chat:message').length, 3, 'joining a direct room doubles nothing');

  for (const [event, payload] of [
    ['room:join', roomId], ['chat:history', { roomId }], ['chat:message', { roomId, text: 'hello' }],
    ['chat:typing', { roomId, isTyping: true }], ['chat:read', { roomId, messageId: receipt.messageId }],
  ]) {
    await refused(stranger, 'room_forbidden', undefined, event, payload);
  }
  await settle(stranger);
  assert.deepEqual(heard(stranger, 'chat:message'), []);

  const note = await accepted(sender, 'chat:message', { to: ben.userId, text: 'note to self' });
  assert.equal(note.roomId, `dm:${ben.userId}:${ben.userId}`);
  await settle(sender);
  assert.equal(heard(sender, 'chat:message').filter(({ id }) => id === note.messageId).length, 1);
});

test('typing is seen by all but the socket that types', async () => {
  const [ada, ben] = [person('vendor'), person('vendor')];
  const [typist, typistTab, reader, outsider] = await Promise.all(
    [server.connect(ada), server.connect(ada), server.connect(ben), server.connect(person('vendor'))]);
  for (const socket of [typist, typistTab, reader]) await accepted(socket, 'room:join', 'desk');
  for (const isTyping of [true, false]) {
    assert.deepEqual(await accepted(typist, 'chat:typing', { roomId: 'desk', isTyping }), { status: 'ok' });
    for (const socket of [reader, typistTab]) {
      assert.deepEqual(await nextEvent(socket, 'chat:typing'), { roomId: 'desk', userId: ada.userId, username: ada.username, isTyping });
    }
  }
  const direct = `dm:${[ada.userId, ben.userId].sort().join(':')}`;
  await accepted(typist, 'chat:typing', { roomId: direct, isTyping: true });
  assert.equal((await nextEvent(reader, 'chat:typing')).roomId, direct);
  assert.equal((await nextEvent(typistTab, 'chat:typing')).roomId, direct);
  await Promise.all([typist, outsider].map(settle));
  for (const socket of [typist, outsider]) assert.deepEqual(heard(socket, 'chat:typing'), []);
  for (const isTyping of [undefined, null, 1, 'true']) {
    await refused(typist, 'invalid_payload', 'isTyping', 'chat:typing', { roomId: 'desk', isTyping });
  }
});

test('history pages backwards and forwards, by socket and by REST', async () => {
  const who = person('vendor');
  const socket = await server.connect(who);
  for (const n of upTo(25)) await accepted(socket, 'chat:message', { roomId: 'archive', text: `page ${n}` });
  for (const [query, expected, hasMore] of [
    [{}, upTo(25), false],
    [{ limit: 10 }, upTo(10, 16), true],
    [{ limit: 10, before: 16 }, upTo(10, 6), true],
    [{ limit: 10, before: 6 }, upTo(5), false],
    [{ before: 1 }, [], false],
    [{ limit: 10, after: 0 }, upTo(10), true],
    [{ limit: 10, after: 20 }, upTo(5, 21), false],
    [{ after: 25 }, [], false],
  ]) {
    const page = await accepted(socket, 'chat:history', { roomId: 'archive', ...query });
    assert.deepEqual([seqs(page.messages), page.hasMore], [expected, hasMore], JSON.stringify(query));
    const { status, body } = await server.rest(who, 'GET', `/rooms/archive/messages?${new URLSearchParams(query)}`);
    assert.deepEqual([status, body.items, body.hasMore], [200, page.messages, hasMore], JSON.stringify(query));
    assert.equal(body.nextCursor !== undefined, hasMore);
  }
  await refused(socket, 'invalid_payload', 'after', 'chat:history', { roomId: 'archive', before: 2, after: 1 });
  await refused(socket, 'invalid_payload', 'limit', 'chat:history', { roomId: 'archive', limit: 201 });
  await refused(socket, 'invalid_payload', 'before', 'chat:history', { roomId: 'archive', before: 0 });
  assertProblem(await server.rest(who, 'GET', '/rooms/archive/messages?limit=0.5'), 422, 'invalid_payload', 'limit');
  assertProblem(await server.rest(undefined, 'GET', '/rooms/archive/messages'), 401, 'auth_required');
});

test('a page of history never holds more than was asked for', async () => {
  const socket = await server.connect(person('vendor'));
  await Promise.all(upTo(60).map((n) => accepted(socket, 'chat:message', { roomId: 'long', text: `${n}` })));
  assert.deepEqual(seqs((await accepted(socket, 'chat:history', { roomId: 'long' })).messages), upTo(50, 11), '50 unless asked otherwise');
  await accepted(socket, 'room:join', { roomId: 'long', limit: 5 });
  const joined = await nextEvent(socket, 'room:history');
  assert.deepEqual([seqs(joined.messages), joined.hasMore], [upTo(5, 56), true]);
});

test('resync after an absence: no gap and no double, while others go on talking', async () => {
  const who = person('driver');
  const talker = await server.connect(person('vendor'));
  let reader = await server.connect(who);
  await accepted(reader, 'room:join', 'resync');
  const seen = [];
  for (let absence = 0; absence < 5; absence += 1) {
    await Promise.all(upTo(10).map(() => accepted(talker, 'chat:message', { roomId: 'resync', text: 'live' })));
    seen.push(...seqs(await nextEvents(reader, 'chat:message', 10, ({ seq }) => seq > seen.length)));
    reader.disconnect();
    await Promise.all(upTo(10).map(() => accepted(talker, 'chat:message', { roomId: 'resync', text: 'missed' })));
    reader = await server.connect(who);
    const talking = upTo(20).map(() => accepted(talker, 'chat:message', { roomId: 'resync', text: 'meanwhile' }));
    const { lastSeq } = await accepted(reader, 'room:join', { roomId: 'resync', after: seen.length, limit: 200 });
    const history = await nextEvent(reader, 'room:history');
    assert.equal(history.hasMore, false);
    seen.push(...seqs(history.messages));
    assert.equal(seen.length, lastSeq, 'the history ends where the room stood at the moment of joining');
    await Promise.all(talking);
    seen.push(...seqs(await nextEvents(reader, 'chat:message', (absence + 1) * 40 - seen.length)));
    await settle(reader);
    assert.deepEqual(seen, upTo((absence + 1) * 40));
  }
});

test('resync over more than one page', async () => {
  const [talker, reader] = await Promise.all([server.connect(person('vendor')), server.connect(person('vendor'))]);
  await Promise.all(upTo(130).map(() => accepted(talker, 'chat:message', { roomId: 'pages', text: 'x' })));
  await accepted(reader, 'room:join', { roomId: 'pages', after: 10 });
  let page = await nextEvent(reader, 'room:history');
  const seen = seqs(page.messages);
  while (page.hasMore) {
    page = await accepted(reader, 'chat:history', { roomId: 'pages', after: seen.at(-1) });
    seen.push(...seqs(page.messages));
  }
  assert.deepEqual(seen, upTo(120, 11));
});

test('rooms of the server and rooms with impossible names are closed', async () => {
  const admin = person('admin');
  const socket = await server.connect(admin);
  const reserved = [`user:${admin.userId}`, 'user:x', 'role:admin', 'company:acme', 'company:acme:driver', 'fleet:acme', 'driver:x', 'cell:x'];
  const malformed = [' ', 'a b', '-x', '.x', ':x', '_x', 'é', 'x\u0000', 'x\n', 'ｘ', 'fleet:*', 'r'.repeat(129), 'dm:', 'dm:x', 'dm:a:b:c', 'dm: :x'];
  for (const [code, rooms] of [['room_forbidden', reserved], ['room_invalid', malformed]]) {
    for (const roomId of rooms) {
      for (const [event, payload] of [
        ['room:join', roomId], ['room:join', { roomId }], ['chat:history', { roomId }], ['chat:message', { roomId, text: 'x' }],
        ['chat:typing', { roomId, isTyping: true }], ['chat:read', { roomId, messageId: 'x' }],
      ]) {
        const ack = await ask(socket, event, payload);
        assertFailure(ack, `${event} ${JSON.stringify(roomId)}`);
        assert.equal(ack.code, code, `${event} ${JSON.stringify(roomId)}`);
      }
      const status = { room_forbidden: 403, room_invalid: 422 }[code];
      const inPath = encodeURIComponent(roomId).replaceAll('%3A', ':');
      assertProblem(await server.rest(admin, 'GET', `/rooms/${inPath}/messages`), status, code);
    }
  }
  await accepted(socket, 'room:join', 'r'.repeat(128));
  await accepted(socket, 'room:join', '7_.:-');
});

test('a room id may come percent-encoded in a path', async () => {
  const [ada, ben] = [person('vendor'), person('vendor')];
  const roomId = `dm:${[ada.userId, ben.userId].sort().join(':')}`;
  assertProblem(await server.rest(ada, 'POST', `/rooms/${roomId}/messages`, { text: 'x' }), 404, 'not_found', 'roomId');
  await server.connect(ben); // who has been here from now on
  for (const [i, inPath] of [roomId, encodeURIComponent(roomId)].entries()) {
    const { status, body } = await server.rest(ada, 'POST', `/rooms/${inPath}/messages`, { text: `${i}` });
    assert.deepEqual([status, body.roomId, body.seq], [201, roomId, i + 1], inPath);
    assert.equal((await server.rest(ben, 'GET', `/rooms/${inPath}/messages`)).status, 200);
  }
});

test('wrong messages are refused by field', async () => {
  const who = person('vendor');
  const socket = await server.connect(who);
  const longest = '🛰'.repeat(5000); // characters are code points, not UTF-16 units
  const { messageId } = await accepted(socket, 'chat:message', { roomId: 'wrong', text: longest });
  const { messages } = await accepted(socket, 'chat:history', { roomId: 'wrong' });
  assert.equal(messages[0].text, longest);
  await refused(socket, 'too_large', 'text', 'chat:message', { roomId: 'wrong', text: 'x'.repeat(5001) });
  await refused(socket, 'too_large', 'text', 'chat:message', { roomId: 'wrong', text: `${longest}!` });
  assertProblem(await server.rest(who, 'POST', '/rooms/wrong/messages', { text: 'x'.repeat(5001) }), 413, 'too_large', 'text');
  for (const [field, payload] of [
    ['text', { roomId: 'wrong' }], ['text', { roomId: 'wrong', text: '' }], ['text', { roomId: 'wrong', text: 5 }],
    ['text', { roomId: 'wrong', text: null }], ['text', { roomId: 'wrong', text: ['x'] }],
    ['text', { roomId: 'wrong', text: ' \u00a0\u3000\n' }], ['text', { roomId: 'wrong', text: '\u200b\u2800\u3164\u00ad' }],
    ['text', { roomId: 'wrong', text: 'half a pair: \ud800' }],
    ['roomId', { text: 'nowhere' }], ['roomId', { roomId: 'wrong', to: 'somebody', text: 'both' }], ['to', { to: 'a b', text: 'x' }],
    ['roomId', { roomId: 7, text: 'x' }], ['clientId', { roomId: 'wrong', text: 'x', clientId: 1 }],
  ]) {
    await refused(socket, 'invalid_payload', field, 'chat:message', payload);
  }
  await refused(socket, 'not_found', 'replyTo', 'chat:message', { roomId: 'elsewhere', text: 'x', replyTo: messageId });
  await refused(socket, 'not_found', 'messageId', 'chat:read', { roomId: 'elsewhere', messageId });
  assert.equal((await accepted(socket, 'chat:history', { roomId: 'wrong' })).messages.length, 1, 'nothing refused was kept');
});

test('a file is held against what a message is held against', async () => {
  const socket = await server.connect(person('vendor'));
  const file = { roomId: 'files', fileName: 'slip.png', mimeType: 'image/png', file: Buffer.from('a picture') };
  const { messageId, seq } = await accepted(socket, 'chat:file', file);
  assert.ok(messageId);
  assert.equal(seq, 1);
  for (const [code, field, wrong] of [
    ['invalid_payload', 'file', { file: 'aGVsbG8=' }], ['invalid_payload', 'file', { file: undefined }], ['invalid_payload', 'file', { file: null }],
    ['invalid_payload', 'file', { file: Buffer.alloc(0) }], ['invalid_payload', 'fileName', { fileName: '\u200b' }],
    ['invalid_payload', 'mimeType', { mimeType: 'picture' }], ['invalid_payload', 'roomId', { roomId: undefined }],
    ['room_forbidden', 'roomId', { roomId: 'dm:somebody:else' }], ['too_large', undefined, { file: Buffer.alloc(100_001) }],
  ]) {
    await refused(socket, code, field, 'chat:file', { ...file, ...wrong });
  }
  await refused(socket, 'invalid_payload', undefined, 'chat:message', { roomId: 'files', text: Buffer.from('x') });
  await accepted(socket, 'chat:message', { roomId: 'files', text: 'still here' });
});

test('what clients spread over several arguments is refused, not dropped', async () => {
  const socket = await server.connect(person('vendor'));
  const messages = upTo(3).map((n) => ({ roomId: 'spread', text: `${n}` }));
  for (const [event, ...args] of [
    ['chat:message', ...messages], ['chat:message', messages], ['room:join', 'spread', 'spread-2'], ['room:join', ['spread', 'spread-2']],
    ['room:leave', 'spread', 'spread-2'], ['chat:typing', ...messages], ['chat:read', ...messages], ['chat:history', ...messages],
  ]) {
    await refused(socket, 'invalid_payload', undefined, event, ...args);
  }
  assert.deepEqual((await accepted(socket, 'chat:history', { roomId: 'spread' })).messages, []);
});

test('a socket joins 100 chat rooms at most', async () => {
  const who = person('vendor');
  const [socket, otherTab] = [await server.connect(who), await server.connect(who)];
  for (const n of upTo(100)) await accepted(socket, 'room:join', `full-${n}`);
  await refused(socket, 'too_many_rooms', undefined, 'room:join', 'full-101');
  await accepted(socket, 'room:join', 'full-1');
  await accepted(otherTab, 'room:join', 'full-101');
  await accepted(socket, 'room:leave', 'full-50');
  await accepted(socket, 'room:join', 'full-101');
});

test('read marks: how many are left, who has read', async () => {
  const [ada, ben] = [person('vendor'), person('driver')];
  const [writer, reader] = [await server.connect(ada), await server.connect(ben)];
  const sent = [];
  for (const n of upTo(3)) sent.push((await accepted(writer, 'chat:message', { to: ben.userId, text: `${n}` })).messageId);
  const { roomId } = await nextEvent(reader, 'chat:message');
  assert.deepEqual(await accepted(reader, 'chat:read', { roomId, messageId: sent[1] }), { status: 'ok', unread: 1, mentions: 0 });
  assert.deepEqual(await nextEvent(writer, 'chat:read'), { roomId, userId: ben.userId, messageId: sent[1], seq: 2 });
  assert.equal((await accepted(reader, 'chat:read', { roomId, messageId: sent[0] })).unread, 1, 'a mark never goes back');
  const { messages } = await accepted(writer, 'chat:history', { roomId });
  assert.deepEqual(messages.map(({ readBy }) => readBy), [[ada.userId, ben.userId], [ada.userId, ben.userId], [ada.userId]]);
  assert.equal((await accepted(reader, 'chat:read', { roomId, messageId: sent[2] })).unread, 0);
});

test('a read mark is told to all but the socket that has read, message by message', async () => {
  const [ada, ben] = [person('vendor'), person('driver')];
  const [writer, reader, phone] = [await server.connect(ada), await server.connect(ben), await server.connect(ben)];
  const sent = [];
  for (const n of upTo(3)) sent.push((await accepted(writer, 'chat:message', { to: ben.userId, text: `${n}` })).messageId);
  const { roomId } = await nextEvent(reader, 'chat:message');
  const order = [2, 0, 1, 2];
  for (const n of order) await accepted(reader, 'chat:read', { roomId, messageId: sent[n] });
  for (const socket of [writer, phone]) {
    const marks = await nextEvents(socket, 'chat:read', order.length);
    assert.deepEqual(marks, order.map((n) => ({ roomId, userId: ben.userId, messageId: sent[n], seq: n + 1 })));
  }
  await settle(reader);
  assert.deepEqual(heard(reader, 'chat:read'), []);
});

test('nobody writes to an id that nobody has: it may be misspelt', async () => {
  const [ada, ben, rest] = [person('vendor'), person('vendor'), person('vendor')];
  const socket = await server.connect(ada);
  const { error } = await refused(socket, 'not_found', 'to', 'chat:message', { to: ben.userId, text: 'hello?' });
  assert.match(error, /no such person/);
  const benHere = await server.connect(ben);
  await accepted(socket, 'chat:message', { to: ben.userId, text: 'hello' });
  benHere.disconnect();
  await accepted(socket, 'chat:message', { to: ben.userId, text: 'you were here' });
  const roomId = `dm:${[ada.userId, rest.userId].sort().join(':')}`;
  assert.equal((await server.rest(rest, 'POST', `/rooms/${roomId}/messages`, { text: 'I speak by REST alone' })).status, 201);
  await accepted(socket, 'chat:message', { to: rest.userId, text: 'and are answered' });
});

// The last scenario takes the server away from under every other socket of this file.
test('what was acknowledged survives a crash', async () => {
  const who = person('vendor');
  const socket = await server.connect(who);
  const receipts = await Promise.all(upTo(50).map((n) => accepted(socket, 'chat:message', { roomId: 'crash', text: `${n}`, clientId: `${n}` })));
  const unanswered = upTo(50).map(() => socket.emit('chat:message', { roomId: 'crash', text: 'perhaps' }));
  assert.equal(unanswered.length, 50);
  await server.crash();
  await nextEvent(socket, 'disconnect');
  const again = await server.connect(who);
  const { messages } = await accepted(again, 'chat:history', { roomId: 'crash', after: 0, limit: 200 });
  assert.deepEqual(seqs(messages), upTo(messages.length), 'no gap');
  assert.deepEqual(messages.slice(0, 50).map(({ id }) => id), receipts.map(({ messageId }) => messageId));
  assert.deepEqual(await accepted(again, 'chat:message', { roomId: 'crash', text: '7', clientId: '7' }), receipts[6]);
  assert.equal((await accepted(again, 'chat:message', { roomId: 'crash', text: 'next' })).seq, messages.length + 1);
});

test('a limit of 0 is refused by every event, as it is over REST', async () => {
  const who = person('vendor');
  const socket = await server.connect(who);
  for (const [event, payload] of [
    ['chat:history', { roomId: 'limits' }], ['room:join', { roomId: 'limits' }], ['rooms:list', {}], ['system:inbox', {}],
  ]) {
    for (const limit of [0, -1]) await refused(socket, 'invalid_payload', 'limit', event, { ...payload, limit });
    await accepted(socket, event, { ...payload, limit: 1 });
  }
  await refused(socket, 'invalid_payload', 'rooms[0].limit', 'room:join', { rooms: [{ roomId: 'limits', limit: 0 }] });
  assertProblem(await server.rest(who, 'GET', '/rooms/limits/messages?limit=0'), 422, 'invalid_payload', 'limit');
});

test('a sign that somebody writes ends by itself', async () => {
  const [ada, ben] = [person('vendor'), person('vendor')];
  const [writer, reader] = [await server.connect(ada), await server.connect(ben)];
  for (const socket of [writer, reader]) await accepted(socket, 'room:join', 'typing-ends');
  await accepted(writer, 'chat:typing', { roomId: 'typing-ends', isTyping: true });
  assert.equal((await nextEvent(reader, 'chat:typing')).isTyping, true);
  writer.disconnect();
  assert.deepEqual(await nextEvent(reader, 'chat:typing', ({ isTyping }) => !isTyping, 30_000),
    { roomId: 'typing-ends', userId: ada.userId, username: ada.username, isTyping: false });
});
