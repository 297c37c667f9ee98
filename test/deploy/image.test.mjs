// The Dockerfile without Docker: its steps are run in copies of the folders they would be run in, and what becomes of the
// image is listed and tried.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { DEPLOY } from './lib/proxy.mjs';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const work = mkdtempSync(path.join(tmpdir(), 'rolecall-image-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** The instructions of a Dockerfile, by stage: [{ word, rest }]. */
function stages(text) {
  const all = [];
  for (const line of text.split('\n').filter((each) => each.trim() !== '' && !each.startsWith('#'))) {
    const [word, ...rest] = line.split(' ');
    if (word === 'FROM') all.push({ from: rest[0], steps: [] });
    else all.at(-1).steps.push({ word, rest: rest.join(' ') });
  }
  return all;
}

/** Runs a stage that builds: absolute folders of its own (/src, /out) are put below a folder. */
function build({ steps }, root) {
  let folder = root;
  const inside = (name) => (path.isAbsolute(name) ? path.join(root, name) : path.join(folder, name));
  for (const { word, rest } of steps) {
    const args = rest.split(' ');
    if (word === 'WORKDIR') {
      folder = inside(rest);
      mkdirSync(folder, { recursive: true });
    } else if (word === 'COPY') {
      const to = inside(args.pop());
      for (const from of args) copyContext(from, to);
    } else if (word === 'RUN') {
      execFileSync('sh', ['-ec', rest.replaceAll(/(?<=\s)\/out\b/g, path.join(root, 'out'))], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    } else assert.fail(`an unknown step: ${word}`);
  }
}

/** What Docker would be sent of the context: here what the repository has. */
function copyContext(from, to) {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', from], { cwd: repository, encoding: 'utf8' });
  for (const file of files.split('\0').filter((each) => each !== '' && existsSync(path.join(repository, each)))) {
    cpSync(path.join(repository, file), path.join(to, file), { recursive: true });
  }
}

/** Puts together the image that is left. Returns its configuration. */
function assemble({ from, steps }, built, image) {
  assert.equal(from, 'scratch');
  const config = { env: {} };
  for (const { word, rest } of steps) {
    const args = rest.split(' ');
    if (word === 'COPY') {
      const owner = args.find((each) => each.startsWith('--chown='))?.slice('--chown='.length).split(':').map(Number);
      const [source, target] = args.filter((each) => !each.startsWith('--'));
      assert.ok(args.includes('--from=build'));
      const there = source.startsWith('/out/') ? path.join(built, source) : source;
      cpSync(there, path.join(image, target), { recursive: true, dereference: true });
      if (owner) chownSync(path.join(image, target), ...owner);
    } else if (word === 'ENV') {
      for (const pair of args) config.env[pair.split('=')[0]] = pair.slice(pair.indexOf('=') + 1);
    } else config[word.toLowerCase()] = rest;
  }
  return config;
}

const [building, left] = stages(readFileSync(path.join(DEPLOY, 'Dockerfile'), 'utf8'));
const [built, image] = [path.join(work, 'built'), path.join(work, 'image')];
let config;

test('the steps of the Dockerfile build an image', { timeout: 600_000 }, () => {
  for (const folder of [built, image]) mkdirSync(folder);
  build(building, built);
  config = assemble(left, built, image);
  const files = readdirSync(image, { recursive: true }).filter((name) => !statSync(path.join(image, name)).isDirectory()).sort();
  console.log(`# the image: ${files.map((name) => `${name} ${statSync(path.join(image, name)).size}`).join(', ')}`);
  assert.deepEqual(files, ['etc/ssl/certs/ca-certificates.crt', 'rolecall']);
});

test('the binary is static, and the user nobody in particular', () => {
  const headers = execFileSync('readelf', ['-lW', path.join(image, 'rolecall')], { encoding: 'utf8' });
  assert.match(headers, /LOAD/);
  assert.doesNotMatch(headers, /INTERP/, 'it needs a loader');
  assert.match(config.user, /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(config.entrypoint, '["/rolecall"]');
  assert.equal(config.volume, config.env.ROLECALL_DATA_DIR);
});

test('it serves as that user, from a root that is read-only', { skip: process.getuid() !== 0 && 'only root may change its root' }, async () => {
  const [uid, gid] = config.user.split(':');
  const data = path.join(image, config.volume);
  const mount = `mount --bind ${image} ${image} && mount --bind ${data} ${data} && mount -o remount,bind,ro ${image}
    ! touch ${image}/x 2>/dev/null && exec chroot --userspec=${uid}:${gid} ${image} ${JSON.parse(config.entrypoint).join(' ')} -addr 127.0.0.1:0`;
  const child = spawn('unshare', ['--mount', 'sh', '-ec', mount], { env: { ...config.env }, stdio: ['ignore', 'ignore', 'pipe'] });
  const exit = once(child, 'exit');
  const lines = [];
  const url = await Promise.race([
    new Promise((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line);
        if (line.includes('"serving"')) resolve(JSON.parse(line).url);
      });
    }),
    exit.then(() => { throw new Error(`it has ended: ${lines.join('\n')}`); }),
  ]);
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  assert.equal(statSync(path.join(data, 'rolecall.db')).uid, Number(uid));
  child.kill('SIGTERM');
  const [code] = await exit;
  assert.equal(code, 0, lines.join('\n'));
});
