// Rooms shared with servers of Socket.IO on Node.js, by @socket.io/redis-adapter and @socket.io/redis-emitter.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Emitter } from '@socket.io/redis-emitter';
import { io as connectTo } from 'socket.io-client';
import {
  DEADLINE, NO_LIMITS, SECRET, accepted, heard, heardNames, nextEvent, person, settle, startServer, stopAll, test, within,
} from './helpers.mjs';
import { leaveOut } from './lib/contract-log.mjs';
import { record } from './lib/events.mjs';
import { startPeer } from './lib/peer.mjs';
import { startRedis } from './lib/redis.mjs';

leaveOut((name) => !/^(auth|chat|error|presence|room|rooms|system|tracking):|^(connect|disconnect)/.test(name));
const redis = await startRedis();
const settings = { ...NO_LIMITS, ROLECALL_REDIS_URL: redis.url, ROLECALL_REDIS_BRIDGE: 'chat,notices' };
const [server, other] = await Promise.all([startServer(settings), startServer(settings)]); // with a file each, of one deployment
const peer = await startPeer(redis.url);
const publisher = await redis.client();
const emitter = new Emitter(publisher);
const opened = [];
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.disconnect();
  await until('the server on Node.js is empty', () => peer.io.engine.clientsCount === 0);
});
after(async () => {
  await peer.close();
  await stopAll(server, other);
  await redis.stop();
});

/** A socket on the server on Node.js, in these rooms. */
async function guest(rooms, { url = peer.url, namespace = '/', ...options } = {}) {
  const socket = record(connectTo(url + namespace, { forceNew: true, transports: ['websocket'], auth: { rooms }, reconnection: false, ...options }));
  opened.push(socket);
  await nextEvent(socket, 'ready');
  return socket;
}

