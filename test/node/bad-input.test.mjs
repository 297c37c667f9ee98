// Wrong payloads of every kind for every event: each is answered in the contract's words, none closes a connection, and
// nobody else notices.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import {
  NO_LIMITS, accepted, ask, assertFailure, heard, mint, nextEvent, nextEvents, person, settle, startServer, stopAll, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
const strict = await startServer();
const impatient = await startServer({ ROLECALL_RATE_SHED: '10/1s:200' });
after(() => stopAll(server, strict, impatient));

const CODES = [
  'invalid_payload', 'rate_limited', 'forbidden', 'not_found', 'room_invalid', 'room_forbidden', 'too_many_rooms', 'too_large',
  'conflict', 'unavailable', 'auth_required', 'auth_invalid', 'auth_expired', 'auth_role',
];

/** A value of each JSON type, and bytes. */
const TYPES = { string: 'x', number: 7.5, boolean: true, array: [1], object: { a: 1 }, binary: Buffer.from('text') };

const nested = (depth, wrap) => Array.from({ length: depth }).reduce(wrap, 1);

const roomId = 'bad-input';
const target = person('vendor');
const people = { driver: person('driver'), admin: person('admin'), vendor: person('vendor') };
let messageId;
let groupId;
let noticeId;

/**
 * Every client event: who may send it, a payload that is right, the type of each field, what it also takes.
 * Fields of type `whole` take whole numbers only, those of type `place` also the id of a message.
 */
const EVENTS = {
  'room:join': { valid: () => ({ roomId }), fields: { roomId: 'string', after: 'place', limit: 'whole' }, takes: ['string'] },
  'room:leave': { valid: () => ({ roomId }), fields: { roomId: 'string' }, takes: ['string'] },
  'room:create': { valid: (who) => ({ name: 'x', members: [who.userId] }), fields: { name: 'string', members: 'array' } },
  'room:remove': { valid: () => ({ roomId: groupId, members: [target.userId] }), fields: { roomId: 'string', members: 'array' } },
  'chat:message': {
    valid: () => ({ roomId, text: 'x' }), fields: { roomId: 'string', text: 'string', replyTo: 'string', clientId: 'string' },
  },
  'chat:history': { valid: () => ({ roomId }), fields: { roomId: 'string', before: 'place', after: 'place', limit: 'whole' } },
  'chat:typing': { valid: () => ({ roomId, isTyping: true }), fields: { roomId: 'string', isTyping: 'boolean' } },
  'chat:read': { valid: () => ({ roomId, messageId }), fields: { roomId: 'string', messageId: 'string' } },
  'presence:list': { valid: () => ({ userIds: [target.userId] }), fields: { userIds: 'array' }, takes: ['nothing'] },
  'tracking:update': {
    role: 'driver', valid: () => ({ lat: 1, lng: 2 }), takes: ['array'],
    fields: { lat: 'number', lng: 'number' }, // the others are left out of a position where they are wrong
  },
  'system:broadcast': {
    role: 'admin', valid: () => ({ title: 'x', audience: { users: [target.userId] } }),
    fields: { title: 'string', body: 'string', severity: 'string', audience: 'object', data: 'object', requireAck: 'boolean' },
  },
  'system:read': { valid: () => ({ id: noticeId }), fields: { id: 'string', ids: 'array' } },
  'system:inbox': { valid: () => ({}), fields: { before: 'string', limit: 'whole' }, takes: ['nothing'] },
  'auth:refresh': { valid: (who) => ({ token: who.token }), fields: { token: 'string' } },
};

let neighbours;
before(async () => {
  neighbours = await Promise.all([server.connect(person('vendor')), server.connect(person('vendor'), { transports: ['polling'] })]);
  for (const socket of neighbours) await accepted(socket, 'room:join', 'next-door');
  const { vendor } = people;
  const { status, body } = await server.rest(people.admin, 'POST', '/notices', { title: 'x', audience: { users: [vendor.userId] } });
  assert.equal(status, 201);
  noticeId = body.id;
  const socket = await server.connect(vendor);
  groupId = (await accepted(socket, 'room:create', { name: 'x', members: [vendor.userId] })).roomId;
  socket.disconnect();
  messageId = (await server.rest(vendor, 'POST', `/rooms/${roomId}/messages`, { text: 'x' })).body.messageId;
});

