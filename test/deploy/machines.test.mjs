// The unit by systemd's own checks, compose.yaml, and that every setting that deploy/ names is one.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { DEPLOY } from './lib/proxy.mjs';

const work = mkdtempSync(path.join(tmpdir(), 'rolecall-machines-'));
after(() => rmSync(work, { recursive: true, force: true }));
const read = (file) => readFileSync(path.join(DEPLOY, file), 'utf8');
const seconds = (text) => Number(/^(\d+)s$/.exec(text)[1]);

/** The unit with a program that is here; systemd-analyze looks for it. */
function unit(change = (text) => text) {
  const file = path.join(work, 'rolecall.service');
  writeFileSync(file, change(read('systemd/rolecall.service').replace('ExecStart=/usr/local/bin/rolecall', `ExecStart=${process.env.ROLECALL_BINARY}`)));
  return file;
}

test('systemd-analyze verify has nothing to say', () => {
  const verdict = spawnSync('systemd-analyze', ['verify', unit()], { encoding: 'utf8' });
  assert.deepEqual([verdict.status, verdict.stderr.trim()], [0, '']);
  const wrong = spawnSync('systemd-analyze', ['verify', unit((text) => text.replace('Restart=always', 'Restart=perhaps'))], { encoding: 'utf8' });
  assert.notEqual(wrong.stderr.trim(), '', 'it finds nothing');
});

test('the unit exposes little', () => {
  const verdict = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=15', unit()], { encoding: 'utf8' });
  const level = /Overall exposure level[^:]*: (\S+)/.exec(verdict.stdout)?.[1];
  console.log(`# exposure ${level}`);
  assert.equal(verdict.status, 0, `exposure ${level}`);
});

test('supervisors wait for longer than a stop takes', () => {
  assert.match(read('systemd/rolecall.service'), /TimeoutStopSec=45s/);
  const compose = composeOf();
  for (const name of ['one', 'two', 'three']) {
    const { environment: settings, stop_grace_period: grace } = compose.services[name];
    const [delay, period, whole] = ['DRAIN_DELAY', 'DRAIN_PERIOD', 'SHUTDOWN_TIMEOUT'].map((each) => seconds(settings[`ROLECALL_${each}`]));
    assert.ok(delay + period + 5 <= whole && whole < seconds(grace), name);
    assert.equal(settings.ROLECALL_NODE_NAME, name, 'by which the proxy finds it');
  }
});

/** compose.yaml as JSON, with its anchors resolved. */
function composeOf() {
  const program = 'import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin)))';
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', program], { input: read('compose.yaml'), encoding: 'utf8' }));
}

test('compose.yaml fits together', () => {
  const { services, volumes, secrets, networks } = composeOf();
  assert.deepEqual(Object.keys(services).sort(), ['one', 'postgres', 'proxy', 'redis', 'three', 'two']);
  for (const [name, service] of Object.entries(services)) {
    for (const other of Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {})) assert.ok(services[other], `${name} waits for ${other}`);
    for (const secret of service.secrets ?? []) assert.ok(secrets[secret]);
    for (const network of service.networks) assert.ok(networks[network]);
    for (const volume of service.volumes ?? []) {
      const [source] = volume.split(':');
      if (source.startsWith('./')) assert.ok(statSync(path.join(DEPLOY, source)).isFile(), source);
      else assert.ok(source in volumes, source);
    }
    if (name !== 'proxy') assert.equal(service.ports, undefined, `${name} is reached from outside`);
  }
  for (const node of ['one', 'two', 'three']) {
    assert.equal(services[node].read_only, true);
    assert.deepEqual(services[node].cap_drop, ['ALL']);
    assert.ok(services[node].environment.ROLECALL_TRUSTED_PROXIES === networks.inside.ipam.config[0].subnet);
    for (const proxy of ['haproxy/haproxy.cfg', 'nginx/rolecall.conf']) assert.match(read(proxy), new RegExp(`server .*\\b${node}:8080`), proxy);
  }
});

test('every setting that deploy/ names is one of the server\'s', () => {
  const help = spawnSync(process.env.ROLECALL_BINARY, ['-help'], { encoding: 'utf8' });
  const known = new Set((help.stdout + help.stderr).match(/--[a-z-]+/g).map((flag) => `ROLECALL_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`));
  const files = readdirSync(DEPLOY, { recursive: true }).filter((name) => statSync(path.join(DEPLOY, name)).isFile());
  const named = new Set(files.flatMap((name) => read(name).match(/ROLECALL_[A-Z_]+[A-Z]/g) ?? []));
  assert.ok(named.size > 8 && known.size > 40);
  assert.deepEqual([...named].filter((name) => !known.has(name)), []);
});
