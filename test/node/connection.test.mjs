// Who gets in, by which transport, into which namespace, and what a client goes through when the server goes away.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Manager } from 'socket.io-client';
import {
  NO_LIMITS, accepted, ask, heard, heardNames, mint, nextEvent, nextEvents, nextOf, nextPresence, nowSeconds, person,
  renew, settle, startServer, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const NAMESPACES = ['/', '/chat', '/tracking', '/system'];

/** What an admin hears first in each namespace. */
const GREETING = {
  '/': ['tracking:snapshot', 'system:inbox', 'presence:list', 'rooms:list'],
  '/chat': ['presence:list', 'rooms:list'],
  '/tracking': ['tracking:snapshot'],
  '/system': ['system:inbox'],
};

/** What an admin hears at any time of the sockets of other tests. */
const COMING_AND_GOING = ['presence:online', 'presence:offline', 'presence:changes', 'tracking:status'];

for (const namespace of NAMESPACES) {
  for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']]) {
    test(`${namespace} over ${transports.join(' → ')}`, async () => {
      const admin = person('admin');
      const socket = server.open(admin, { namespace, transports });
      const upgraded = transports.length > 1 && new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
      await nextEvent(socket, 'connect');
      for (const name of GREETING[namespace]) await nextEvent(socket, name);
      await settle(socket);
      if (upgraded) await upgraded;
      await settle(socket);
      assert.equal(socket.io.engine.transport.name, transports.at(-1));
      const names = heardNames(socket).filter((name) => !COMING_AND_GOING.includes(name));
      assert.deepEqual(names.sort(), [...GREETING[namespace]].sort(), 'the greeting and nothing else');
      socket.disconnect();
    });
  }
}

test('messages both ways during the upgrade arrive once and in order', async () => {
  const [writer, reader] = [person('vendor'), person('provider')];
  const speaker = await server.connect(writer);
  const listener = server.open(reader, { transports: ['polling', 'websocket'] });
  const upgraded = new Promise((resolve) => listener.io.engine.once('upgrade', resolve));
  await nextEvent(listener, 'connect');
  await accepted(listener, 'room:join', 'upgrade');
  await accepted(speaker, 'room:join', 'upgrade');
  const spoken = Array.from({ length: 100 }, (_, i) => accepted(speaker, 'chat:message', { roomId: 'upgrade', text: `down ${i}` }));
  const answered = Array.from({ length: 100 }, (_, i) => accepted(listener, 'chat:message', { roomId: 'upgrade', text: `up ${i}` }));
  await upgraded;
  await Promise.all([...spoken, ...answered]);
  for (const socket of [speaker, listener]) {
    const messages = await nextEvents(socket, 'chat:message', 200);
    assert.deepEqual(messages.map((message) => message.seq), Array.from({ length: 200 }, (_, i) => i + 1));
    for (const direction of ['down', 'up']) {
      const texts = messages.map((message) => message.text).filter((text) => text.startsWith(direction));
      assert.deepEqual(texts, Array.from({ length: 100 }, (_, i) => `${direction} ${i}`));
    }
  }
});

test('one connection carries all namespaces, each with its own domain', async () => {
  const sockets = await server.connectAll(person('admin'), NAMESPACES);
  assert.equal(new Set(sockets.map((socket) => socket.io.engine.id)).size, 1);
  const [all, chat, tracking, system] = sockets;
  await accepted(chat, 'room:join', 'multiplexed');
  await accepted(all, 'chat:message', { roomId: 'multiplexed', text: 'heard in / and /chat' });
  await Promise.all([nextEvent(all, 'chat:message'), nextEvent(chat, 'chat:message')]);
  for (const [socket, event, payload] of [
    [chat, 'system:inbox', {}], [tracking, 'presence:list', {}], [system, 'room:join', 'multiplexed'],
  ]) {
    assert.equal((await ask(socket, event, payload)).code, 'not_found', `${event} in ${socket.nsp}`);
  }
  await Promise.all([settle(tracking), settle(system)]);
  assert.deepEqual([...heard(tracking, 'chat:message'), ...heard(system, 'chat:message')], []);
  chat.disconnect();
  await settle(all);
});

