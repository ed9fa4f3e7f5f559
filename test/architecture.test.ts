/** Who may import whom: the layers of src/, read from the import statements of every file. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));
const LEAVES = ['errors', 'system-errors', 'folders', 'fields', 'random', 'text'];

/** What each part of src/ may import beside itself. */
const LAYERS: Record<string, readonly string[]> = {
  errors: [],
  'system-errors': ['errors'],
  folders: [],
  fields: ['errors'],
  random: ['errors'],
  text: ['errors', 'system-errors', 'fields', 'random'],
  'engine contract': [],
  'engine commands': ['engine/engine.ts', 'engine/breath.ts'],
  'engine implementation': ['engine commands', 'engine/engine.ts', 'engine/breath.ts', 'errors', 'folders'],
  'engine/open.ts': ['engine/engine.ts', 'errors'],
  model: ['engine contract', ...LEAVES],
  checkpoint: ['model', 'engine contract', ...LEAVES],
  inference: ['checkpoint', 'model', 'engine contract', ...LEAVES],
  training: ['inference', 'checkpoint', 'model', 'engine contract', ...LEAVES],
  analysis: ['training', 'inference', 'checkpoint', 'model', 'engine contract', ...LEAVES],
  page: ['analysis', 'training', 'inference', 'model', ...LEAVES],
  // Runs in a browser.
  'page client': ['page', 'inference', 'model', 'engine contract', 'engine/simd', ...LEAVES],
  bench: ['training', 'inference', 'model', 'engine contract', ...LEAVES],
  cli: [
    'bench',
    'page',
    'analysis',
    'training',
    'inference',
    'checkpoint',
    'model',
    'engine contract',
    'engine/open.ts',
    ...LEAVES,
  ],
};

/** The only folder that may import each package. */
const PACKAGES: Record<string, string> = {
  chalk: 'cli/terminal',
  ora: 'cli/terminal',
  commander: 'cli',
  'gpu.js': 'engine/gpu',
  webgpu: 'engine/gpu',
  koffi: 'engine/native',
};

interface Import {
  /** As written. */
  readonly specifier: string;
  /** The imported file of src/, or undefined for a package. */
  readonly target: string | undefined;
  readonly kind: 'static' | 'dynamic' | 'type';
}

