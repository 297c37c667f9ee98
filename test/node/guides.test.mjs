// Chat as the product's guides describe it, by a client that knows nothing else: the official client, default limits, plain
// strings where the guides have them, and what it is told used as JavaScript uses it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { accepted, ask, heard, nextEvent, nextEvents, person, refused, settle, startServer, test } from './helpers.mjs';

const server = await startServer();
after(() => server.stop());

const upTo = (count, from = 1) => Array.from({ length: count }, (_, i) => from + i);
const texts = (messages) => messages.map(({ text }) => text);

/** Two people in a room of their own, joined by its name. */
async function together(roomId) {
  const [ada, ben] = [person('driver'), person('company')];
  const [hers, his] = await Promise.all([server.connect(ada), server.connect(ben)]);
  for (const socket of [hers, his]) {
    const ack = await accepted(socket, 'room:join', roomId);
    assert.equal(ack.roomId, roomId);
    assert.equal(ack.lastSeq, 0);
    assert.deepEqual(await nextEvent(socket, 'room:history'), { roomId, messages: [], hasMore: false });
  }
  return { ada, ben, hers, his };
}

test('join by a plain string, send, be acknowledged, hear, read back', async () => {
  const { ada, hers, his } = await together('guide-lobby');
  const ack = await accepted(hers, 'chat:message', { roomId: 'guide-lobby', text: '  Good morning\n' });
  assert.equal(ack.seq, 1);
  assert.equal(ack.roomId, 'guide-lobby');
  for (const socket of [hers, his]) {
    const message = await nextEvent(socket, 'chat:message');
    assert.equal(message.id, ack.messageId);
    assert.equal(message.text, 'Good morning', 'white space at the ends is lost');
    assert.deepEqual([message.userId, message.username, message.role], [ada.userId, ada.username, 'driver']);
    assert.deepEqual(message.readBy, [ada.userId], 'who has sent it has read it');
    // What programs do with times and texts.
    assert.ok(Math.abs(new Date(message.timestamp).getTime() - Date.now()) < 60_000);
    assert.equal(message.timestamp.slice(0, 10), new Date().toISOString().slice(0, 10));
    assert.equal(new Date(message.timestamp).toISOString(), message.timestamp);
    assert.ok(message.timestamp.endsWith('Z') && message.text.toUpperCase().includes('MORNING'));
    assert.equal(message.timestamp, ack.timestamp);
  }
  const late = await server.connect(person('vendor'));
  await accepted(late, 'room:join', 'guide-lobby');
  const { messages, hasMore } = await nextEvent(late, 'room:history');
  assert.deepEqual([texts(messages), hasMore], [['Good morning'], false]);
  const page = await accepted(late, 'chat:history', { roomId: 'guide-lobby', limit: 10 });
  assert.deepEqual(page.messages, messages);
});

test('messages are ordered by their times as text, too', async () => {
  const { hers } = await together('guide-times');
  for (const n of upTo(5)) await accepted(hers, 'chat:message', { roomId: 'guide-times', text: `${n}` });
  const { messages } = await accepted(hers, 'chat:history', { roomId: 'guide-times' });
  assert.deepEqual(texts(messages.toSorted((a, b) => a.timestamp.localeCompare(b.timestamp))), upTo(5).map(String));
});

test('typing that begins and ends', async () => {
  const { ada, hers, his } = await together('guide-typing');
  const tab = await server.connect(ada);
  await accepted(tab, 'room:join', 'guide-typing');
  for (const isTyping of [true, false]) {
    await accepted(hers, 'chat:typing', { roomId: 'guide-typing', isTyping });
    for (const socket of [his, tab]) {
      const sign = await nextEvent(socket, 'chat:typing');
      assert.deepEqual(sign, { roomId: 'guide-typing', userId: ada.userId, username: ada.username, isTyping });
    }
  }
  await settle(hers);
  assert.deepEqual(heard(hers, 'chat:typing'), []);
  await refused(hers, 'invalid_payload', 'isTyping', 'chat:typing', { roomId: 'guide-typing' });
});

