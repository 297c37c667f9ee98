// What somebody does first: write to a person who has never signed in, send them a picture, and make a group with them.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { NO_LIMITS, accepted, nextEvent, person, startServer, test } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

/** A picture of one point. */
const POINT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');

test('what an admin begins with people who have never signed in, they find, read and answer', async () => {
  const [admin, vera, paul] = [person('admin'), person('vendor'), person('provider')];
  for (const { userId, username, role } of [vera, paul]) {
    assert.equal((await server.rest(admin, 'PUT', `/users/${userId}`, { username, role })).status, 201);
  }
  const desk = await server.connect(admin);
  const { items: [found] } = (await server.rest(admin, 'GET', `/users?q=${encodeURIComponent(vera.username)}`)).body;
  assert.equal(found.userId, vera.userId);
  const { roomId } = await accepted(desk, 'chat:message', { to: found.userId, text: 'Welcome.', clientId: 'welcome' });
  const uploaded = await fetch(`${server.url}/api/v1/attachments?fileName=stall.png`, {
    method: 'POST', body: POINT, headers: { Authorization: `Bearer ${admin.token}` },
  });
  assert.equal(uploaded.status, 201, await uploaded.clone().text());
  const { attachmentId } = await uploaded.json();
  const picture = await accepted(desk, 'chat:message', { roomId, text: 'This is your stall.', attachmentIds: [attachmentId] });
  const group = await accepted(desk, 'room:create', { name: 'Sunday shops', members: [vera.userId, paul.userId], clientId: 'shops' });
  await accepted(desk, 'chat:message', { roomId: group.roomId, text: 'Hello, both of you.' });

  const phone = await server.connect(vera);
  const { rooms } = await nextEvent(phone, 'rooms:list');
  const told = Object.fromEntries(rooms.map((room) => [room.roomId, room]));
  assert.deepEqual([told[roomId].unread, told[roomId].peer, told[roomId].lastMessage.text], [2, admin.userId, 'This is your stall.']);
  assert.deepEqual([told[group.roomId].unread, told[group.roomId].name, told[group.roomId].lastMessage.text], [1, 'Sunday shops', 'Hello, both of you.']);
  const { messages } = await accepted(phone, 'chat:history', { roomId });
  assert.deepEqual(messages.map(({ text }) => text), ['Welcome.', 'This is your stall.']);
  const image = await fetch(server.url + messages[1].attachments[0].thumbnail.url);
  assert.deepEqual([image.status, image.headers.get('content-type')], [200, 'image/png']);
  await image.arrayBuffer();
  assert.equal((await accepted(phone, 'chat:read', { roomId, messageId: messages[1].id })).unread, 0);
  const read = await nextEvent(desk, 'chat:read', ({ userId }) => userId === vera.userId);
  assert.deepEqual([read.roomId, read.messageId, read.seq], [roomId, picture.messageId, picture.seq]);
  await accepted(phone, 'chat:message', { roomId, text: 'It is lovely.' });
  const answer = await nextEvent(desk, 'chat:message', ({ userId }) => userId === vera.userId);
  assert.equal(answer.text, 'It is lovely.');
  const seen = (await accepted(desk, 'chat:history', { roomId })).messages.find(({ id }) => id === picture.messageId);
  assert.deepEqual(seen.readBy, [admin.userId, vera.userId]);
  const again = await nextEvent(await server.connect(vera), 'rooms:list');
  assert.deepEqual(Object.fromEntries(again.rooms.map(({ roomId: id, unread }) => [id, unread])), { [roomId]: 0, [group.roomId]: 1 });
});