/** Waits for a condition. */
async function until(what, condition, patience = DEADLINE) {
  for (const late = Date.now() + patience; ;) {
    const outcome = await condition();
    if (outcome) return outcome;
    if (Date.now() > late) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

/** The servers of ours that share a namespace, beside as many others. */
const serversOf = async (namespace) => (await publisher.sendCommand(['PUBSUB', 'NUMSUB', `socket.io-request#${namespace}#`]))[1];
const shared = (namespace, count) => until(`${count} servers share ${namespace}`, async () => await serversOf(namespace) === count);
await Promise.all([shared('/', 3), shared('/chat', 3), shared('/system', 3), shared('/notifications', 2)]);

/** What a socket hears when everything that was sent before has come. */
async function barrier(room, socket, emit = emitter) {
  const mark = Math.random();
  emit.to(room).emit('barrier', mark);
  await nextEvent(socket, 'barrier', (got) => got === mark);
}

const bytes = (data) => Buffer.from(data).toString('latin1');
const args = (socket, event) => new Promise((resolve) => { socket.once(event, (...all) => resolve(all)); });
const complaints = (from, reason) => from.log.filter((line) => line.msg?.startsWith('bridge:') && line.reason === reason);

test('each server is counted once a namespace, however many of its own there are', async () => {
  assert.equal(await serversOf('/'), 3);
  assert.equal(await serversOf('/tracking'), 0);
  assert.equal(await serversOf('/admin'), 0);
});

for (const [name, source] of [['a server', () => peer.io], ['an emitter', () => emitter]]) {
  test(`${name} on Node.js reaches our sockets: one room, several, except, another namespace`, async () => {
    const [ada, ben] = [person('vendor'), person('driver')];
    const [hers, his] = [await server.connect(ada), await other.connect(ben)];
    const inChat = await server.connect(ada, { namespace: '/chat' });
    const from = source();
    from.to(`user:${ada.userId}`).emit('order:updated', { id: 7, total: 12.5, tags: ['a', null] });
    assert.deepEqual(await nextEvent(hers, 'order:updated'), { id: 7, total: 12.5, tags: ['a', null] });
    from.to(`user:${ada.userId}`).to(`user:${ben.userId}`).emit('both', 'é€😀');
    assert.equal(await nextEvent(hers, 'both'), 'é€😀');
    assert.equal(await nextEvent(his, 'both'), 'é€😀');
    from.to(`user:${ada.userId}`).to(`user:${ben.userId}`).except(`user:${ada.userId}`).emit('his', 1);
    assert.equal(await nextEvent(his, 'his'), 1);
    from.of('/chat').to(`user:${ada.userId}`).volatile.emit('in chat', true);
    assert.equal(await nextEvent(inChat, 'in chat'), true);

    const several = args(hers, 'several');
    from.to(`user:${ada.userId}`).emit('several', 1, Buffer.from('\x01\xff', 'latin1'), { deep: [Buffer.from('x')] });
    const [number, first, { deep: [second] }] = await several;
    assert.deepEqual([number, bytes(first), bytes(second)], [1, '\x01\xff', 'x']);
    const none = args(hers, 'none');
    from.to(`user:${ada.userId}`).emit('none');
    assert.deepEqual(await none, []);

    await barrier(`user:${ada.userId}`, hers, from);
    await barrier(`user:${ben.userId}`, his, from);
    assert.deepEqual(heard(hers, 'his'), [], 'who is excepted hears nothing');
    assert.deepEqual([...heard(hers, 'in chat'), ...heard(his, 'order:updated')], []);
    for (const [socket, event] of [[hers, 'order:updated'], [hers, 'both'], [his, 'both'], [inChat, 'in chat']]) {
      assert.equal(heard(socket, event).length, 1, `${event} is heard once`);
    }
  });
}

test('what is said here is heard by the sockets of a server on Node.js, once, as it is heard here', async () => {
  const [ada, ben] = [person('vendor'), person('provider')];
  const [hers, his] = [await server.connect(ada), await server.connect(ben)];
  const watching = await guest(['chat:harbour', `user:${ben.userId}`]);
  const inChat = await guest([`user:${ben.userId}`], { namespace: '/chat' });
  await accepted(his, 'room:join', 'harbour');
  await accepted(hers, 'room:join', 'harbour');
  assert.deepEqual(await nextEvent(watching, 'room:user-joined', ({ userId }) => userId === ada.userId),
    { roomId: 'harbour', userId: ada.userId, username: ada.username });
  await accepted(hers, 'chat:message', { roomId: 'harbour', text: 'ahoy € <b>' });
  assert.deepEqual(await nextEvent(watching, 'chat:message'), await nextEvent(his, 'chat:message'));
  await accepted(hers, 'chat:message', { to: ben.userId, text: 'only you' });
  const direct = await nextEvent(his, 'chat:message', ({ text }) => text === 'only you');
  assert.deepEqual(await nextEvent(watching, 'chat:message', ({ text }) => text === 'only you'), direct);
  assert.deepEqual(await nextEvent(inChat, 'chat:message', ({ text }) => text === 'only you'), direct);
  await accepted(hers, 'chat:typing', { roomId: 'harbour', isTyping: true });
  assert.equal((await nextEvent(watching, 'chat:typing')).userId, ada.userId);
  await barrier('chat:harbour', watching);
  assert.equal(heard(watching, 'chat:message').length, 2, 'by two servers of ours');
  assert.equal(heard(his, 'chat:message').length, 2);
});

test('notices are heard by the sockets that stand in the rooms of their audience; positions stay here', async () => {
  const [boss, dora] = [person('admin'), person('driver', { companyId: 'acme' })];
  const [admin, driver] = [await server.connect(boss), await server.connect(dora)];
  const watching = await guest(['role:driver', 'company:acme', 'fleet:acme', 'fleet:*', `user:${dora.userId}`]);
  const inSystem = await guest(['role:driver'], { namespace: '/system' });
  const { body: notice } = await server.rest(boss, 'POST', '/notices', { title: 'Ice', body: 'Slow', severity: 'info', audience: { roles: ['driver'] } });
  const told = await nextEvent(driver, 'system:notice');
  assert.equal(told.id, notice.id);
  assert.deepEqual(await nextEvent(watching, 'system:notice'), told);
  assert.deepEqual(await nextEvent(inSystem, 'system:notice'), told);
  await accepted(driver, 'system:read', { id: notice.id });
  assert.deepEqual(await nextEvent(watching, 'system:unread'), { unread: 0 });
  await accepted(driver, 'tracking:update', { lat: 50, lng: 8 });
  await nextEvent(admin, 'tracking:positions');
  await server.rest(boss, 'DELETE', `/notices/${notice.id}`);
  assert.deepEqual(await nextEvent(inSystem, 'system:retract'), { id: notice.id });
  await barrier(`user:${dora.userId}`, watching);
  assert.deepEqual(heardNames(watching).filter((name) => name.startsWith('tracking:')), []);
  assert.equal(heard(watching, 'system:notice').length, 1);
});

test('sockets are put into rooms and out of them, by a server and by an emitter, and disconnected', async () => {
  const ada = person('vendor');
  const room = `user:${ada.userId}`;
  const [socket, far] = [await server.connect(ada), await other.connect(ada)];
  const local = await guest([room]);
  for (const from of [peer.io, emitter]) {
    from.in(room).socketsJoin('chat:deck');
    for (const each of [socket, far, local]) await barrier('chat:deck', each, from);
    from.in(room).except('none').socketsLeave(['chat:deck']);
    for (const each of [socket, far, local]) await barrier(room, each, from); // on Node.js it takes its way through Redis as well
    from.to('chat:deck').emit('gone', 1);
    for (const each of [socket, far, local]) await barrier(room, each, from);
    assert.deepEqual([socket, far, local].flatMap((each) => heard(each, 'gone')), []);
  }
  const inChat = await server.connect(ada, { namespace: '/chat' });
  emitter.of('/chat').in(room).disconnectSockets();
  assert.equal(await nextEvent(inChat, 'disconnect'), 'io server disconnect');
  await settle(socket);
  peer.io.in(room).disconnectSockets(true);
  for (const each of [socket, far, local]) assert.equal(await nextEvent(each, 'disconnect'), 'io server disconnect');
});

test('a server on Node.js asks for sockets and rooms: it is told who they are, and no token or cookie', async () => {
  const ada = person('company', { companyId: 'acme' });
  const room = `user:${ada.userId}`;
  const socket = await server.connect(ada, { extraHeaders: { Cookie: 'session=secret-cookie', Authorization: `Bearer ${ada.token}` }, query: { token: 'secret-query' } });
  const far = await other.connect(ada);
  await accepted(socket, 'room:join', 'harbour');
  const local = await guest([room]);
  const found = await peer.io.in(room).fetchSockets();
  assert.deepEqual(found.map(({ id }) => id).sort(), [socket.id, far.id, local.id].sort());
  const ours = found.find(({ id }) => id === socket.id);
  assert.deepEqual(ours.data, { userId: ada.userId, username: ada.username, role: 'company', companyId: 'acme' });
  assert.deepEqual([...ours.rooms].sort(), [socket.id, room, 'chat:harbour'].sort(), 'rooms that others may not name are not told');
  const text = JSON.stringify([ours.handshake, ours.data]);
  for (const secret of [ada.token, 'secret-cookie', 'secret-query', 'Bearer']) assert.ok(!text.includes(secret), secret);
  assert.ok(Math.abs(ours.handshake.issued - Date.now()) < 60_000);

  ours.emit('just you', 1);
  assert.equal(await nextEvent(socket, 'just you'), 1);
  ours.join('chat:cabin');
  await barrier('chat:cabin', socket);
  assert.deepEqual(await peer.io.in('chat:nobody').fetchSockets(), []);
  const rooms = await peer.io.of('/').adapter.allRooms();
  for (const name of [room, 'chat:harbour', 'chat:cabin', socket.id, local.id]) assert.ok(rooms.has(name), name);
  assert.deepEqual([...rooms].filter((name) => /^(role|company|fleet):/.test(name)), []);
  ours.disconnect(true);
  assert.equal(await nextEvent(socket, 'disconnect'), 'io server disconnect');
  await barrier(room, far);
  assert.deepEqual(heard(far, 'just you'), []);
});

test('a server on Node.js asks clients, ours and its own, and servers', async () => {
  const ada = person('vendor');
  const room = `user:${ada.userId}`;
  const [socket, far, local] = [await server.connect(ada), await other.connect(ada), await guest([room])];
  socket.on('ask', (question, ack) => ack({ from: 'here', question }));
  far.on('ask', (_, ack) => ack(Buffer.from('far')));
  local.on('ask', (_, ack) => ack('local'));
  const answers = await peer.io.to(room).timeout(3000).emitWithAck('ask', Buffer.from('why'));
  assert.equal(answers.length, 3);
  assert.equal(bytes(answers.find((answer) => answer.from === 'here').question), 'why');
  assert.ok(answers.some((answer) => Buffer.isBuffer(answer) && bytes(answer) === 'far'));
  assert.ok(answers.includes('local'));
  assert.deepEqual(await peer.io.to('chat:nobody').timeout(3000).emitWithAck('ask', 1), [], 'of no clients');

  far.off('ask');
  const late = await new Promise((resolve) => { peer.io.to(room).timeout(300).emit('ask', 1, (error, got) => resolve({ error, got })); });
  assert.match(late.error.message, /timed out/);
  assert.equal(late.got.length, 2, 'who does not answer holds up nobody');

  assert.deepEqual(await peer.io.serverSideEmitWithAck('hello', 1), [null, null]);
  peer.io.serverSideEmit('hello');
  emitter.serverSideEmit('hello');
  await barrier(room, socket);
});

test('what others may not name stays theirs: rooms of roles, companies and fleets, everybody, the events of this server', async () => {
  const [boss, dora] = [person('admin'), person('driver', { companyId: 'acme' })];
  const [admin, driver] = [await server.connect(boss), await server.connect(dora)];
  const room = `user:${dora.userId}`;
  for (const from of [peer.io, emitter]) {
    for (const name of ['role:driver', 'company:acme', 'company:acme:driver', 'fleet:*', 'fleet:acme']) {
      from.to(name).emit('forged', name);
      from.to(name).to(room).emit('forged', 'beside one that may be named');
      from.in(name).socketsJoin('chat:trap');
      from.in(name).disconnectSockets(true);
    }
    from.emit('forged', 'to everybody');
    from.disconnectSockets(true);
    from.in(room).socketsJoin(`user:${boss.userId}`);
    from.in(room).socketsJoin('fleet:*');
    from.in(room).socketsJoin('chat:group:theirs');
    from.in(room).socketsLeave([room, 'role:driver']);
    for (const name of ['chat:message', 'room:removed', 'system:notice', 'auth:expiring', 'presence:online', 'tracking:positions', 'error:event']) {
      from.to(room).emit(name, { text: 'forged' });
    }
  }
  assert.deepEqual((await peer.io.in('role:driver').fetchSockets()), []);
  assert.deepEqual((await peer.io.fetchSockets()).filter(({ id }) => id === driver.id), []);
  assert.deepEqual(await peer.io.to('role:driver').timeout(3000).emitWithAck('forged', 1), []);
  await barrier(room, driver);
  await settle(admin);
  for (const socket of [admin, driver]) {
    assert.equal(socket.connected, true);
    assert.deepEqual(heardNames(socket).filter((name) => ['forged', 'chat:message', 'room:removed', 'tracking:positions', 'error:event'].includes(name)), []);
  }
  emitter.to('chat:trap').emit('caught', 1);
  emitter.to(`user:${boss.userId}`).emit('for the boss', 1);
  await barrier(room, driver);
  assert.deepEqual([...heard(driver, 'caught'), ...heard(driver, 'for the boss')], []);
  for (const reason of ['room', 'everyone', 'event']) assert.ok(complaints(server, reason).length > 0, `the log names ${reason}`);
});

test('what is configured may be named: everybody, rooms of one\'s own, an event of this server; by another key', async (t) => {
  const wide = await startServer({
    ...settings, ROLECALL_REDIS_PREFIX: 'wide', ROLECALL_REDIS_BRIDGE_KEY: 'wide', ROLECALL_REDIS_BRIDGE: 'chat',
    ROLECALL_REDIS_BRIDGE_ROOMS: 'everyone,user:*,order:*', ROLECALL_REDIS_BRIDGE_EVENTS: 'chat:typing',
  });
  const beside = await startPeer(redis.url, { key: 'wide' });
  t.after(async () => {
    await beside.close();
    await wide.stop();
  });
  await until('both are there', async () => (await publisher.sendCommand(['PUBSUB', 'NUMSUB', 'wide-request#/chat#']))[1] === 2);
  const far = new Emitter(publisher, { key: 'wide' });
  const [ada, ben] = [person('vendor'), person('vendor')];
  const [hers, his] = [await wide.connect(ada), await wide.connect(ben)];
  const inChat = await wide.connect(ada, { namespace: '/chat' });
  const elsewhere = await server.connect(ada);

  beside.io.emit('to all', Buffer.from('1'));
  far.except(`user:${ada.userId}`).emit('but her', 2);
  far.of('/chat').emit('in chat', 3);
  assert.equal(bytes(await nextEvent(hers, 'to all')), '1');
  assert.equal(bytes(await nextEvent(his, 'to all')), '1');
  assert.equal(await nextEvent(his, 'but her'), 2);
  assert.equal(await nextEvent(inChat, 'in chat'), 3);
  assert.deepEqual((await beside.io.fetchSockets()).map(({ id }) => id).sort(), [hers.id, his.id].sort());
  for (const socket of [hers, his]) socket.on('ask', (_, ack) => ack(socket.id));
  assert.deepEqual((await beside.io.timeout(3000).emitWithAck('ask', 1)).sort(), [hers.id, his.id].sort());

  beside.io.in(hers.id).socketsJoin('order:7');
  far.to('order:7').emit('order', 7);
  assert.equal(await nextEvent(hers, 'order'), 7);
  far.to(`user:${ben.userId}`).emit('chat:typing', { roomId: 'r', userId: 'u', username: 'U', isTyping: true });
  assert.equal((await nextEvent(his, 'chat:typing')).username, 'U');
  far.to(`user:${ben.userId}`).emit('chat:message', {});
  await barrier(`user:${ben.userId}`, his, far);
  await barrier(`user:${ada.userId}`, hers, far);
  assert.deepEqual([...heard(his, 'order'), ...heard(his, 'chat:message'), ...heard(hers, 'but her'), ...heard(hers, 'in chat')], []);
  await settle(elsewhere);
  assert.deepEqual(heard(elsewhere, 'to all'), [], 'by another key nothing is heard');
  beside.io.disconnectSockets(true);
  for (const socket of [hers, his]) assert.equal(await nextEvent(socket, 'disconnect'), 'io server disconnect');
});

test('the examples of docs/bridge.md work as they stand there', async (t) => {
  const text = readFileSync(new URL('../../docs/bridge.md', import.meta.url), 'utf8');
  const programs = [...text.matchAll(/```js\n\/\/ (\S+)\n([^]*?)```/g)];
  assert.deepEqual(programs.map(([, name]) => name), ['emit.mjs', 'server.mjs']);
  const cache = fileURLToPath(new URL('node_modules/.cache/', import.meta.url)); // from where packages are found
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(path.join(cache, 'docs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const run = (name) => {
    writeFileSync(path.join(folder, name), programs.find(([, of]) => of === name)[2]);
    const child = fork(path.join(folder, name), { silent: true, env: { PATH: process.env.PATH, REDIS_URL: redis.url, ROLECALL_JWT_SECRET: SECRET, PORT: '0' } });
    t.after(() => child.kill('SIGKILL'));
    return child;
  };
  const [ada, ben] = [person('vendor', { userId: 'ada' }), person('vendor', { userId: 'ben' })];
  const [hers, his] = [await server.connect(ada), await other.connect(ben)];
  await accepted(hers, 'room:join', 'lobby');
  const [code] = await once(run('emit.mjs'), 'exit');
  assert.equal(code, 0);
  assert.deepEqual(await nextEvent(hers, 'order:updated'), { id: 7, status: 'sent' });
  assert.deepEqual(await nextEvent(hers, 'weather'), { degrees: 21 });
  assert.equal(await nextEvent(hers, 'order:new'), 8);

  const [line] = await once(run('server.mjs').stdout, 'data');
  const url = `http://127.0.0.1:${String(line).trim().split(' ')[1]}`;
  const dial = (token) => {
    const socket = record(connectTo(url, { forceNew: true, transports: ['websocket'], auth: { token }, reconnection: false }));
    opened.push(socket);
    return socket;
  };
  assert.equal((await nextEvent(dial('none'), 'connect_error')).message, 'Invalid token');
  const there = dial(ada.token);
  await nextEvent(there, 'connect');
  assert.equal(await there.timeout(DEADLINE).emitWithAck('order:accept', 9), 'ok');
  assert.deepEqual(await nextEvent(hers, 'order:updated'), { id: 9, status: 'accepted' });
  await accepted(his, 'chat:message', { to: ada.userId, text: 'over there' });
  assert.equal((await nextEvent(there, 'chat:message')).text, 'over there');
  await server.rest(person('admin'), 'POST', '/users/ada/revoke', {});
  assert.equal(await nextEvent(there, 'disconnect'), 'io server disconnect');
});

test('garbage, half messages and old forms on the channels: nothing is lost, nobody is hurt', async () => {
  const ada = person('vendor');
  const room = `user:${ada.userId}`;
  const [socket, inNotices] = await server.connectAll(ada, ['/', '/notifications']);
  const good = Buffer.from('93a641624364456683a47479706502a46461746192a2686901a36e7370a12f83a5726f6f6d7391a27231a665786365707490a5666c61677380', 'hex');
  const garbage = [Buffer.alloc(0), Buffer.from('hello'), Buffer.from('{"type":'), Buffer.from([0xc1]), Buffer.alloc(2_000_000, 0x91), Buffer.from('dd ff ff ff ff'.replaceAll(' ', ''), 'hex')];
  for (let end = 1; end < good.length; end += 5) garbage.push(good.subarray(0, end));
  for (const message of garbage) {
    for (const channel of ['socket.io#/#', `socket.io#/#${room}#`, 'socket.io#/#odd', 'socket.io-request#/#', 'socket.io-response#/#']) {
      // What is wrong ends a server on Node.js, or confuses it: it is published in a namespace that is ours alone.
      await publisher.publish(channel.replace('#/#', '#/notifications#'), message);
    }
  }
  for (const request of [{}, { type: 99 }, { type: 2 }, { type: 7 }, { type: 5, requestId: 'old' }, { type: 1 }, { type: 6, data: [] }, { type: 4, sid: 'nobody' }, { type: 2, opts: { rooms: 'x' } }]) {
    await publisher.publish('socket.io-request#/notifications#', JSON.stringify(request));
  }
  const answers = [];
  const listener = await redis.client();
  await listener.subscribe('socket.io-response#/#', (text) => text.startsWith('{') && answers.push(JSON.parse(text)));
  await publisher.publish('socket.io-request#/#', JSON.stringify({ uid: 'oldold', requestId: 'joined', type: 2, sid: socket.id, room: 'chat:old' }));
  await publisher.publish('socket.io-request#/#', JSON.stringify({ uid: 'oldold', requestId: 'ids', type: 0, rooms: [room] }));
  await until('the answers to a server of an old version', () => ['joined', 'ids'].every((id) => answers.some(({ requestId }) => requestId === id)));
  assert.ok(answers.some(({ requestId, sockets }) => requestId === 'ids' && sockets.includes(socket.id)));
  assert.ok(answers.filter(({ requestId }) => requestId === 'ids').every(({ sockets }) => Array.isArray(sockets)), 'empty lists are sent too');
  await barrier('chat:old', socket);
  await barrier(room, inNotices, emitter.of('/notifications'));
  for (const reason of ['malformed', 'too_large', 'type']) assert.ok(complaints(server, reason).length > 0, `the log names ${reason}`);
});

test('a server on Node.js ends without a word and comes back', async () => {
  const ada = person('vendor');
  const socket = await server.connect(ada);
  const start = async () => {
    const child = fork(fileURLToPath(new URL('lib/peer.mjs', import.meta.url)), [redis.url]);
    const [{ url }] = await once(child, 'message');
    return { child, url };
  };
  let { child, url } = await start();
  const say = (text) => child.send({ room: `user:${ada.userId}`, event: 'said', args: [text] });
  for (const round of [1, 2]) {
    await shared('/', 4);
    say(round);
    assert.equal(await nextEvent(socket, 'said'), round);
    const local = await guest(['chat:harbour'], { url });
    await accepted(socket, 'room:join', 'harbour');
    await accepted(socket, 'chat:message', { roomId: 'harbour', text: `round ${round}` });
    assert.equal((await nextEvent(local, 'chat:message')).text, `round ${round}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await shared('/', 3);
    assert.deepEqual((await peer.io.in(`user:${ada.userId}`).fetchSockets()).map(({ id }) => id), [socket.id]);
    if (round === 1) ({ child, url } = await start());
  }
});

test('our server ends without a word and comes back', async () => {
  const ada = person('vendor');
  const watching = await guest(['chat:harbour']);
  await server.crash();
  await Promise.all([shared('/', 3), shared('/chat', 3), shared('/system', 3)]);
  const socket = await server.connect(ada);
  await accepted(socket, 'room:join', 'harbour');
  const { messageId } = await accepted(socket, 'chat:message', { roomId: 'harbour', text: 'back again' });
  assert.equal((await nextEvent(watching, 'chat:message')).id, messageId);
  emitter.to(`user:${ada.userId}`).emit('welcome', 1);
  assert.equal(await nextEvent(socket, 'welcome'), 1);
});

test('Redis ends without a word and comes back: everybody meets again', async () => {
  const ada = person('vendor');
  const socket = await server.connect(ada);
  await accepted(socket, 'room:join', 'harbour');
  const watching = await guest(['chat:harbour']);
  await redis.kill();
  await until('the log tells', () => server.log.some((line) => line.msg?.startsWith('bridge: redis is not heard')));
  const { messageId } = await accepted(socket, 'chat:message', { roomId: 'harbour', text: 'meanwhile' });
  assert.equal((await nextEvent(socket, 'chat:message')).id, messageId, 'here everything goes on');
  await redis.start();
  await Promise.all([shared('/', 3), shared('/chat', 3), shared('/system', 3)]);
  await accepted(socket, 'chat:message', { roomId: 'harbour', text: 'again' });
  await nextEvent(watching, 'chat:message', ({ text }) => text === 'again');
  await until('the emitter has a connection again', () => publisher.isReady);
  emitter.to(`user:${ada.userId}`).emit('welcome', 1);
  assert.equal(await nextEvent(socket, 'welcome'), 1);
});

test('an admin who disconnects somebody does so on servers on Node.js too, which are told of revocations', async () => {
  const [boss, ada] = [person('admin'), person('vendor')];
  const [socket, local] = [await server.connect(ada), await guest([`user:${ada.userId}`])];
  const bystander = await guest(['chat:harbour']);
  assert.equal((await server.rest(boss, 'POST', `/users/${ada.userId}/disconnect`, {})).status, 200);
  for (const each of [socket, local]) assert.equal(await nextEvent(each, 'disconnect'), 'io server disconnect');
  const told = new Promise((resolve) => { peer.io.once('rolecall:revoked', resolve); });
  const { body } = await server.rest(boss, 'POST', `/users/${ada.userId}/revoke`, {});
  assert.deepEqual(await within(DEADLINE, 'the revocation', told), { userId: ada.userId, revokedAt: body.revokedAt });
  await barrier('chat:harbour', bystander);
  assert.equal(bystander.connected, true);
});
