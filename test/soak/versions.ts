/**
 * The same seed, other versions of Node.js, other engines' numbers of threads: `node --import tsx test/soak/versions.ts`, after
 * `make build`, where npm's registry can be reached.
 *
 * The latest release of every major version from 20 on that the package `node` has, each with one to four threads, on `simd`
 * and, where a C compiler is at hand, on `native`: weights and training state must be the same on each engine, to the bit.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { listEngines } from '../../src/engine/open.ts';
import { digest, Process, trainInto } from './small-run.ts';

const OLDEST_MAJOR = 20;
const STEPS = 60;
const ENGINES = ['simd', 'native'];
const THREADS = [1, 2, 3, 4];

const folder = await mkdtemp(path.join(tmpdir(), 'charloom-versions-'));
try {
  const available = await listEngines();
  const engines = ENGINES.filter((name) =>
    available.some((engine) => engine.name === name && engine.available),
  );
  const found = new Map<string, Set<string>>(engines.map((engine) => [engine, new Set()]));
  const tried: string[] = [];
  let runs = 0;
  for (const version of latestOfMajors()) {
    const prefix = path.join(folder, version);
    npm('install', '--prefix', prefix, '--no-audit', '--no-fund', `node@${version}`);
    const node = path.join(prefix, 'node_modules/node/bin/node');
    tried.push(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim());
    for (const engine of engines) {
      for (const threads of THREADS) {
        const run = path.join(folder, `run-${runs++}`);
        const options = ['--device', engine, '--threads', String(threads)];
        const { status, stderr } = await new Process([...trainInto(run, STEPS), ...options], node).ended;
        if (status !== 0) throw new Error(`Node.js ${version}, ${engine}: ended with ${status}: ${stderr}`);
        found.get(engine)!.add(await digest(run, STEPS));
      }
    }
  }
  for (const [engine, digests] of found) {
    if (digests.size !== 1) throw new Error(`${engine}: ${digests.size} different results`);
    console.log(
      `${engine}: Node.js ${tried.join(', ')}, ${THREADS.join(', ')} threads: sha256 ${[...digests][0]}`,
    );
  }
} finally {
  await rm(folder, { recursive: true });
}

function npm(...args: string[]): string {
  return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The latest version of each major one, ascending. */
function latestOfMajors(): string[] {
  const latest = new Map<number, string>();
  // The registry lists them in the order of their publication: a patch of an old major comes after a new one.
  const minor = (version: string): number => Number(version.split('.')[1]);
  for (const version of JSON.parse(npm('view', 'node', 'versions', '--json')) as string[]) {
    const major = Number(version.split('.')[0]);
    if (major < OLDEST_MAJOR || !/^\d+\.\d+\.\d+$/.test(version)) continue;
    const known = latest.get(major);
    if (known === undefined || minor(version) >= minor(known)) latest.set(major, version);
  }
  return [...latest].sort(([a], [b]) => a - b).map(([, version]) => version);
}
