// A Redis server of a test's own, that keeps nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createClient } from 'redis';
import { within } from './server.mjs';

const START_DEADLINE = 60_000;

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

/** Starts a server on any free port. */
export async function startRedis() {
  const redis = new Redis();
  for (let attempt = 0; ; attempt += 1) {
    redis.port = await freePort(); // which somebody else may take before the server does
    try {
      await redis.start();
      return redis;
    } catch (error) {
      if (attempt === 4) throw error;
    }
  }
}

class Redis {
  port = 0;
  #folder = mkdtempSync(path.join(tmpdir(), 'rolecall-redis-'));
  #child;
  #clients = [];
  #killWithTests = () => this.#child?.kill('SIGKILL');

  constructor() { process.on('exit', this.#killWithTests); }

  get url() { return `redis://127.0.0.1:${this.port}`; }

  async start() {
    this.#child = spawn('redis-server', [
      '--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.#folder,
    ], { stdio: ['ignore', 'pipe', 'ignore'] });
    const ready = new Promise((resolve) => {
      createInterface({ input: this.#child.stdout }).on('line', (line) => line.includes('Ready to accept connections') && resolve());
    });
    const ended = once(this.#child, 'exit').then(([code]) => { throw new Error(`redis-server ended with ${code}`); });
    ended.catch(() => {});
    await within(START_DEADLINE, 'redis-server', Promise.race([ready, ended]));
  }

  /** Ends the server at once and starts it again, empty. */
  async crash() {
    await this.kill();
    await this.start();
  }

  async kill() {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** A client that comes back by itself, and ends with the server. */
  async client() {
    const client = createClient({ url: this.url, socket: { reconnectStrategy: 50 } });
    client.on('error', () => {}); // while the server is away
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async stop() {
    for (const client of this.#clients) client.destroy();
    await this.kill();
    process.off('exit', this.#killWithTests);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