/** Two people who have nothing to do with it talk as before. */
async function neighboursTalk() {
  const { messageId: id } = await accepted(neighbours[0], 'chat:message', { roomId: 'next-door', text: 'all well?' });
  for (const socket of neighbours) assert.equal((await nextEvent(socket, 'chat:message')).id, id);
  for (const socket of neighbours) assert.deepEqual(heard(socket, 'disconnect'), []);
}

/** What an event takes besides its valid payload decides which payloads are wrong. */
function wrongPayloads(takes) {
  const all = {
    'a number': 7, 'true': true, 'text': 'x', 'an empty array': [], 'an array': [1, 'x', null], 'bytes': Buffer.from('bytes'),
    'NaN': NaN, 'null': null,
  };
  if (takes.includes('string')) delete all.text;
  if (takes.includes('array')) delete all['an array'];
  if (takes.includes('nothing')) for (const name of ['NaN', 'null']) delete all[name];
  return Object.entries(all);
}

/** Sends what must fail, once with an ack callback and once without. */
async function assertRefused(socket, event, what, payload, { code = 'invalid_payload', field } = {}) {
  const check = ({ event: name = event, ...rest }) => {
    assert.equal(name, event);
    assertFailure({ status: 'error', ...rest }, `${event} with ${what}`);
    assert.equal(rest.code, code, `${event} with ${what}: ${rest.error}`);
    if (field) assert.ok(rest.field?.startsWith(field), `${event} with ${what}: field is ${rest.field}`);
  };
  check(await ask(socket, event, ...payload));
  socket.emit(event, ...payload);
  check(await nextEvent(socket, 'error:event'));
}

/** Sends what may succeed or fail, and must be answered either way. */
async function assertAnswered(socket, event, what, ...payload) {
  const ack = await ask(socket, event, ...payload);
  if (ack.status !== 'ok') {
    assertFailure(ack, `${event} with ${what}`);
    assert.ok(CODES.includes(ack.code), `${event} with ${what}: code ${ack.code}`);
  }
  return ack;
}

