// Files of messages, as pages and apps send and show them.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after } from 'node:test';
import { NO_LIMITS, accepted, nextEvent, person, refused, startServer, test } from './helpers.mjs';

const server = await startServer(NO_LIMITS);
after(() => server.stop());

const bearer = (who) => ({ Authorization: `Bearer ${who.token}` });

/** Uploads a file as it is. */
async function upload(who, fileName, content) {
  const answer = await fetch(`${server.url}/api/v1/attachments?fileName=${encodeURIComponent(fileName)}`, {
    method: 'POST', body: content, headers: bearer(who),
  });
  assert.equal(answer.status, 201, await answer.clone().text());
  return answer.json();
}

/** A picture of one point. */
const POINT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64');

test('a picture and a document in one message: told with addresses, fetched by both and by nobody else', async () => {
  const [ada, ben, eve] = [person('vendor'), person('driver'), person('admin')];
  const [writer, reader, stranger] = [await server.connect(ada), await server.connect(ben, { namespace: '/chat' }), await server.connect(eve)];
  const words = 'Unterschrieben \u2713';
  const [picture, slip] = [await upload(ada, 'p\u00fcnktchen.png', POINT), await upload(ada, 'slip.txt', words)];
  const { messageId } = await accepted(writer, 'chat:message', {
    to: ben.userId, text: 'Signed.', attachmentIds: [picture.attachmentId, slip.attachmentId],
  });
  const told = await nextEvent(reader, 'chat:message');
  assert.equal(told.id, messageId);
  assert.deepEqual(told.attachment, told.attachments[0]);
  const { url, urlExpiresAt, thumbnail, ...first } = told.attachments[0];
  assert.deepEqual(first, {
    attachmentId: picture.attachmentId, fileName: 'p\u00fcnktchen.png', mimeType: 'image/png', size: POINT.length,
    sha256: createHash('sha256').update(POINT).digest('hex'), width: 1, height: 1,
  });
  assert.ok(new Date(urlExpiresAt) > new Date());
  for (const [path, size] of [[url, POINT.length], [thumbnail.url, thumbnail.size]]) {
    const answer = await fetch(server.url + path);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'image/png']);
    assert.equal((await answer.arrayBuffer()).byteLength, size);
  }
  const part = await fetch(server.url + told.attachments[1].url, { headers: { Range: 'bytes=0-4' } });
  assert.deepEqual([part.status, await part.text(), part.headers.get('x-content-type-options')], [206, 'Unter', 'nosniff']);
  const at = `${server.url}/api/v1/attachments/${slip.attachmentId}`;
  for (const [who, status] of [[ada, 200], [ben, 200], [eve, 404]]) {
    const answer = await fetch(at, { headers: bearer(who) });
    assert.equal(answer.status, status);
    if (status === 200) assert.equal(await answer.text(), words);
    else await answer.text();
  }
  assert.equal((await fetch(at)).status, 401);
  assert.equal((await fetch(server.url + told.attachments[1].url.replace('signature=', 'signature=x'))).status, 403);
  assert.ok((await accepted(reader, 'chat:attachment', { attachmentId: slip.attachmentId })).url);
  await refused(stranger, 'not_found', 'attachmentId', 'chat:attachment', { attachmentId: slip.attachmentId });
  await refused(writer, 'not_found', 'attachmentIds', 'chat:message', { to: ben.userId, text: 'again', attachmentId: slip.attachmentId });
});

test('a form of a page, and a file over the socket', async () => {
  const [ada, ben] = [person('vendor'), person('driver')];
  const [writer, reader] = [await server.connect(ada), await server.connect(ben)];
  const form = new FormData();
  form.append('file', new Blob(['<!DOCTYPE html><script>alert(1)</script>']), 'cat.jpg');
  const answer = await fetch(`${server.url}/api/v1/attachments`, { method: 'POST', body: form, headers: bearer(ada) });
  const page = await answer.json();
  assert.deepEqual([answer.status, page.fileName, page.mimeType], [201, 'cat.jpg', 'text/html']);
  const served = await fetch(server.url + page.url);
  assert.equal(served.headers.get('content-type'), 'application/octet-stream');
  assert.match(served.headers.get('content-disposition'), /^attachment; filename="cat.jpg"$/);
  await served.text();

  const { messageId } = await accepted(writer, 'chat:file', {
    roomId: `dm:${ada.userId}:${ben.userId}`, fileName: 'point.png', mimeType: 'image/png', file: POINT,
  });
  const told = await nextEvent(reader, 'chat:message');
  assert.deepEqual([told.id, told.text, told.attachment.fileName], [messageId, '', 'point.png']);
});