test('read marks on several messages: every one is told, in whatever order they are read', async () => {
  const { ada, ben, hers, his } = await together('guide-reading');
  const sent = [];
  for (const n of upTo(3)) sent.push((await accepted(hers, 'chat:message', { roomId: 'guide-reading', text: `${n}` })).messageId);
  const readBy = new Map(sent.map((id) => [id, 0])); // as a simple client counts
  hers.on('chat:read', ({ messageId }) => readBy.set(messageId, readBy.get(messageId) + 1));
  const phone = await server.connect(ben);
  for (const messageId of sent.toReversed()) await accepted(his, 'chat:read', { roomId: 'guide-reading', messageId });
  for (const socket of [hers, phone]) {
    const marks = await nextEvents(socket, 'chat:read', 3);
    assert.deepEqual(marks.map(({ messageId, userId }) => [messageId, userId]), sent.toReversed().map((id) => [id, ben.userId]));
  }
  assert.deepEqual([...readBy.values()], [1, 1, 1]);
  await settle(his);
  assert.deepEqual(heard(his, 'chat:read'), [], 'who has read is not told so');
  const { messages } = await accepted(hers, 'chat:history', { roomId: 'guide-reading' });
  for (const message of messages) assert.deepEqual(message.readBy, [ada.userId, ben.userId]);
});

test('presence: who is there, and who comes and goes', async () => {
  const [mate, colleague] = [person('company', { companyId: 'guide' }), person('driver', { companyId: 'guide' })];
  const watcher = await server.connect(mate);
  const socket = await server.connect(colleague);
  const online = await nextEvent(watcher, 'presence:online', ({ userId }) => userId === colleague.userId);
  assert.equal(online.username, colleague.username);
  const { users } = await accepted(socket, 'presence:list', {});
  const met = users.find(({ userId }) => userId === mate.userId);
  assert.deepEqual([met.username, met.role, met.online], [mate.username, 'company', true]);
  socket.disconnect();
  assert.equal((await nextEvent(watcher, 'presence:offline')).userId, colleague.userId);
});

test('leaving: nothing more is heard', async () => {
  const { ada, ben, hers, his } = await together('guide-leaving');
  await accepted(his, 'room:leave', 'guide-leaving');
  assert.deepEqual(await nextEvent(hers, 'room:user-left'), { roomId: 'guide-leaving', userId: ben.userId, username: ben.username });
  await accepted(hers, 'chat:message', { roomId: 'guide-leaving', text: 'still there?' });
  await settle(his);
  assert.deepEqual(heard(his, 'chat:message'), []);
  assert.equal(heard(hers, 'chat:message')[0].userId, ada.userId);
});

test('a reply names what it answers', async () => {
  const { hers, his } = await together('guide-reply');
  const question = await accepted(hers, 'chat:message', { roomId: 'guide-reply', text: 'Where are you?' });
  await accepted(his, 'chat:message', { roomId: 'guide-reply', text: 'At the depot.', replyTo: question.messageId });
  const [, answer] = await nextEvents(hers, 'chat:message', 2);
  assert.equal(answer.replyTo, question.messageId);
  await refused(his, 'not_found', 'replyTo', 'chat:message', { roomId: 'guide-reply', text: 'x', replyTo: 'nothing' });
});

test('what is no message is told so in the same words', async () => {
  const { hers, his } = await together('guide-words');
  for (const wrong of [
    {}, { text: '' }, { text: '   ' }, { text: '\n\t\u00a0\u3000' }, { text: '\u200b\u2060\ufeff' }, { text: '\u2800' }, { text: '\u3164' },
    { text: '\u00ad' }, { text: 'x'.repeat(5001) }, { text: 7 }, { text: null }, { text: true }, { text: ['x'] }, { text: { a: 1 } },
  ]) {
    const ack = await ask(hers, 'chat:message', { roomId: 'guide-words', ...wrong });
    if (ack.code === 'rate_limited') break; // ten at once; the rest of the table is in chat.test.mjs
    assert.deepEqual([ack.status, ack.error, ack.field], ['error', 'Invalid message', 'text'], JSON.stringify(wrong).slice(0, 60));
  }
  his.emit('chat:message', { roomId: 'guide-words', text: ' ' });
  const { event, error, code } = await nextEvent(his, 'error:event');
  assert.deepEqual([event, error, code], ['chat:message', 'Invalid message', 'invalid_payload']);
  await accepted(his, 'chat:message', { roomId: 'guide-words', text: ` ${'🙂'.repeat(5000)} ` });
  await nextEvent(hers, 'chat:message');
  await settle(hers);
  assert.equal(heard(hers, 'chat:message').length, 1);
});