for (const [event, { role = 'vendor', valid, fields, takes = [] }] of Object.entries(EVENTS)) {
  const who = people[role];
  const scenario = (what, run) => test(`${event}: ${what}`, async () => {
    const socket = await server.connect(who);
    try {
      await accepted(socket, event, valid(who));
      await run(socket);
      await accepted(socket, event, valid(who));
      assert.deepEqual(heard(socket, 'disconnect'), []);
    } finally {
      socket.disconnect();
    }
    await neighboursTalk();
  });

  scenario('payloads of the wrong kind', async (socket) => {
    for (const [what, payload] of wrongPayloads(takes)) await assertRefused(socket, event, what, [payload]);
    if (takes.includes('nothing')) await accepted(socket, event);
    else await assertRefused(socket, event, 'no payload', []);
    if (Object.keys(valid(who)).length > 0 && !takes.includes('nothing')) await assertRefused(socket, event, 'an empty object', [{}]);
  });

  scenario('fields of the wrong type', async (socket) => {
    for (const [field, type] of Object.entries(fields)) {
      for (const [other, value] of Object.entries(TYPES)) {
        if (other === type) continue;
        if (type === 'place' && other === 'string') {
          await assertRefused(socket, event, `${field} of no message`, [{ ...valid(who), [field]: value }], { code: 'not_found', field });
          continue;
        }
        // Bytes may be refused before anybody looks at which field they are in.
        const expected = other === 'binary' ? {} : { field };
        await assertRefused(socket, event, `${field} of type ${other}`, [{ ...valid(who), [field]: value }], expected);
      }
      await assertAnswered(socket, event, `${field}: null`, { ...valid(who), [field]: null });
      await assertAnswered(socket, event, `${field}: NaN`, { ...valid(who), [field]: NaN });
      if (type !== 'array') continue;
      for (const element of [1, null, {}, [], true, Buffer.from('x'), 'a b', '\u202e', '']) {
        const payload = { ...valid(who), [field]: [element] };
        if (field === 'ids') delete payload.id;
        const ack = await assertAnswered(socket, event, `${field}: [${typeof element}]`, payload);
        assert.equal(ack.status, 'error', `${event} took ${JSON.stringify(element)} in ${field}`);
      }
    }
  });

  scenario('sizes', async (socket) => {
    await assertRefused(socket, event, '101 kB', [{ ...valid(who), padding: 'x'.repeat(101_000) }], { code: 'too_large' });
    const bytes = await assertAnswered(socket, event, '101 kB of bytes', { ...valid(who), padding: Buffer.alloc(101_000) });
    assert.ok(['too_large', 'invalid_payload'].includes(bytes.code), `101 kB of bytes: ${bytes.code}`);
    await assertAnswered(socket, event, '99 kB', { ...valid(who), padding: 'x'.repeat(99_000 - JSON.stringify(valid(who)).length) });
    for (const [field, type] of Object.entries(fields)) {
      const huge = { string: 'x'.repeat(99_000), array: Array(40_000).fill(1) }[type];
      if (!huge) continue;
      const ack = await assertAnswered(socket, event, `99 kB of ${field}`, { ...valid(who), [field]: huge });
      assert.equal(ack.status, 'error');
    }
  });

  scenario('hostile Unicode and hostile keys', async (socket) => {
    const texts = ['\u0000', '\u202e\u2066', '\ufeff', '\ud800', '\udc00\ud800', '\uffff', '\u{e0001}', 'Z̸̢͔͑'.repeat(50), '🏴‍☠️', "' OR 1=1; --", '../../etc/passwd', '${7*7}', '{{7*7}}'];
    for (const [field, type] of Object.entries(fields)) {
      if (type !== 'string') continue;
      for (const text of texts) {
        const ack = await assertAnswered(socket, event, `hostile ${field}`, { ...valid(who), [field]: text });
        // Half of a surrogate pair is no text at all, whatever the field.
        const code = text.isWellFormed() ? field === 'roomId' && 'room_invalid' : 'invalid_payload';
        if (code) assert.equal(ack.code, code, `${event} with ${JSON.stringify(text)}`);
      }
    }
    const keys = JSON.parse('{"__proto__": {"roomId": "polluted"}, "constructor": 1, "": 2, "\\u0000": 3, "toString": "x", "ROOMID": 5}');
    await assertAnswered(socket, event, 'hostile keys', keys);
    await assertAnswered(socket, event, 'further arguments', valid(who), 'one too many', { and: 'more' });
  });
}

for (const depth of [50, 2000]) {
  test(`${depth} levels of nesting in every event`, async () => {
    const deep = { 'arrays in arrays': nested(depth, (inner) => [inner]), 'objects in objects': nested(depth, (inner) => ({ x: inner })) };
    for (const [event, { role = 'vendor', valid, fields }] of Object.entries(EVENTS)) {
      const who = person(role);
      const socket = await server.connect(who);
      for (const [what, value] of Object.entries(deep)) {
        await assertAnswered(socket, event, what, value);
        await assertAnswered(socket, event, `${what} beside the payload`, { ...valid(who), padding: value });
        for (const field of Object.keys(fields)) {
          await assertAnswered(socket, event, `${what} in ${field}`, { ...valid(who), [field]: value });
        }
      }
      assert.deepEqual(heard(socket, 'disconnect'), []);
      socket.disconnect();
    }
    await neighboursTalk();
  });
}

test('events nobody knows, and events of the server', async () => {
  const socket = await server.connect(person('vendor'));
  for (const name of [
    'nope', ' ', 'CHAT:MESSAGE', 'chat:message ', 'chat:shouted', 'tracking:positions', 'system:notice', 'error:event', 'message', 'error',
    '__proto__', 'constructor', 'toString', 'hasOwnProperty', '\u0000', '🛰', 'é'.repeat(60),
  ]) {
    await assertRefused(socket, name, 'an unknown name', [{ roomId }], { code: 'not_found' });
  }
  socket.emit('é'.repeat(5000), {});
  const { event } = await nextEvent(socket, 'error:event');
  assert.match(event, /^é+$/u, 'a long name comes back shortened, in whole characters');
  await settle(socket);
  assert.deepEqual(heard(socket, 'disconnect'), []);
  await neighboursTalk();
});

