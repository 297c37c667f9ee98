// Groups, presence, and who may know what of whom.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
  NODES, NO_LIMITS, accepted, assertProblem, heard, nextEvent, nextPresence, person, presencesHeard, refused, settle, startServer, onEveryNode, test,
} from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

test('groups: made by one, heard by its members without joining, closed to others', async () => {
  const [maker, member, absent, stranger] = [person('company'), person('driver'), person('driver'), person('admin')];
  const [making, listening, outside] = await Promise.all([server.connect(maker), server.connect(member), server.connect(stranger)]);
  assert.equal((await server.rest(absent, 'GET', '/me')).status, 200); // whoever has been here is known
  const { roomId } = await accepted(making, 'room:create', { name: 'Night shift', members: [member.userId, absent.userId] });
  assert.match(roomId, /^group:/);
  const { messageId } = await accepted(making, 'chat:message', { roomId, text: 'welcome' });
  for (const socket of [making, listening]) assert.equal((await nextEvent(socket, 'chat:message', ({ kind }) => !kind)).id, messageId);
  const { members } = await accepted(listening, 'room:join', roomId);
  assert.deepEqual(members, [maker.userId, member.userId, absent.userId].sort());
  const late = await server.connect(absent);
  await accepted(late, 'room:join', roomId);
  assert.deepEqual((await nextEvent(late, 'room:history')).messages.map(({ kind, text }) => kind ?? text), ['system', 'welcome']);

  for (const room of [roomId, 'group:00000000-0000-7000-8000-000000000000']) {
    for (const [event, payload] of [['room:join', room], ['chat:history', { roomId: room }], ['chat:message', { roomId: room, text: 'me too' }]]) {
      await refused(outside, 'room_forbidden', undefined, event, payload);
    }
    assertProblem(await server.rest(stranger, 'GET', `/rooms/${room}/messages`), 403, 'room_forbidden');
  }
  await settle(outside);
  assert.deepEqual(heard(outside, 'chat:message'), []);

  await refused(making, 'invalid_payload', 'members', 'room:create', { name: 'Nobody', members: [] });
  await refused(making, 'invalid_payload', 'name', 'room:create', { members: [member.userId] });
  await refused(making, 'invalid_payload', 'members[1]', 'room:create', { name: 'x', members: [member.userId, 'a b'] });
  await refused(making, 'too_large', 'name', 'room:create', { name: 'x'.repeat(201), members: [member.userId] });
});

test('groups: nobody is put into one by strangers, and everybody leaves as they like', async () => {
  const [maker, member, colleague, vendor] = [person('company'), person('driver'), person('driver'), person('vendor')];
  const [making, leaving, staying, foreign] = await Promise.all([maker, member, colleague, vendor].map((who) => server.connect(who)));
  const create = (socket, ...members) => [socket, 'room:create', { name: 'Crew', members: members.map(({ userId }) => userId) }];
  await refused(foreign, 'not_found', 'members', ...create(foreign, member).slice(1));
  await refused(foreign, 'not_found', 'members', ...create(foreign, { userId: 'never-seen' }).slice(1));
  await accepted(foreign, 'chat:message', { to: member.userId, text: 'buy now' });
  await refused(foreign, 'not_found', 'members', ...create(foreign, member).slice(1));
  await accepted(leaving, 'chat:message', { to: vendor.userId, text: 'well then' });
  await accepted(...create(foreign, member));

  const { roomId } = await accepted(...create(making, member, colleague));
  await refused(leaving, 'forbidden', undefined, 'room:remove', { roomId, members: [colleague.userId] });
  await refused(foreign, 'room_forbidden', 'roomId', 'room:remove', { roomId, members: [vendor.userId] });
  assert.deepEqual((await accepted(leaving, 'room:remove', { roomId, members: [member.userId] })).members, [maker.userId, colleague.userId].sort());
  const by = { userId: member.userId, username: member.username };
  assert.deepEqual(await nextEvent(leaving, 'room:removed'), { roomId, revision: 2, ...by });
  for (const socket of [making, staying]) {
    assert.deepEqual(await nextEvent(socket, 'room:updated'), { roomId, revision: 2, ...by, removed: [member.userId] });
  }
  assert.equal((await accepted(making, 'chat:message', { roomId, text: 'where did they go?' })).seq, 3);
  await nextEvent(staying, 'chat:message', (message) => message.roomId === roomId && message.revision === 3);
  await settle(leaving);
  assert.deepEqual(heard(leaving, 'chat:message').filter((message) => message.roomId === roomId && message.revision > 1), []);
  await refused(leaving, 'room_forbidden', 'roomId', 'room:join', roomId);

  const out = await server.rest(maker, 'DELETE', `/rooms/${roomId}/members/${colleague.userId}`);
  assert.deepEqual([out.status, out.body], [200, { members: [maker.userId] }]);
  assert.equal((await nextEvent(staying, 'room:removed')).userId, maker.userId);
});

