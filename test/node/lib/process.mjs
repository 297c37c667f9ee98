// The server binary as a child process.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ENGINE } from './engine.mjs';
import { SECRET } from './token.mjs';

const repository = fileURLToPath(new URL('../../../', import.meta.url));
const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url));

/** How long a server may take to start or to stop, in milliseconds. */
const LIFECYCLE_DEADLINE = 60_000;

/** The binary under test: ROLECALL_BINARY, or one built from the sources (and not again while they stay the same). */
function binary() {
  if (process.env.ROLECALL_BINARY) return path.resolve(process.env.ROLECALL_BINARY);
  mkdirSync(cache, { recursive: true });
  const target = path.join(cache, process.platform === 'win32' ? 'server.exe' : 'server');
  // The folder for temporary files lies on the same disk, so that the finished binary is renamed into place whole.
  execFileSync('go', ['build', '-o', target, './cmd/server'], {
    cwd: repository, env: { ...process.env, GOTMPDIR: cache }, stdio: ['ignore', 'ignore', 'inherit'],
  });
  return target;
}

/** This process's environment without settings of the server, but for the engine it is to run on. */
function environment() {
  const rest = Object.entries(process.env).filter(([name]) => !name.startsWith('ROLECALL_'));
  return { ...Object.fromEntries(rest), ROLECALL_ENGINE: ENGINE };
}

/** A server with a data folder and a port of its own. */
export class ServerProcess {
  /** The address, http://127.0.0.1:PORT. */
  url = '';
  #log;
  #settings;
  #binary = binary();
  #dataDir = mkdtempSync(path.join(tmpdir(), 'rolecall-node-'));
  #child;
  #exit;
  #killWithTests = () => this.#child?.kill('SIGKILL');

  /** The log is where its lines go. */
  constructor(settings, log) {
    this.#settings = settings;
    this.#log = log;
    process.on('exit', this.#killWithTests);
  }

  /** Starts the process: on any free port at first, on the same port and data folder afterwards. */
  async start() {
    const address = this.url === '' ? '127.0.0.1:0' : new URL(this.url).host;
    this.#child = spawn(this.#binary, ['-addr', address, '-data-dir', this.#dataDir, '-log-format', 'json'], {
      env: { ...environment(), ROLECALL_JWT_SECRET: SECRET, ROLECALL_PRESENCE_GRACE: '0', ...this.#settings }, stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exit = once(this.#child, 'exit');
    const serving = new Promise((resolve) => {
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        const entry = parseLine(line);
        this.#log.push(entry);
        if (entry.msg === 'serving') resolve(entry.url);
      });
    });
    const died = this.#exit.then(([code]) => { throw new Error(`the server ended with ${code}: ${this.#tail()}`); });
    died.catch(() => {}); // ends of servers that have started are looked at by terminate and die
    this.url = await within(LIFECYCLE_DEADLINE, 'the server to serve', Promise.race([serving, died]));
  }

  /** Stops it with SIGTERM, and holds it to a clean end. */
  async terminate() {
    this.#child.kill('SIGTERM');
    const [code, signal] = await within(LIFECYCLE_DEADLINE, 'the server to stop', this.#exit);
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, `exit after SIGTERM: ${this.#tail()}`);
  }

  /** Takes its life without a warning. */
  async die() {
    this.#child.kill('SIGKILL');
    await within(LIFECYCLE_DEADLINE, 'the server to die', this.#exit);
  }

  /** Leaves nothing of it. */
  discard() {
    this.#child.kill('SIGKILL');
    process.off('exit', this.#killWithTests);
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  signal(name) { this.#child.kill(name); }

  #tail() { return JSON.stringify(this.#log.slice(-5)); }
}

function parseLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return { raw: line };
  }
}

/** The outcome of a promise, or a failure that says what was waited for in vain. */
export async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms for ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
