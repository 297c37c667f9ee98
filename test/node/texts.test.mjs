// Whatever people type comes back byte for byte: heard live, read from disk, as a message and as a notice.
//
// ROLECALL_TEXTS names a folder of published test strings (blns.json, tatoeba_multilingual.tsv, emoji_sequences_17.txt,
// utf8_0-0xfff_asis.txt, twitter_text/*.yml); without it a short list stands in. ROLECALL_TEXTS_ALL=1 takes every
// sentence of the largest file instead of every tenth. Some strings garble terminals, so none is printed.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { NO_LIMITS, accepted, ask, person, startServer, test, within } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const MAX_TEXT = 5000;
const MAX_TITLE = 200;
const PAGE = 200;
const WINDOW = 64;
const PATIENCE = 60_000;

const embedded = [
  ' ', '\t\r\n', '\u0000', 'a\u0000b', '\u0001\u001b[31m\u007f\u0085', '\u2028\u2029', '\ufeffBOM', '\ufffe\uffff\u{1fffe}\u{10ffff}', '\ufffd',
  '<script>alert("&amp;")</script>', '{"type":2,"data":["chat:message"]}', '42["chat:message",{}]', '51-["x",{"_placeholder":true,"num":0}]',
  "Robert'); DROP TABLE messages;--", '\\u0041 \\x00 \\', '"', '%s %n %00', '\u{1d54c}\u{1d55f}\u{1d55a}', '👩‍👩‍👧‍👦🏳️‍🌈🇺🇳', '\u00e9 e\u0301',
  `Z${'\u0351\u036b\u0343'.repeat(40)}`, '\u202edrow\u202c', 'مرحبا بالعالم', 'שלום', 'नमस्ते', '你好，世界', 'สวัสดี', '1e400', 'null', 'NaN',
];

/** A folder's texts with where each comes from. */
function fromFolder(folder) {
  const read = (name) => readFileSync(path.join(folder, name), 'utf8');
  const lines = (name) => read(name).split('\n').map((text, i) => ({ from: `${name}:${i + 1}`, text }));
  const every = process.env.ROLECALL_TEXTS_ALL ? 1 : 10;
  const yamls = readdirSync(path.join(folder, 'twitter_text')).filter((name) => name.endsWith('.yml'));
  return [
    ...JSON.parse(read('blns.json')).map((text, i) => ({ from: `blns.json[${i}]`, text })),
    ...lines('tatoeba_multilingual.tsv').slice(1).filter((_, i) => i % every === 0)
      .map(({ from, text }) => ({ from, text: text.slice(text.indexOf('\t') + 1) })),
    ...lines('emoji_sequences_17.txt'),
    { from: 'utf8_0-0xfff_asis.txt', text: read('utf8_0-0xfff_asis.txt') },
    ...yamls.flatMap((name) => lines(path.join('twitter_text', name))),
  ];
}

const source = process.env.ROLECALL_TEXTS ? fromFolder(process.env.ROLECALL_TEXTS) : embedded.map((text, i) => ({ from: `embedded[${i}]`, text }));

/** Cuts what is longer than a message may be. */
function inMessages({ from, text }) {
  const characters = [...text];
  if (characters.length <= MAX_TEXT) return [{ from, text }];
  return Array.from({ length: Math.ceil(characters.length / MAX_TEXT) }, (_, i) =>
    ({ from: `${from}, part ${i + 1}`, text: characters.slice(i * MAX_TEXT, (i + 1) * MAX_TEXT).join('') }));
}

// The contract asks for text of one character and more; half a surrogate pair has no bytes to compare.
const texts = source.filter(({ text }) => text !== '' && text.isWellFormed()).flatMap(inMessages);

/** Tells what a reader would see nothing of. */
const isBlank = (text) => /^[\p{White_Space}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]*$/u.test(text);

/** What is kept of a text: white space at its ends is lost, and so is what nobody would see. */
const shown = ({ from, text }) => ({ from, text: isBlank(text) ? '' : text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '') });

/** Fails where the bytes differ, and says where, in hexadecimal. */
function assertSame(received, { from, text }, where) {
  const [got, want] = [Buffer.from(String(received)), Buffer.from(text)];
  if (got.equals(want)) return;
  let at = 0;
  while (got[at] === want[at]) at += 1;
  const hex = (bytes) => bytes.subarray(at, at + 16).toString('hex');
  assert.fail(`${where}: ${from} differs at byte ${at}: ${hex(got)} for ${hex(want)}`);
}

/** Runs a task for each item, so many at a time. */
async function inParallel(items, width, task) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < items.length) await task(items[next], next++);
  }));
}

/** Keeps an event's payloads by their id and resolves `all` once `count` have come. */
function collect(socket, event, count) {
  const byId = new Map();
  const all = new Promise((resolve) => {
    socket.on(event, (payload) => {
      byId.set(payload.id, payload);
      if (byId.size === count) resolve();
    });
  });
  return { byId, all: () => within(PATIENCE, `${count} ${event}`, all) };
}