test('presence: heard by colleagues, conversation partners and admins, once for all tabs', async () => {
  const [driver, vendor] = [person('driver', { companyId: 'presence' }), person('vendor')];
  const [colleague, partner, admin, stranger] = await Promise.all([
    server.connect(person('company', { companyId: 'presence' })), server.connect(vendor),
    server.connect(person('admin')), server.connect(person('company', { companyId: 'another' })),
  ]);
  const roomId = `dm:${[driver.userId, vendor.userId].sort().join(':')}`;
  assert.equal((await server.rest(driver, 'POST', `/rooms/${roomId}/messages`, { text: 'may I call?' })).status, 201);
  for (const socket of [partner, stranger]) await accepted(socket, 'chat:message', { to: driver.userId, text: 'call me' });
  await settle(partner); // by when every node knows who is online
  const [tab, otherTab] = [await server.connect(driver), await server.connect(driver, { namespace: '/chat' })];
  const list = await nextEvent(tab, 'presence:list');
  assert.ok(list.length >= 2 && list.every(({ online }) => online)); // who came a moment before is told of a moment later
  assert.equal(list[0].userId, driver.userId, 'oneself first');
  assert.deepEqual(new Date(list[0].lastSeen).toISOString(), list[0].lastSeen);
  for (const socket of [colleague, partner, admin]) {
    assert.deepEqual(await nextPresence(socket, 'online', driver.userId), { userId: driver.userId, username: driver.username });
  }
  const { users } = await accepted(admin, 'presence:list', { userIds: [driver.userId, 'never-seen'] });
  assert.deepEqual(users.map(({ userId, username, role, online }) => ({ userId, username, role, online })),
    [{ userId: driver.userId, username: driver.username, role: 'driver', online: true }]);
  tab.disconnect();
  await settle(otherTab);
  otherTab.disconnect();
  for (const socket of [colleague, partner, admin]) {
    assert.deepEqual(await nextPresence(socket, 'offline', driver.userId), { userId: driver.userId, username: driver.username });
    const times = presencesHeard(socket, 'online', driver.userId); // one who has met the driver a moment ago may be told twice by two servers
    assert.ok(times === 1 || (times === 2 && NODES > 1 && socket === partner), `told ${times} times`);
  }
  await settle(stranger);
  for (const change of ['online', 'offline']) assert.equal(presencesHeard(stranger, change, driver.userId), 0);
});

test('people: what one is told of another depends on what they have to do with each other', async () => {
  const [driver, dispatcher, rival, admin] = [
    person('driver', { companyId: 'sight' }), person('company', { companyId: 'sight' }), person('company', { companyId: 'rival' }), person('admin'),
  ];
  await server.connect(driver);
  const ask = async (who) => (await server.rest(who, 'GET', `/users/${driver.userId}`)).body;
  const { userId, username } = driver;
  const bare = { userId, username, role: 'driver' };
  await onEveryNode('the driver is online', async () => (await ask(dispatcher)).online);
  for (const who of [dispatcher, admin]) {
    const { lastSeen, ...known } = await ask(who);
    assert.deepEqual(known, { ...bare, companyId: 'sight', online: true });
    assert.equal(new Date(lastSeen).toISOString(), lastSeen);
  }
  const unknown = async (who) => assert.equal((await server.rest(who, 'GET', `/users/${driver.userId}`)).status, 404);
  await unknown(rival);
  assert.deepEqual((await accepted(await server.connect(rival), 'presence:list', { userIds: [userId] })).users, []);
  const { body: theirs } = await server.rest(rival, 'GET', '/users?company=sight');
  assert.deepEqual(theirs, { items: [] });
  const { body: found } = await server.rest(rival, 'GET', `/users?q=${encodeURIComponent(userId)}`);
  assert.deepEqual(found.items, []);

  const [first, second] = [rival.userId, userId].sort();
  for (const who of [rival, driver]) {
    await unknown(rival); // before both have written
    assert.equal((await server.rest(who, 'POST', `/rooms/dm:${first}:${second}/messages`, { text: 'hello' })).status, 201);
  }
  const { lastSeen, ...acquainted } = await ask(rival);
  assert.deepEqual(acquainted, { ...bare, online: true });
  assert.ok(lastSeen);
});
