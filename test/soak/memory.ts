/**
 * Does a long training hold on to memory? `node --import tsx test/soak/memory.ts [--minutes 60]`, after `make build`, on Linux.
 *
 * A small model trains, evaluates, samples and saves often. Resident memory and open files are looked at every second; of each
 * tenth of the time the median is printed. Those of the last tenth must be those of the sixth, give or take 5% of the memory: in
 * the first half V8 enlarges the room for new objects, in steps of some ten megabytes, three or four times in all.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from '../../src/bench/measure.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const TEXT = fileURLToPath(new URL('../../corpora/lighthouse.txt', import.meta.url));
const TENTHS = 10;
const ALLOWED_GROWTH = 0.05;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });
const minutes = Number(values.minutes);
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-memory-'));
const often = ['--eval-every', '100', '--sample-every', '100', '--checkpoint-every', '100'];
const size = ['--hidden', '64', '--embedding', '16', '--batch-size', '16', '--threads', '1'];
const args = ['train', TEXT, ...size, ...often, '--minutes', values.minutes, '--json'];
const child = spawn(process.execPath, [MAIN, ...args, '--out', path.join(folder, 'run')], {
  stdio: ['ignore', 'pipe', 'pipe'],
});
const counts = new Map<string, number>();
let rest = '';
child.stdout.setEncoding('utf8').on('data', (words: string) => {
  const lines = (rest + words).split('\n');
  rest = lines.pop()!;
  for (const line of lines) {
    const { event } = JSON.parse(line);
    counts.set(event, (counts.get(event) ?? 0) + 1);
  }
});
let errors = '';
child.stderr.setEncoding('utf8').on('data', (words: string) => {
  errors = (errors + words).slice(-1000);
});
let ended = false;
const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
void closed.then(() => {
  ended = true;
});

const tenths: { mebibytes: number; files: number }[] = [];
let looks: typeof tenths = [];
const start = performance.now();
while (!ended) {
  await Promise.race([setTimeout(1000), closed]);
  try {
    if (!ended) looks.push(await look(child.pid!));
  } catch (error) {
    // It may end between two looks.
    if (!ended && child.exitCode === null) throw error;
  }
  const passed = (performance.now() - start) / 60_000;
  if (looks.length === 0 || passed < ((tenths.length + 1) * minutes) / TENTHS) continue;
  const tenth = {
    mebibytes: median(looks.map(({ mebibytes }) => mebibytes)),
    files: median(looks.map(({ files }) => files)),
  };
  tenths.push(tenth);
  looks = [];
  console.log(
    `${passed.toFixed(1)} min: ${tenth.mebibytes.toFixed(1)} MiB resident, ${tenth.files} open files, ${counts.get('step') ?? 0} steps`,
  );
}
const status = await closed;
await rm(folder, { recursive: true });
const [first, last] = [tenths[TENTHS / 2]!, tenths.at(-1)!];
const growth = last.mebibytes / first.mebibytes - 1;
const told = [...counts].map(([event, count]) => `${count} ${event}`).join(', ');
console.log(
  `${minutes} minutes (${told}): memory of the last tenth against the sixth ${growth < 0 ? '' : '+'}${(100 * growth).toFixed(1)}%`,
);
if (status !== 0 || growth > ALLOWED_GROWTH || last.files > first.files) {
  console.error(`memory or files were held on to, or the training ended with ${status}: ${errors}`);
  process.exitCode = 1;
}

/** What a process holds now. */
async function look(pid: number): Promise<{ mebibytes: number; files: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = Number(/^VmRSS:\s*(\d+) kB$/m.exec(text)![1]);
  return { mebibytes: kibibytes / 1024, files: (await readdir(`/proc/${pid}/fd`)).length };
}