test(`${texts.length} texts go through chat`, async () => {
  const rooms = Array.from({ length: 4 }, (_, i) => `texts-${i}`);
  const reader = person('provider');
  const listener = await server.connect(reader, { namespace: '/chat' });
  for (const roomId of rooms) await accepted(listener, 'room:join', roomId);
  const writers = await Promise.all(rooms.map(() => server.connect(person('vendor'))));
  const visible = texts.filter(({ text }) => !isBlank(text));
  const heard = collect(listener, 'chat:message', visible.length);
  const sent = new Map();
  await inParallel(texts, WINDOW, async (entry, i) => {
    const lane = i % rooms.length;
    const ack = await ask(writers[lane], 'chat:message', { roomId: rooms[lane], text: entry.text });
    if (isBlank(entry.text)) {
      assert.deepEqual([ack.code, ack.field, ack.error], ['invalid_payload', 'text', 'Invalid message'], entry.from);
      return;
    }
    assert.equal(ack.status, 'ok', `${entry.from}: ${ack.code} ${ack.error}`);
    sent.set(ack.messageId, entry);
  });
  await heard.all();
  for (const [id, entry] of sent) assertSame(heard.byId.get(id).text, shown(entry), 'live');
  let stored = 0;
  for (const roomId of rooms) {
    for (let cursor = ''; cursor !== undefined;) {
      const { status, body } = await server.rest(reader, 'GET', `/rooms/${roomId}/messages?limit=${PAGE}&after=0&cursor=${cursor}`);
      assert.equal(status, 200);
      for (const { id, text } of body.items) assertSame(text, shown(sent.get(id)), 'history');
      stored += body.items.length;
      cursor = body.nextCursor;
    }
  }
  assert.equal(stored, visible.length);
});

test(`${texts.length} texts go through notices`, async () => {
  const reader = person('vendor');
  const listener = await server.connect(reader, { namespace: '/system' });
  const admin = person('admin');
  const speakers = await Promise.all(Array.from({ length: 4 }, () => server.connect(person('admin'), { namespace: '/system' })));
  const heard = collect(listener, 'system:notice', texts.length);
  const sent = new Map();
  // Notices lose white space at their ends; a blank body is none, and a blank title is refused.
  const titled = ({ text }) => [...text].length <= MAX_TITLE && !isBlank(text);
  await inParallel(texts, WINDOW, async (entry, i) => {
    const draft = { title: titled(entry) ? entry.text : 'long', body: entry.text, data: { [entry.from]: entry.text }, audience: { users: [reader.userId] } };
    const ack = await ask(speakers[i % speakers.length], 'system:broadcast', draft);
    assert.equal(ack.status, 'ok', `${entry.from}: ${ack.code} ${ack.field} ${ack.error}`);
    sent.set(ack.notice.id, entry);
  });
  await heard.all();
  const check = (notice, where) => {
    const entry = sent.get(notice.id);
    assertSame(notice.body, shown(entry), `${where} body`);
    assertSame(notice.data[entry.from], entry, `${where} data`);
    if (titled(entry)) assertSame(notice.title, shown(entry), `${where} title`);
  };
  for (const id of sent.keys()) check(heard.byId.get(id), 'live');
  let stored = 0;
  for (let cursor = ''; cursor !== undefined;) {
    const { status, body } = await server.rest(admin, 'GET', `/notices?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`);
    assert.equal(status, 200);
    for (const notice of body.items) check(notice, 'list');
    stored += body.items.length;
    cursor = body.nextCursor;
  }
  assert.equal(stored, texts.length);
});

test('texts go through REST as well', async () => {
  const who = person('vendor');
  await inParallel(embedded, 8, async (text, i) => {
    const answer = await server.rest(who, 'POST', `/rooms/rest-${i}/messages`, { text });
    if (isBlank(text)) {
      assert.deepEqual([answer.status, answer.body.field, answer.body.detail], [422, 'text', 'Invalid message']);
      return;
    }
    assert.equal(answer.status, 201);
    const { body } = await server.rest(who, 'GET', `/rooms/rest-${i}/messages`);
    assertSame(body.items[0].text, shown({ from: `embedded[${i}]`, text }), 'REST');
  });
});

test('names are shown as the token has them, as far as there is something to see', async () => {
  const admin = await server.connect(person('admin'));
  for (const [i, name] of embedded.entries()) {
    const who = person('vendor', { username: name });
    const socket = await server.connect(who);
    const message = new Promise((resolve) => admin.once('chat:message', resolve));
    await accepted(admin, 'room:join', `names-${i}`);
    await accepted(socket, 'chat:message', { roomId: `names-${i}`, text: 'x' });
    // A name loses white space at its ends; for one in which there is nothing to see people see the id.
    const { text } = shown({ text: name });
    assertSame((await message).username, { from: `embedded[${i}]`, text: text || who.userId }, 'username');
    socket.disconnect();
  }
});

test('half a surrogate pair is refused or replaced, never passed on', async () => {
  const socket = await server.connect(person('vendor'));
  for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800', '👍'.slice(0, 1)]) {
    const ack = await ask(socket, 'chat:message', { roomId: 'halves', text });
    if (ack.status === 'error') assert.equal(ack.code, 'invalid_payload');
  }
  const { messages } = await accepted(socket, 'chat:history', { roomId: 'halves' });
  for (const { text } of messages) assert.ok(text.isWellFormed() && text.includes('\ufffd'));
});
