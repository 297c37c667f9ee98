// The official client through the proxies of deploy/: sessions that poll stay with their node, nodes are rolled without a
// failed request, and a node that dies is done without.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, describe } from 'node:test';
import { NO_LIMITS, accepted, heard, nextEvent, person, startServer, test } from '../node/helpers.mjs';
import { record } from '../node/lib/events.mjs';
import { startProxy, until, DEPLOY } from './lib/proxy.mjs';
import { io } from '../node/node_modules/socket.io-client/build/esm-debug/index.js';

/** The checks of HAProxy, twice a second apart, and a second. */
const DRAIN_DELAY = 3500;
const SETTINGS = {
  ROLECALL_TRUSTED_PROXIES: '127.0.0.1', ROLECALL_DRAIN_DELAY: `${DRAIN_DELAY}ms`, ROLECALL_DRAIN_PERIOD: '2s',
  ...NO_LIMITS,
};
const TRANSPORTS = [['polling'], ['websocket'], ['polling', 'websocket']];

test('haproxy -c takes the file as it is', () => {
  execFileSync('haproxy', ['-c', '-f', `${DEPLOY}haproxy/haproxy.cfg`], { stdio: 'pipe' });
});

for (const kind of ['haproxy', 'nginx']) {
  describe(kind, { concurrency: false }, async () => {
    const servers = await Promise.all(['one', 'two', 'three'].map((name) => startServer({ ...SETTINGS, ROLECALL_NODE_NAME: name })));
    const proxy = await startProxy(kind, servers.map(({ url }) => url));
    const sockets = [];
    after(async () => {
      for (const socket of sockets) socket.disconnect();
      const logged = await proxy.stop();
      await Promise.all(servers.map((server) => server.kill()));
      assert.doesNotMatch(logged, /sid=|token|Bearer/, 'secrets in the log');
      assert.match(logged, /GET \/socket\.io\/ 200/);
    });

    const open = (who, options) => {
      const socket = record(io(proxy.url, {
        forceNew: true, auth: { token: who.token }, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options,
      }));
      sockets.push(socket);
      return socket;
    };
    const connect = async (who, options) => {
      const socket = open(who, options);
      await nextEvent(socket, 'connect');
      return socket;
    };

    for (const transports of TRANSPORTS) {
      test(`twelve clients by ${transports.join(' → ')} send and hear`, async () => {
        const all = await Promise.all(Array.from({ length: 12 }, () => connect(person('vendor'), { transports })));
        await Promise.all(all.map(async (socket) => {
          for (let n = 0; n < 5; n += 1) await accepted(socket, 'system:inbox', {});
          if (transports.length === 2) await until('the upgrade is done', () => socket.io.engine.transport.name === 'websocket');
          await accepted(socket, 'system:inbox', {});
          assert.deepEqual(heard(socket, 'disconnect'), []);
          socket.disconnect();
        }));
      });
    }

    test('the client\'s own address reaches the server, and no other', async () => {
      const { token } = person('vendor');
      const answer = await fetch(`${proxy.url}/api/v1/me`, { headers: { Authorization: `Bearer ${token}`, 'X-Forwarded-For': '203.0.113.9' } });
      assert.equal(answer.status, 200);
      for (const server of servers) assert.ok(!JSON.stringify(server.log).includes('203.0.113.9'));
    });

    test('three nodes are rolled, one after the other: everybody comes back, and no request fails', async () => {
      const all = await Promise.all(Array.from({ length: 30 }, (_, i) => connect(person('vendor'), { transports: TRANSPORTS[i % 3] })));
      const prober = probe(proxy.url);
      let moved = 0;
      for (const server of servers) {
        const begun = Date.now();
        const left = all.map((socket) => heard(socket, 'disconnect').length);
        const early = [];
        const watch = all.map((socket) => {
          const note = () => { if (Date.now() - begun < DRAIN_DELAY - 100) early.push(socket.io.opts.transports); };
          socket.on('disconnect', note);
          return () => socket.off('disconnect', note);
        });
        await server.restart();
        const logged = proxy.log().length;
        for (const stop of watch) stop();
        await until('everybody is back', () => all.every((socket) => socket.connected));
        assert.deepEqual(early, [], 'sent away before the node did so');
        moved += all.filter((socket, i) => heard(socket, 'disconnect').length > left[i]).length;
        await until('the node gets requests again', () => proxy.log().slice(logged).includes(proxy.nameOf(server)));
      }
      const { asked, failed } = await prober.stop();
      assert.ok(asked > 100, `${asked} requests`);
      assert.deepEqual(failed, []);
      assert.ok(moved >= 30, `${moved} moves`);
      for (const socket of all) {
        for (const reason of heard(socket, 'disconnect')) assert.match(reason, /^transport (close|error)$/);
        assert.deepEqual(heard(socket, 'connect_error').map(String), []);
        await accepted(socket, 'system:inbox', {});
        socket.disconnect();
      }
      console.log(`# ${kind}: ${asked} requests, ${moved} moves of clients`);
    });

    test('a node is killed: its clients are with the others at once', async () => {
      const all = await Promise.all(Array.from({ length: 18 }, (_, i) => connect(person('vendor'), { transports: TRANSPORTS[i % 3] })));
      await servers[0].kill();
      await until('everybody is back', () => all.every((socket) => socket.connected && heard(socket, 'connect').length > 0));
      for (const socket of all) await until('works', async () => (await socket.timeout(5000).emitWithAck('system:inbox', {}).catch(() => ({}))).status === 'ok');
      for (const socket of all) socket.disconnect();
    });
  });
}

/** Asks one question after the other through the proxy until told to stop. */
function probe(url) {
  const { token } = person('vendor');
  const failed = [];
  let asked = 0;
  let going = true;
  const done = (async () => {
    while (going) {
      asked += 1;
      const answer = await fetch(`${url}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } }).catch((error) => ({ status: String(error.cause ?? error) }));
      if (answer.status !== 200) failed.push(answer.status);
      await answer.arrayBuffer?.();
    }
  })();
  return { stop: async () => { going = false; await done; return { asked, failed }; } };
}
