// A release for this platform: what is in it, that it is told apart by its checksums, and that it is the same each time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { DEPLOY } from './lib/proxy.mjs';

const work = mkdtempSync(path.join(tmpdir(), 'rolecall-release-'));
after(() => rmSync(work, { recursive: true, force: true }));
const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch];
const name = `rolecall-v9.8.7-linux-${arch}`;

const release = (folder) => execFileSync(path.join(DEPLOY, 'release.sh'), ['v9.8.7', folder], {
  env: { ...process.env, PLATFORMS: `linux/${arch}` }, stdio: ['ignore', 'ignore', 'pipe'],
});

test('a release is archives, what is in them, and checksums', { timeout: 600_000 }, () => {
  const [first, second] = ['first', 'second'].map((folder) => path.join(work, folder));
  release(first);
  release(second);
  assert.deepEqual(readdirSync(first).sort(), [`${name}.sbom.json`, `${name}.tar.gz`, 'rolecall-v9.8.7.sha256'].sort());
  for (const file of readdirSync(first)) assert.deepEqual(readFileSync(path.join(first, file)), readFileSync(path.join(second, file)), `${file} is another each time`);

  const check = () => execFileSync('sha256sum', ['--check', '--strict', 'rolecall-v9.8.7.sha256'], { cwd: first, stdio: 'pipe' });
  check();
  execFileSync('tar', ['-xzf', `${name}.tar.gz`], { cwd: first });
  assert.deepEqual(readdirSync(path.join(first, name)).sort(), ['LICENSE', 'README.md', 'rolecall', 'systemd']);
  assert.match(execFileSync(path.join(first, name, 'rolecall'), ['version'], { encoding: 'utf8' }), /^rolecall /);

  const sbom = JSON.parse(readFileSync(path.join(first, `${name}.sbom.json`), 'utf8'));
  assert.equal(sbom.bomFormat, 'CycloneDX');
  assert.equal(sbom.metadata.component.version, 'v9.8.7');
  const parts = new Set(sbom.components.map((component) => component.name));
  const built = execFileSync('go', ['version', '-m', path.join(first, name, 'rolecall')], { encoding: 'utf8' });
  const modules = [...built.matchAll(/^\tdep\t(\S+)/gm)].map(([, module]) => module);
  assert.ok(modules.length > 10);
  assert.deepEqual(modules.filter((module) => !parts.has(module)), [], 'not in the list');
  assert.ok(parts.has('std'));

  writeFileSync(path.join(first, `${name}.sbom.json`), '{}');
  assert.throws(check, 'another file has the same checksum');
});