test('the token may come in the Authorization header instead', async () => {
  for (const transports of [['websocket'], ['polling']]) {
    for (const scheme of ['Bearer', 'bearer']) {
      const driver = person('driver');
      const socket = await server.connect(undefined, { transports, extraHeaders: { Authorization: `${scheme} ${driver.token}` } });
      const { userId, role } = (await server.rest(driver, 'GET', '/me')).body;
      assert.deepEqual({ userId, role }, { userId: driver.userId, role: 'driver' });
      socket.disconnect();
    }
  }
});

test('the token of the CONNECT payload goes before the one of the header', async () => {
  const [inPayload, inHeader] = [person('vendor'), person('admin')];
  const socket = await server.connect(inPayload, { extraHeaders: { Authorization: `Bearer ${inHeader.token}` } });
  assert.equal((await ask(socket, 'system:broadcast', { title: 'x', audience: { all: true } })).code, 'forbidden');
});

const REFUSED = {
  auth_required: { message: 'Authentication required' },
  auth_invalid: { message: 'Invalid token' },
  auth_expired: { message: 'Token expired' },
  auth_role: { message: 'Unknown role' },
};
const claims = { sub: 'somebody', username: 'Somebody', role: 'vendor' };
const refusals = [
  ['no token', {}, 'auth_required'],
  ['an empty token', { auth: { token: '' } }, 'auth_required'],
  ['a token in the query string', { query: { token: mint(claims) } }, 'auth_required'],
  ['no JWT', { auth: { token: 'open sesame' } }, 'auth_invalid'],
  ['a token that is no string', { auth: { token: 42 } }, 'auth_invalid'],
  ['a token within an object', { auth: { token: { token: mint(claims) } } }, 'auth_invalid'],
  ['a token of 20 kB', { auth: { token: mint({ ...claims, padding: 'x'.repeat(20_000) }) } }, 'auth_invalid'],
  ['another secret', { auth: { token: mint(claims, { secret: 'another secret, also of 32 bytes and more' }) } }, 'auth_invalid'],
  ['another algorithm', { auth: { token: mint(claims, { alg: 'HS512' }) } }, 'auth_invalid'],
  ['no algorithm', { auth: { token: mint(claims, { alg: 'none' }) } }, 'auth_invalid'],
  ['no exp', { auth: { token: mint({ ...claims, exp: undefined }) } }, 'auth_invalid'],
  ['a token for later', { auth: { token: mint({ ...claims, nbf: nowSeconds() + 600 }) } }, 'auth_invalid'],
  ['no user id', { auth: { token: mint({ role: 'vendor' }) } }, 'auth_invalid'],
  ['an impossible user id', { auth: { token: mint({ ...claims, sub: 'a:b' }) } }, 'auth_invalid'],
  ['a user id of 129 characters', { auth: { token: mint({ ...claims, sub: 'u'.repeat(129) }) } }, 'auth_invalid'],
  ['an impossible company', { auth: { token: mint({ ...claims, role: 'driver', companyId: 'acme:admin' }) } }, 'auth_invalid'],
  ['an expired token', { auth: { token: mint({ ...claims, exp: nowSeconds() - 1 }) } }, 'auth_expired'],
  ['an expired token of another secret', { auth: { token: mint({ ...claims, exp: 1 }, { secret: 'x'.repeat(32) }) } }, 'auth_invalid'],
  ['no role', { auth: { token: mint({ sub: 'somebody' }) } }, 'auth_role'],
  ['an unknown role', { auth: { token: mint({ ...claims, role: 'superuser' }) } }, 'auth_role'],
  ['a role in capitals', { auth: { token: mint({ ...claims, role: 'ADMIN' }) } }, 'auth_role'],
  ['another scheme', { extraHeaders: { Authorization: 'Basic YTpi' } }, 'auth_invalid'],
  ['an expired token in the header', { extraHeaders: { Authorization: `Bearer ${mint({ ...claims, exp: 1 })}` } }, 'auth_expired'],
];
for (const [what, options, code] of refusals) {
  test(`refused: ${what} (${code})`, async () => {
    const expected = { message: REFUSED[code].message, data: { code } };
    assert.deepEqual(await server.refusal(undefined, options), expected);
    assert.deepEqual(await server.refusal(undefined, { ...options, transports: ['polling'] }), expected);
    for (const namespace of NAMESPACES.slice(1)) {
      assert.deepEqual(await server.refusal(undefined, { ...options, namespace }), expected, namespace);
    }
  });
}