test('the eleventh message at once is too many, and it is told for how long', async () => {
  const { hers, his } = await together('guide-limit');
  const acks = await Promise.all(upTo(12).map((n) => ask(hers, 'chat:message', { roomId: 'guide-limit', text: `${n}` })));
  for (const { status } of acks.slice(0, 10)) assert.equal(status, 'ok');
  const last = acks.at(-1);
  assert.deepEqual([last.status, last.error, last.code], ['error', 'Rate limit exceeded', 'rate_limited']);
  assert.ok(last.retryAfterMs > 0);
  await accepted(his, 'chat:message', { roomId: 'guide-limit', text: 'others may' });
  assert.deepEqual(heard(hers, 'disconnect'), []);
});

test('back after an absence, by the id of the last message', async () => {
  const { ben, hers, his } = await together('guide-resync');
  for (const n of upTo(3)) await accepted(hers, 'chat:message', { roomId: 'guide-resync', text: `${n}` });
  const last = (await nextEvents(his, 'chat:message', 3)).at(-1);
  his.disconnect();
  for (const n of upTo(4, 4)) await accepted(hers, 'chat:message', { roomId: 'guide-resync', text: `${n}` });
  const back = await server.connect(ben);
  const ack = await accepted(back, 'room:join', { roomId: 'guide-resync', after: last.id });
  assert.deepEqual([ack.lastSeq, ack.reset], [7, undefined]);
  assert.deepEqual(texts((await nextEvent(back, 'room:history')).messages), ['4', '5', '6', '7']);
  await accepted(hers, 'chat:message', { roomId: 'guide-resync', text: '8' });
  assert.equal((await nextEvent(back, 'chat:message')).text, '8');
  const page = await accepted(back, 'chat:history', { roomId: 'guide-resync', after: last.id, limit: 2 });
  assert.deepEqual([texts(page.messages), page.hasMore], [['4', '5'], true]);
  const older = await accepted(back, 'chat:history', { roomId: 'guide-resync', before: last.id });
  assert.deepEqual(texts(older.messages), ['1', '2']);
  await refused(back, 'not_found', 'after', 'room:join', { roomId: 'guide-lobby', after: last.id });
  const anew = await accepted(back, 'room:join', { roomId: 'guide-resync', after: 1000 });
  assert.equal(anew.reset, true, 'the server knows of less than the client: begin anew');
});

for (const namespace of ['/', '/chat']) {
  test(`chat:batch for who asks for it, in ${namespace}`, async () => {
    const roomId = `guide-batch-${namespace.length}`;
    const { hers, his } = await together(roomId);
    const reader = person('vendor');
    const batching = await server.connect(reader, { namespace, auth: { token: reader.token, batch: true } });
    await accepted(batching, 'room:join', roomId);
    const sent = await Promise.all(upTo(8).map((n) => accepted(hers, 'chat:message', { roomId, text: `${n}` })));
    const got = [];
    while (got.length < sent.length) got.push(...await nextEvent(batching, 'chat:batch'));
    assert.deepEqual(got.map(({ id, seq }) => [id, seq]), sent.map(({ messageId, seq }) => [messageId, seq]));
    assert.deepEqual(got, await nextEvents(his, 'chat:message', 8), 'the others hear the same, one by one');

    const { messageId } = await accepted(hers, 'chat:message', { roomId, text: 'read this' });
    await accepted(his, 'chat:read', { roomId, messageId });
    await nextEvent(batching, 'chat:read');
    assert.equal(heard(batching, 'chat:batch').flat().at(-1).id, messageId, 'what is told of a message comes behind it');
    const { messageId: own } = await accepted(batching, 'chat:message', { roomId, text: 'my own', clientId: 'c-1' });
    const mine = heard(batching, 'chat:batch').flat().at(-1);
    assert.deepEqual([mine.id, mine.clientId], [own, 'c-1'], 'an ack comes behind the message');
    assert.deepEqual(heard(batching, 'chat:message'), []);
    assert.deepEqual(heard(his, 'chat:batch'), []);

    const plain = await server.connect(reader, { namespace, auth: { token: reader.token, batch: false } });
    await accepted(plain, 'room:join', { roomId, after: own });
    await accepted(his, 'chat:message', { roomId, text: 'both ways' });
    assert.equal((await nextEvent(plain, 'chat:message')).text, 'both ways');
    const { message, data } = await server.refusal(reader, { namespace, auth: { token: reader.token, batch: 'yes' } });
    assert.deepEqual([message, data], ['batch must be true or false', { code: 'invalid_payload' }]);
  });
}