for (const [what, name] of [['an empty name', ''], ['a number for a name', 7]]) {
  test(`an event with ${what}`, async () => {
    const socket = await server.connect(person('vendor'));
    const ack = await ask(socket, name, {});
    assertFailure(ack, what);
    assert.ok(['not_found', 'invalid_payload'].includes(ack.code), ack.code);
    await settle(socket);
  });
}

test('an event with far too many attachments or arguments harms nobody else', async () => {
  for (const payload of [[{ roomId, text: 'x', files: Array.from({ length: 100 }, () => Buffer.from('x')) }], Array(30_000).fill(1)]) {
    const socket = await server.connect(person('vendor'));
    const ack = await ask(socket, 'chat:message', ...payload).catch(() => 'closed');
    if (ack !== 'closed') assertFailure(ack, 'chat:message');
    await neighboursTalk();
  }
});

test('an event that succeeds without an ack callback is answered by silence', async () => {
  const socket = await server.connect(person('vendor'));
  socket.emit('chat:typing', { roomId, isTyping: true });
  socket.emit('presence:list');
  await settle(socket);
  assert.deepEqual(heard(socket, 'error:event'), []);
});

for (const transports of [['websocket'], ['polling']]) {
  test(`an event far too large, over ${transports}, harms nobody else`, async () => {
    const socket = await server.connect(person('vendor'), { transports });
    const huge = { roomId, text: 'x'.repeat(3_000_000) };
    const ack = await ask(socket, 'chat:message', huge).catch(() => 'closed');
    if (ack !== 'closed') assert.equal(ack.code, 'too_large');
    await neighboursTalk();
    await server.connect(person('vendor'), { transports });
  });
}

test('bad events on and on: told so, disconnected, and free to come back', async () => {
  const offender = person('vendor');
  const [socket, bystander] = [await strict.connect(offender), await strict.connect(person('vendor'))];
  for (let i = 0; i < 150; i += 1) socket.emit('nope', i);
  await nextEvents(socket, 'error:event', 150);
  await accepted(socket, 'room:join', 'abuse');
  assert.deepEqual(heard(socket, 'disconnect'), [], 'some bad events are forgiven');

  for (let i = 0; i < 500; i += 1) socket.emit('nope', i);
  const last = await nextEvent(socket, 'error:event', ({ code }) => code === 'abuse');
  assert.equal(last.event, 'nope');
  await nextEvent(socket, 'disconnect');
  assert.equal(heard(socket, 'error:event').at(-1).code, 'abuse', 'nothing comes behind it');
  await accepted(bystander, 'chat:message', { roomId: 'abuse', text: 'still here' });

  const again = await strict.connect(offender);
  await accepted(again, 'chat:message', { roomId: 'abuse', text: 'sorry' });
});

test('valid events sent far too fast are abuse as well', async () => {
  const socket = await impatient.connect(person('vendor'));
  for (let i = 0; i < 500; i += 1) socket.emit('chat:message', { roomId: 'abuse', text: `${i}` });
  await nextEvent(socket, 'error:event', ({ code }) => code === 'rate_limited');
  await nextEvent(socket, 'error:event', ({ code }) => code === 'abuse');
  await nextEvent(socket, 'disconnect');
});

test('a refresh with a token of somebody else changes nothing', async () => {
  const who = person('vendor');
  const socket = await server.connect(who);
  const { userId: sub } = who;
  for (const [code, token] of [
    ['forbidden', people.admin.token], ['forbidden', mint({ sub, role: 'admin' })], ['auth_invalid', 'nonsense'],
    ['auth_invalid', mint({ sub, role: 'vendor' }, { secret: 'y'.repeat(32) })], ['auth_expired', mint({ sub, role: 'vendor', exp: 1 })],
    ['auth_role', mint({ sub, role: 'root' })],
  ]) {
    await assertRefused(socket, 'auth:refresh', code, [{ token }], { code });
  }
  assert.equal((await ask(socket, 'system:broadcast', { title: 'x', audience: { all: true } })).code, 'forbidden');
});
