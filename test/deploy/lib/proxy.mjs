// The proxies of deploy/, as processes in front of servers of the test's own.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const DEPLOY = fileURLToPath(new URL('../../../deploy/', import.meta.url));
const NAMES = ['one', 'two', 'three'];

/** A port that is free now. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A configuration of deploy/ with the addresses of this test in it; each has to be there. */
function adapted(file, replacements) {
  let text = readFileSync(path.join(DEPLOY, file), 'utf8');
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const nodes = (urls) => NAMES.map((name, i) => [`${name}:8080`, new URL(urls[i]).host]);

/** What each proxy is started with: [program, arguments, those to check with] for a folder, a port and the servers. */
const COMMANDS = {
  haproxy(folder, port, urls) {
    const file = path.join(folder, 'haproxy.cfg');
    writeFileSync(file, adapted('haproxy/haproxy.cfg', [
      ['bind :8080', `bind 127.0.0.1:${port}`], ['maxconn 100000', 'maxconn 4000'], ...nodes(urls), // within anybody's limit of files
    ]));
    return ['haproxy', ['-db', '-f', file], ['-c', '-f', file]];
  },
  nginx(folder, port, urls) {
    mkdirSync(path.join(folder, 'conf.d'));
    writeFileSync(path.join(folder, 'conf.d/rolecall.conf'), adapted('nginx/rolecall.conf', [
      ['listen 8080;', `listen 127.0.0.1:${port};`], ['/dev/stdout', path.join(folder, 'access.log')],
      ['/dev/stderr', path.join(folder, 'error.log')], ...nodes(urls),
    ]));
    const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(' ');
    writeFileSync(path.join(folder, 'nginx.conf'), `daemon off; user root; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
      events { worker_connections 4096; } http { ${own} include ${folder}/conf.d/*.conf; }`);
    const args = ['-e', path.join(folder, 'error.log'), '-c', path.join(folder, 'nginx.conf')];
    return ['nginx', args, ['-t', ...args]];
  },
};

/** Starts a proxy in front of three servers, and resolves once it answers for all of them. */
export async function startProxy(kind, urls) {
  const folder = mkdtempSync(path.join(tmpdir(), `rolecall-${kind}-`));
  const port = await freePort();
  const [program, args, check] = COMMANDS[kind](folder, port, urls);
  execFileSync(program, check, { stdio: 'pipe' }); // fails with what it says
  const output = openSync(path.join(folder, 'output.log'), 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const exit = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  const log = () => ['output.log', 'access.log', 'error.log'].map((name) => {
    try {
      return readFileSync(path.join(folder, name), 'utf8');
    } catch {
      return '';
    }
  }).join('');
  const proxy = {
    url: `http://127.0.0.1:${port}`, log,
    /** How the log names a server that has got a request of REST. */
    nameOf: ({ url }) => (kind === 'haproxy' ? ` requests/${NAMES[urls.indexOf(url)]} ` : ` ${new URL(url).host}\n`),
    /** Ends the proxy and returns what it has logged. */
    async stop() {
      const logged = log();
      child.kill('SIGTERM');
      const timer = setTimeout(kill, 2000);
      await exit;
      clearTimeout(timer);
      process.off('exit', kill);
      rmSync(folder, { recursive: true, force: true });
      return logged;
    },
  };
  await until(`${kind} answers`, async () => {
    if (child.exitCode !== null) throw new Error(`${kind} has ended: ${log()}`);
    return (await fetch(`${proxy.url}/readyz`).catch(() => undefined))?.status === 200;
  });
  return proxy;
}

/** Waits until a condition holds. */
export async function until(what, holds, patience = 15_000) {
  const deadline = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms until ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}