test('claims have their fallbacks', async () => {
  const cases = [
    [{ userId: 'by-user-id', name: 'By Name', role: 'vendor' }, { userId: 'by-user-id', username: 'By Name', companyId: undefined }],
    [{ sub: 'by-sub', userId: 'ignored', role: 'vendor' }, { userId: 'by-sub', username: 'by-sub', companyId: undefined }],
    [{ sub: 'without-company', role: 'driver' }, { userId: 'without-company', username: 'without-company', companyId: 'default' }],
    [{ sub: 'no-tenant', role: 'admin', companyId: 'acme' }, { userId: 'no-tenant', username: 'no-tenant', companyId: undefined }],
  ];
  for (const [payload, expected] of cases) {
    const { userId, username, companyId } = (await server.rest({ token: mint(payload) }, 'GET', '/me')).body;
    assert.deepEqual({ userId, username, companyId }, expected);
  }
});

test('a namespace that does not exist is refused', async () => {
  const { message } = await server.refusal(person('admin'), { namespace: '/nowhere' });
  assert.equal(message, 'Invalid namespace');
});

test('a user has 20 sockets at most, over all namespaces, and gets a place back when one leaves', async () => {
  const crowd = person('vendor');
  const sockets = await Promise.all(Array.from({ length: 20 }, (_, i) =>
    server.connect(crowd, { namespace: NAMESPACES[i % 4] })));
  const tooMany = { message: 'Too many connections', data: { code: 'too_many_connections' } };
  for (const namespace of NAMESPACES) assert.deepEqual(await server.refusal(crowd, { namespace }), tooMany);
  const watcher = await server.connect(person('admin'));
  for (const socket of sockets) socket.disconnect();
  await nextPresence(watcher, 'offline', crowd.userId);
  await server.connect(crowd);
});

/** One Engine.IO request of a client that speaks bare HTTP. */
async function engine(query, init) {
  const response = await fetch(`${server.url}/socket.io/?${new URLSearchParams({ EIO: '4', transport: 'polling', ...query })}`, init);
  return { status: response.status, text: await response.text() };
}

test('handshakes of another protocol are refused in the words of the protocol', async () => {
  const cases = [
    [{ EIO: '3' }, {}, 5, 'Unsupported protocol version'],
    [{ EIO: '' }, {}, 5, 'Unsupported protocol version'],
    [{ transport: 'carrier-pigeon' }, {}, 0, 'Transport unknown'],
    [{ sid: 'nobody' }, {}, 1, 'Session ID unknown'],
    [{}, { method: 'POST', body: '40' }, 2, 'Bad handshake method'],
  ];
  for (const [query, init, code, message] of cases) {
    const { status, text } = await engine(query, init);
    assert.equal(status, 400, message);
    assert.deepEqual(JSON.parse(text), { code, message });
  }
});

