// The Helm chart, rendered in the ways it is used and held against the schemas of Kubernetes, which take no unknown members.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { DEPLOY } from './lib/proxy.mjs';

const chart = path.join(DEPLOY, 'helm/rolecall');
const { HELM, KUBECONFORM, KUBERNETES_SCHEMAS } = process.env;
const VERSIONS = ['1.25', '1.30'];
const work = mkdtempSync(path.join(tmpdir(), 'rolecall-helm-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** Objects with named members take no others, as the servers of Kubernetes do when asked to be strict. */
function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (schema === null || typeof schema !== 'object') return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  if (copy.properties && copy.type === 'object' && copy.additionalProperties === undefined) copy.additionalProperties = false;
  return copy;
}

/** Writes a JSON schema for each kind of the groups that the chart uses. */
function schemasOf(version) {
  const folder = path.join(work, version);
  mkdirSync(folder);
  for (const file of ['api/v1', 'apis/apps/v1', 'apis/policy/v1', 'apis/autoscaling/v2', 'apis/networking.k8s.io/v1']) {
    const { components } = JSON.parse(readFileSync(path.join(KUBERNETES_SCHEMAS, version, `${file}.json`), 'utf8'));
    const all = strict(components);
    for (const [name, schema] of Object.entries(components.schemas)) {
      for (const { group, version: of, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
        const target = [kind, ...(group === '' ? [] : [group.split('.')[0]]), of].join('-').toLowerCase();
        writeFileSync(path.join(folder, `${target}.json`), JSON.stringify({ $ref: `#/components/schemas/${name}`, components: all }));
      }
    }
  }
  return path.join(folder, '{{.ResourceKind}}{{.KindSuffix}}.json');
}

const template = (values, version = '1.30') => spawnSync(HELM, [
  'template', 'try', chart, '--kube-version', `${version}.0`, ...values.flatMap((value) => ['--set', value]),
], { encoding: 'utf8' });

const validate = (location, manifest) => spawnSync(KUBECONFORM, ['-summary', '-schema-location', location, '-'], { input: manifest, encoding: 'utf8' });

const USES = {
  'as it is': [],
  'with autoscaling and an ingress': ['autoscaling.enabled=true', 'ingress.enabled=true', 'ingress.className=nginx', 'ingress.tlsSecret=tls'],
  'one node on a volume': ['replicas=1', 'secret.databaseUrlKey=', 'secret.redisUrlKey=', 'persistence.storageClass=fast'],
  'with settings': ['settings.ROLECALL_JWKS_URL=https://id.example/keys', 'secret.jwtSecretKey=', 'nodeSelector.disk=ssd', 'imagePullSecrets[0].name=registry'],
};

for (const version of VERSIONS) {
  const location = schemasOf(version);
  for (const [use, values] of Object.entries(USES)) {
    test(`Kubernetes ${version} takes the chart ${use}`, () => {
      const { status, stdout, stderr } = template(values, version);
      assert.equal(status, 0, stderr);
      const verdict = validate(location, stdout);
      assert.equal(verdict.status, 0, verdict.stdout + verdict.stderr);
      assert.match(verdict.stdout, /Valid: [4-9], Invalid: 0, Errors: 0, Skipped: 0/);
    });
  }
  test(`the schemas of Kubernetes ${version} refuse what is wrong`, () => {
    const { stdout } = template([], version);
    for (const [from, to] of [['readinessProbe:', 'readynessProbe:'], ['replicas: 3', 'replicas: three'], ['periodSeconds: 2\n', 'periodSeconds: soon\n']]) {
      assert.ok(stdout.includes(from), from);
      assert.equal(validate(location, stdout.replace(from, to)).status, 1, `${to} is taken`);
    }
  });
}

test('helm lint has nothing to say', () => {
  const said = execFileSync(HELM, ['lint', '--strict', chart], { encoding: 'utf8' });
  assert.doesNotMatch(said, /WARNING|ERROR/);
});

test('what would not work is refused before it is there', () => {
  for (const [values, why] of [
    [['secret.databaseUrlKey='], /several nodes need Postgres/],
    [['secret.redisUrlKey=', 'replicas=2'], /several nodes need Postgres/],
    [['drain.periodSeconds=60'], /shutdownSeconds/],
    [['settings.DATABASE=x'], /settings|propert/],
    [['service.sessionAffinity=Cookie'], /sessionAffinity/],
  ]) {
    const { status, stderr } = template(values);
    assert.equal(status, 1, `${values} is taken`);
    assert.match(stderr, why);
  }
});

test('a node has the name of its pod, unless it is given another', () => {
  const named = (manifest) => manifest.match(/name: ROLECALL_NODE_NAME.*(\n.*valueFrom.*)?/g).map((line) => line.replace(/\s+/g, ' '));
  assert.deepEqual(named(template([]).stdout), ['name: ROLECALL_NODE_NAME valueFrom: {fieldRef: {fieldPath: metadata.name}}']);
  assert.deepEqual(named(template(['settings.ROLECALL_NODE_NAME=one']).stdout), ['name: ROLECALL_NODE_NAME, value: "one"}']);
});

test('a pod has the time that its drain takes, and no rights', () => {
  const manifest = template([]).stdout;
  assert.match(manifest, /terminationGracePeriodSeconds: 70/);
  assert.match(manifest, /ROLECALL_SHUTDOWN_TIMEOUT, value: "60s"/);
  assert.match(manifest, /readOnlyRootFilesystem: true/);
  assert.match(manifest, /kind: PodDisruptionBudget/);
  assert.doesNotMatch(template(USES['one node on a volume']).stdout, /PodDisruptionBudget/, 'it would keep the only node for ever');
  assert.ok(readdirSync(path.join(chart, 'templates')).length > 5);
});
