// What applications make of the official client's options, against the product: coming back and catching up, retries,
// events sent before the connection stands, bytes, and programs that end while connected.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  DEADLINE, NO_LIMITS, accepted, heard, nextEvent, nextEvents, nextPresence, person, refused, settle, startServer, until,
  stopAll, test, within,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
const restarted = await startServer(NO_LIMITS); // for tests that take the server away
after(() => stopAll(server, restarted));

const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];
const upTo = (count, from = 1) => Array.from({ length: count }, (_, i) => from + i);
const texts = (messages) => messages.map(({ text }) => text);
const PATIENCE = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };

/** A way through that can be closed and opened. */
function gate() {
  let opened = Promise.resolve();
  let open = () => {};
  return {
    pass: () => opened,
    close() { opened = new Promise((resolve) => { open = resolve; }); },
    open: () => open(),
  };
}

for (const transports of TRANSPORTS) {
  const by = transports.join(' → ');

  for (const options of [{ path: '/socket.io' }, { path: '/socket.io/' }]) {
    test(`the path ${options.path} over ${by}`, async () => {
      const socket = await server.connect(person('vendor'), { transports, ...options });
      await settle(socket);
      socket.disconnect();
    });
  }

  test(`a path that is requested without its trailing slash, over ${by}`, async () => {
    const socket = await server.connect(person('vendor'), { transports, addTrailingSlash: false });
    await settle(socket);
    socket.disconnect();
  });

  test(`a conversation over ${by}`, async () => {
    const [ada, ben] = await Promise.all([person('vendor'), person('provider')].map((who) => server.connect(who, { transports })));
    const roomId = `conversation-${transports.length}-${transports[0]}`;
    for (const socket of [ada, ben]) await accepted(socket, 'room:join', roomId);
    const said = await Promise.all(upTo(100).map((n) => accepted([ada, ben][n % 2], 'chat:message', { roomId, text: `${n % 2}:${n}` })));
    assert.deepEqual(said.map(({ seq }) => seq).sort((a, b) => a - b), upTo(100));
    for (const socket of [ada, ben]) {
      const messages = await nextEvents(socket, 'chat:message', 100);
      assert.deepEqual(messages.map(({ seq }) => seq), upTo(100));
      for (const side of [0, 1]) {
        const own = texts(messages).filter((text) => text.startsWith(`${side}:`));
        assert.deepEqual(own, upTo(100).filter((n) => n % 2 === side).map((n) => `${side}:${n}`));
      }
      socket.disconnect();
    }
  });

  test(`events sent before the connection stands are answered in order over ${by}`, async () => {
    const socket = server.open(person('vendor'), { transports });
    const roomId = `early-${transports.length}-${transports[0]}`;
    const joined = accepted(socket, 'room:join', roomId);
    const said = upTo(500).map((n) => accepted(socket, 'chat:message', { roomId, text: `${n}` }));
    assert.equal(socket.connected, false);
    assert.equal((await joined).lastSeq, 0);
    assert.deepEqual((await Promise.all(said)).map(({ seq }) => seq), upTo(500));
    assert.deepEqual(texts(await nextEvents(socket, 'chat:message', 500)), upTo(500).map(String));
    socket.disconnect();
  });

  test(`bytes are refused in words over ${by}, and the connection goes on`, async () => {
    const socket = await server.connect(person('vendor'), { transports });
    const roomId = 'bytes';
    await accepted(socket, 'room:join', roomId);
    const bytes = Buffer.from('text');
    for (const value of [bytes, Uint8Array.from(bytes), Uint8Array.from(bytes).buffer, Buffer.alloc(0), Buffer.alloc(90_000)]) {
      for (const payload of [{ roomId, text: value }, { roomId, text: 'x', more: [{ deep: value }] }, value]) {
        const { error } = await refused(socket, 'invalid_payload', undefined, 'chat:message', payload);
        assert.match(error, /binary/);
      }
      await refused(socket, 'invalid_payload', undefined, 'chat:message', { roomId, text: 'x' }, value);
      socket.emit('chat:message', { roomId, text: value });
      const { event, code } = await nextEvent(socket, 'error:event');
      assert.deepEqual({ event, code }, { event: 'chat:message', code: 'invalid_payload' });
    }
    assert.equal((await accepted(socket, 'chat:message', { roomId, text: by })).status, 'ok');
    await settle(socket);
    assert.deepEqual(texts(heard(socket, 'chat:message')), [by]);
    socket.disconnect();
  });

  test(`disconnect and connect in one breath over ${by}: the new socket starts anew`, async () => {
    const who = person('vendor');
    const socket = await server.connect(who, { transports });
    const watcher = await server.connect(person('admin'));
    await accepted(socket, 'room:join', 'left-behind');
    await nextEvent(socket, 'room:history');
    socket.disconnect().connect();
    assert.equal(await nextEvent(socket, 'disconnect'), 'io client disconnect');
    await nextEvent(socket, 'connect');
    await accepted(watcher, 'room:join', 'left-behind');
    await accepted(watcher, 'chat:message', { roomId: 'left-behind', text: `after ${by}` });
    await settle(socket);
    const overheard = heard(socket, 'chat:message').filter(({ roomId }) => roomId === 'left-behind');
    assert.deepEqual(texts(overheard), [], 'it stands in no room it has not joined');
    await until('the watcher\'s node knows that they are online', async () => {
      const { users } = await accepted(watcher, 'presence:list', { userIds: [who.userId] });
      return users.length === 1 && users[0].online;
    });
    socket.disconnect();
    await nextPresence(watcher, 'offline', who.userId);
  });

  for (const [what, goAway] of [['restart', () => restarted.restart()], ['crash', () => restarted.crash()]]) {
    test(`after a ${what} a client over ${by} comes back by itself, catches up and hears on`, async () => {
      const roomId = `${what}-${transports.length}-${transports[0]}`;
      const who = person('vendor');
      const door = gate();
      const reader = restarted.open(who, {
        ...PATIENCE, transports, auth: (give) => { void door.pass().then(() => give({ token: who.token })); },
      });
      await nextEvent(reader, 'connect');
      const writer = await restarted.connect(person('vendor'), PATIENCE);
      for (const socket of [reader, writer]) await accepted(socket, 'room:join', roomId);
      for (const n of upTo(5)) await accepted(writer, 'chat:message', { roomId, text: `${n}` });
      const before = await nextEvents(reader, 'chat:message', 5);
      await nextEvent(reader, 'room:history');

      door.close(); // the client comes back, and has to wait at the door
      await goAway();
      await Promise.all([reader, writer].map((socket) => nextEvent(socket, 'disconnect')));
      await nextEvent(writer, 'connect', undefined, 10_000);
      await accepted(writer, 'room:join', roomId);
      for (const n of upTo(5, 6)) await accepted(writer, 'chat:message', { roomId, text: `${n}` });
      assert.equal(reader.connected, false);
      const meanwhile = upTo(20, 11).map((n) => accepted(writer, 'chat:message', { roomId, text: `${n}` }));
      door.open();
      await nextEvent(reader, 'connect', undefined, 10_000);
      const { lastSeq } = await accepted(reader, 'room:join', { roomId, after: before.at(-1).seq, limit: 100 });
      await Promise.all(meanwhile);
      await accepted(writer, 'chat:message', { roomId, text: 'live' });
      await nextEvent(reader, 'chat:message', ({ text }) => text === 'live');

      const missed = (await nextEvent(reader, 'room:history')).messages;
      assert.equal(missed.at(-1).seq, lastSeq);
      assert.ok(missed.length >= 5, 'what was said before it came back');
      const live = heard(reader, 'chat:message').slice(before.length);
      assert.deepEqual(texts([...before, ...missed, ...live]), [...upTo(30).map(String), 'live'], 'everything once and in order');
      for (const socket of [reader, writer]) socket.disconnect();
    });
  }
}