test('events of a refused socket reach no handler', async () => {
  const member = await server.connect(person('vendor'));
  await accepted(member, 'room:join', 'guarded');
  const { sid } = JSON.parse((await engine({})).text.slice(1));
  const post = (body) => engine({ sid }, { method: 'POST', body });
  await post('40{"token":"open sesame"}');
  assert.match((await engine({ sid })).text, /^44\{.*"auth_invalid"/);
  await post('42["room:join","guarded"]\x1e42["chat:message",{"roomId":"guarded","text":"let me in"}]');
  await settle(member);
  assert.deepEqual([...heard(member, 'chat:message'), ...heard(member, 'room:user-joined')], []);
  const { messages } = await accepted(member, 'chat:history', { roomId: 'guarded' });
  assert.deepEqual(messages, []);
});

test('what is no packet ends its own session only', async () => {
  const neighbour = await server.connect(person('vendor'));
  for (const body of ['nonsense', '42["room:join"', '42{}', '9', '4', '49', '42[]', '\x1e\x1e', '40/chat,{']) {
    const { sid } = JSON.parse((await engine({})).text.slice(1));
    await engine({ sid }, { method: 'POST', body: `40${JSON.stringify({ token: person('vendor').token })}` });
    await engine({ sid });
    await engine({ sid }, { method: 'POST', body });
    await settle(neighbour);
  }
  assert.deepEqual(heard(neighbour, 'disconnect'), []);
});

test('the browser client is served', async () => {
  const response = await fetch(`${server.url}/socket.io/socket.io.js`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /javascript/);
  assert.match(await response.text(), /Socket\.IO v4\./);
});

test('an ack that does not come in time is an error, and the connection goes on', async () => {
  const socket = await server.connect(person('vendor'));
  server.pause();
  try {
    // The process freezes some moments after the signal; events that were faster are answered.
    await assert.rejects(async () => {
      for (let i = 0; i < 1000; i += 1) await socket.timeout(100).emitWithAck('presence:list', {});
    }, /timed out/);
  } finally {
    server.resume();
  }
  await settle(socket);
  assert.deepEqual(heard(socket, 'disconnect'), []);
});

// The scenarios from here on take the server away from under every other socket of this file.
for (const [what, goAway] of [['a stop and a new start', () => server.restart()], ['a crash and a new start', () => server.crash()]]) {
  test(`clients come back by themselves after ${what}`, async () => {
    const who = person('vendor');
    const patience = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
    const sockets = [['websocket'], ['polling'], ['polling', 'websocket']].map((transports) => server.open(who, { ...patience, transports }));
    await new Promise((resolve) => sockets[2].io.engine.once('upgrade', resolve));
    for (const socket of sockets) await nextEvent(socket, 'connect');
    await goAway();
    for (const socket of sockets) {
      const reason = await nextEvent(socket, 'disconnect');
      assert.notEqual(reason, 'io server disconnect', 'the client would stay away for ever');
      await nextEvent(socket, 'connect', undefined, 10_000);
      await settle(socket);
    }
  });
}

test('a stop in the midst of upgrades leaves no client believing it is connected', async () => {
  for (let round = 0; round < 3; round += 1) {
    const sockets = Array.from({ length: 20 }, () => server.open(person('vendor'), { transports: ['polling', 'websocket'] }));
    await Promise.race(sockets.map((socket) => new Promise((resolve) => socket.io.engine.once('upgrade', resolve))));
    await server.restart();
    await Promise.all(sockets.map((socket) => nextOf(socket, ['disconnect', 'connect_error'])));
  }
});

test('a client that comes back may bring a newer token', async () => {
  const who = person('company', { companyId: 'acme' });
  let asked = 0;
  const manager = new Manager(server.url, { reconnectionDelay: 20, transports: ['websocket'] });
  const socket = manager.socket('/', {
    auth: (give) => {
      asked += 1;
      give({ token: renew(who, { exp: nowSeconds() + 1000 + asked }) });
    },
  });
  try {
    await new Promise((resolve) => socket.once('connect', resolve));
    const back = new Promise((resolve) => socket.once('connect', resolve));
    socket.io.engine.close();
    await back;
    assert.equal(asked, 2);
  } finally {
    socket.disconnect();
  }
});
