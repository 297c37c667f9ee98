// A server of Socket.IO on Node.js that shares its rooms by @socket.io/redis-adapter, as a back end of one's own would: its
// sockets stand in the rooms that their CONNECT payload names. As a program (node lib/peer.mjs REDIS_URL) it does what it is
// told by its parent.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

/** Starts one and resolves once it is counted among the servers of its namespaces. */
export async function startPeer(url, options = {}) {
  const publishing = createClient({ url, socket: { reconnectStrategy: 50 } });
  const subscribing = publishing.duplicate();
  for (const client of [publishing, subscribing]) client.on('error', () => {}); // while Redis is away
  await Promise.all([publishing.connect(), subscribing.connect()]);
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(publishing, subscribing, { requestsTimeout: 3000, ...options }) });
  for (const namespace of ['/', '/chat', '/system']) {
    io.of(namespace).on('connection', async (socket) => {
      await socket.join(socket.handshake.auth.rooms ?? []);
      socket.emit('ready');
    });
  }
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  await publishing.ping(); // what was sent before it is in force
  await subscribing.ping();
  return {
    io,
    url: `http://127.0.0.1:${http.address().port}`,
    async close() {
      await io.close();
      await Promise.all([publishing.close(), subscribing.close()]); // what io.close has sent is answered first
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { io, url } = await startPeer(process.argv[2]);
  process.on('message', ({ room, event, args }) => io.to(room).emit(event, ...args));
  process.on('disconnect', () => process.exit());
  process.send({ url });
}