interface SourceFile {
  /** Below src/, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

/** Comments become blanks; strings stay, since import specifiers are strings. */
function withoutComments(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g;
  return text.replace(token, (found) => (found.startsWith('/') ? ' ' : found));
}

function importsOf(file: string, text: string): Import[] {
  const code = withoutComments(text);
  const resolve = (specifier: string) => {
    if (!specifier.startsWith('.')) return undefined;
    const target = path.posix.join(path.posix.dirname(file), specifier);
    return existsSync(path.join(SOURCE, target)) ? target : `${target}.ts`;
  };
  const statement = /^\s*(import|export)\s+(type\s+)?(?:[\w$*\s{},]*?\sfrom\s*)?(['"])([^'"\n]+)\3/gm;
  const dynamic = /\bimport\s*\(\s*(['"`])([^'"`]+)\1/g;
  return [
    ...[...code.matchAll(statement)].map(([, , type, , specifier]): Import => {
      return { specifier: specifier!, target: resolve(specifier!), kind: type ? 'type' : 'static' };
    }),
    ...[...code.matchAll(dynamic)].map(([, , specifier]): Import => {
      return { specifier: specifier!, target: resolve(specifier!), kind: 'dynamic' };
    }),
  ];
}

const files: SourceFile[] = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((found) => found.endsWith('.ts'))
  .map((found) => {
    const file = found.split(path.sep).join('/');
    const text = readFileSync(path.join(SOURCE, found), 'utf8');
    return { path: file, text, code: withoutComments(text), imports: importsOf(file, text) };
  });

/** The part of src/ that a file belongs to: a key of LAYERS. */
function layerOf(file: string): string {
  const [folder, ...rest] = file.split('/');
  if (file.startsWith('page/client/')) return 'page client';
  if (folder !== 'engine') return folder!.replace(/\.ts$/, '');
  if (rest.length > 1) return rest[0] === 'commands' ? 'engine commands' : 'engine implementation';
  return file === 'engine/open.ts' ? file : 'engine contract';
}

const folderOf = (file: string): string => file.split('/').slice(0, 2).join('/');

describe('the layers', () => {
  it('are those of this list, and every file is in one', () => {
    assert.ok(files.length > 0);
    for (const { path } of files) assert.ok(Object.hasOwn(LAYERS, layerOf(path)), `${path} is in no layer`);
  });

  for (const file of files) {
    it(`${file.path} imports only what its layer may`, () => {
      const layer = layerOf(file.path);
      for (const { target, specifier, kind } of file.imports) {
        if (!target) continue;
        assert.ok(existsSync(path.join(SOURCE, target)), `${specifier} does not exist`);
        const targetLayer = layerOf(target);
        if (layer === 'engine/open.ts' && targetLayer === 'engine implementation') {
          assert.equal(kind, 'dynamic', `${specifier}: engines load only when they are asked for`);
          continue;
        }
        const own =
          layer === 'engine implementation'
            ? folderOf(target) === folderOf(file.path)
            : targetLayer === layer;
        const allowed =
          own || [target, folderOf(target), targetLayer].some((name) => LAYERS[layer]!.includes(name));
        assert.ok(allowed, `${file.path} (${layer}) may not import ${target} (${targetLayer})`);
      }
    });
  }
});

describe('the packages', () => {
  it('are imported by one folder each, and chalk by one file', () => {
    for (const file of files) {
      for (const { specifier, target } of file.imports) {
        if (target || specifier.startsWith('node:')) continue;
        assert.ok(!builtinModules.includes(specifier), `${file.path}: ${specifier} wants its node: prefix`);
        const folder = PACKAGES[specifier];
        assert.ok(folder && file.path.startsWith(`${folder}/`), `${file.path} may not import ${specifier}`);
      }
    }
    const chalky = files.filter(({ imports }) => imports.some(({ specifier }) => specifier === 'chalk'));
    assert.ok(chalky.length <= 1, `chalk is imported by ${chalky.map((file) => file.path).join(', ')}`);
  });
});

describe('the files', () => {
  it('print only in cli', () => {
    for (const { path, code } of files) {
      if (layerOf(path) === 'cli') continue;
      const found =
        /\bconsole\s*[.[]|\bprocess\s*\.\s*std(out|err)\b|\b(stdout|stderr)\s*}\s*=\s*process\b/.exec(code);
      assert.equal(found?.[0], undefined, `${path} prints`);
    }
  });

  it('reach the network in text/download.ts alone, and are reached by it in cli/play-server.ts alone', () => {
    const network =
      /(?<![#.\w])fetch\(|\b(WebSocket|EventSource)\b|node:(http|https|http2|tls|dgram|dns)\b|\bconnect\(/;
    const found = files.filter(({ code }) => network.test(code)).map(({ path }) => path);
    assert.deepEqual(found.sort(), ['cli/play-server.ts', 'text/download.ts']);
  });

  it('listen in cli/play-server.ts on the loopback address alone', () => {
    const server = files.find(({ path }) => path === 'cli/play-server.ts')!;
    const listens = [...server.code.matchAll(/\.listen\(([^)]*)\)/g)].map(([, args]) => args);
    assert.deepEqual(listens, ['port, ADDRESS, resolve']);
    assert.match(server.code, /const ADDRESS = '127\.0\.0\.1';/);
    assert.match(server.code, /import \{ createServer, type \w+, type \w+ \} from 'node:http';/);
    for (const { path, code } of files) {
      if (path !== server.path) assert.doesNotMatch(code, /\.listen\(/, path);
    }
  });

  it('have at most 400 lines', () => {
    for (const { path, text } of files) {
      const lines = text.split('\n').length - 1;
      assert.ok(lines <= 400, `${path} has ${lines} lines`);
    }
  });

  it('do not import each other in a circle', () => {
    const imported = new Map(
      files.map(({ path, imports }) => [
        path,
        imports.flatMap(({ target, kind }) => (target && kind !== 'type' ? [target] : [])),
      ]),
    );
    const done = new Set<string>();
    const walk = (file: string, trail: readonly string[]): void => {
      assert.ok(!trail.includes(file), [...trail.slice(trail.indexOf(file)), file].join(' -> '));
      if (done.has(file)) return;
      for (const target of imported.get(file) ?? []) walk(target, [...trail, file]);
      done.add(file);
    };
    for (const { path } of files) walk(path, []);
  });
});

describe('the reader of imports', () => {
  it('knows every form of import and none that is in a comment', () => {
    const text = `
      import './a.ts'; // import './no1.ts'
      import type { B } from "./b.ts";
      import { type C, c } from './c.ts';
      import * as d from './d.ts';
      import e, {
        f,
      } from './e.ts';
      export * from './g.ts';
      export type { H } from './h.ts';
      /* import './no2.ts'; */
      const from = 'https://example.org'; const i = await import('./i.ts');
      import j from 'j';
    `;
    const found = importsOf('errors.ts', text).map(({ specifier, kind }) => `${kind} ${specifier}`);
    assert.deepEqual(found.sort(), [
      'dynamic ./i.ts',
      'static ./a.ts',
      'static ./c.ts',
      'static ./d.ts',
      'static ./e.ts',
      'static ./g.ts',
      'static j',
      'type ./b.ts',
      'type ./h.ts',
    ]);
  });
});