test('retries with a clientId: what was sent three times is said once', async () => {
  const socket = await server.connect(person('vendor'), { retries: 10, ackTimeout: 300 });
  await accepted(socket, 'room:join', 'retries');
  let said = 0;
  let tries;
  let receipt;
  let thrice;
  socket.onAnyOutgoing(() => {
    tries += 1;
    if (tries === 3) thrice();
  });
  const say = async () => {
    said += 1;
    tries = 0;
    const sentThrice = new Promise((resolve) => { thrice = resolve; });
    receipt = socket.emitWithAck('chat:message', { roomId: 'retries', text: `${said}`, clientId: `${said}` });
    return within(DEADLINE, 'an answer or three tries', Promise.race([sentThrice.then(() => true), receipt.then(() => false)]));
  };
  server.pause();
  try {
    while (!await say()); // the process freezes some moments after the signal, and answers what was faster
  } finally {
    server.resume();
  }
  const { status, seq } = await receipt;
  assert.deepEqual({ status, seq }, { status: 'ok', seq: said });
  assert.ok(tries >= 3, `${tries} tries`);
  await settle(socket);
  assert.deepEqual(texts(heard(socket, 'chat:message')), upTo(said).map(String));
  socket.disconnect();
});

test('retries with a clientId over a restart: everything is said once', async () => {
  const [from, to] = [person('vendor'), person('provider')];
  const met = await restarted.connect(to); // whom the server knows from now on
  await settle(met);
  met.disconnect();
  const socket = await restarted.connect(from, { ...PATIENCE, retries: 100, ackTimeout: 2000 });
  // To the client a failure is an ack like any other. One that the server gives while it stops is for the application to
  // try again, and its message comes behind the others then.
  const again = [];
  const say = async (n) => {
    for (;;) {
      const ack = await socket.emitWithAck('chat:message', { to: to.userId, text: `${n}`, clientId: `message-${n}` });
      if (ack.code !== 'unavailable') return ack;
      again.push(n);
    }
  };
  const first = upTo(20).map(say);
  await first[0];
  const back = restarted.restart();
  const second = upTo(20, 21).map(say);
  await back;
  const receipts = await within(30_000, 'all to be acked', Promise.all([...first, ...second]));
  assert.deepEqual(receipts.filter(({ status }) => status !== 'ok'), []);
  const reader = await restarted.connect(to);
  const { messages } = await accepted(reader, 'chat:history', { roomId: receipts[0].roomId, limit: 100 });
  assert.deepEqual(messages.map(({ seq }) => seq), upTo(40));
  assert.deepEqual(texts(messages).map(Number).sort((x, y) => x - y), upTo(40), 'each once');
  for (const [i, { seq }] of receipts.entries()) assert.equal(messages[seq - 1].text, `${i + 1}`, 'the receipt is of its own message');
  const undisturbed = texts(messages).map(Number).filter((n) => !again.includes(n));
  assert.deepEqual(undisturbed, upTo(40).filter((n) => !again.includes(n)), 'in the order of sending');
  for (const each of [socket, reader]) each.disconnect();
});

test('a program with autoUnref ends while it is connected, and the server lets go of it', async () => {
  const who = person('vendor');
  const watcher = await server.connect(person('admin'));
  const program = fileURLToPath(new URL('./lib/lets-go.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, server.url, who.token], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => { output += text; });
  try {
    const [code] = await within(10_000, 'the program to end', once(child, 'close'));
    assert.deepEqual({ code, output }, { code: 0, output: 'ok\n' });
    await nextPresence(watcher, 'offline', who.userId); // also where it was too quick to be told to have come
  } finally {
    child.kill('SIGKILL');
    watcher.disconnect();
  }
});
