/** The npm package: compiled, complete, and at home without the tools of a checkout. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { json, type Options, sampleText, scratchFolder, succeed, TINY } from './charloom.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
const folder = scratchFolder();
let files: string[];

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

before(() => {
  // Packing compiles; in a copy, so that tests beside this one find the checkout as it is.
  const source = join(folder, 'source');
  const build = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'asconfig.json',
  ];
  for (const name of ['bin', 'src', 'corpora', 'docs', 'test', 'README.md', 'LICENSE', ...build]) {
    if (existsSync(join(checkout, name)))
      cpSync(join(checkout, name), join(source, name), { recursive: true });
  }
  symlinkSync(join(checkout, 'node_modules'), join(source, 'node_modules'));
  run('npm', ['pack', '--pack-destination', folder], source);
  const archive = `charloom-${manifest.version}.tgz`;
  files = run('tar', ['-tzf', archive], folder)
    .trim()
    .split('\n')
    .map((name) => name.replace(/^package\//, ''));
  run('tar', ['-xzf', archive], folder);
  // What npm would install beside it, and nothing else.
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(folder, 'package', 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(checkout, 'node_modules', name), link);
  }
  writeFileSync(join(folder, 'text.txt'), sampleText(3000));
});

describe('the dependencies', () => {
  it('have one webgpu, ours, and no gl to be compiled, in a checkout and for users of the package', () => {
    for (const file of [
      join(checkout, 'package-lock.json'),
      join(folder, 'package', 'npm-shrinkwrap.json'),
    ]) {
      const { packages } = JSON.parse(readFileSync(file, 'utf8'));
      const named = (name: string) =>
        Object.keys(packages).filter((path) => path.endsWith(`node_modules/${name}`));
      assert.deepEqual(named('webgpu'), ['node_modules/webgpu'], file);
      assert.equal(packages['node_modules/webgpu'].version, manifest.dependencies.webgpu);
      assert.deepEqual(named('gl'), ['node_modules/gl'], file);
      assert.equal(packages['node_modules/gl'].name, '@webgpu/types', 'types alone: gpu.js finds no gl');
      assert.deepEqual(named('node-gyp'), []);
    }
  });
});

describe('the npm package', () => {
  it('has what runs, its corpora, licence and documents, and no source or test', () => {
    for (const name of [
      'bin/charloom.js',
      'dist/cli/main.js',
      'dist/engine/simd/kernels.wasm',
      'corpora/catalog.json',
      'LICENSE',
      'README.md',
      'npm-shrinkwrap.json',
    ]) {
      assert.ok(files.includes(name), `${name} is missing`);
    }
    const strangers = files.filter((name) => /\.ts$|^(src|test|node_modules)\//.test(name));
    assert.deepEqual(strangers, []);
  });

  it('runs nothing when it is installed from a registry', () => {
    // `prepare` and its kind are for a checkout and for packing.
    for (const name of ['preinstall', 'install', 'postinstall'])
      assert.equal(manifest.scripts[name], undefined);
  });

  it('does the main job without tsx', async () => {
    const options: Options = { cwd: folder, executable: join(folder, 'package', 'bin', 'charloom.js') };
    assert.equal((await succeed(['--version'], options)).stdout, `${manifest.version}\n`);
    const [devices] = await json<{ engines: { name: string; available: boolean }[] }>(['devices'], options);
    const here = devices!.engines.filter(({ available }) => available).map(({ name }) => name);
    // Whether there is an adapter for gpu.js:webgpu, and a C compiler, is the machine's affair.
    const everywhere = ['simd', 'gpu.js:webasm', 'gpu.js:cpu', 'reference'];
    assert.deepEqual(
      here.filter((name) => name !== 'gpu.js:webgpu' && name !== 'native'),
      everywhere,
    );
    await succeed(['train', 'text.txt', ...TINY, '--steps', '3', '--out', 'run'], options);
    assert.match((await succeed(['sample', 'run', '--length', '5'], options)).stdout, /^(.|\n){5}\n$/);
    const [figures] = await json(['eval', 'run'], options);
    assert.equal(figures!.characters, 150);
    assert.match((await succeed(['corpus', 'list'], options)).stdout, /^tinyshakespeare /m);
  });
});
