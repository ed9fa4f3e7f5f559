/**
 * Disks that are full at some moment of a training: `node --import tsx test/soak/full-disk.ts [--disks 50] [--seed N]`, after
 * `make build`, on Linux, where a namespace of one's own may be made (unshare --user --mount).
 *
 * A run on a small disk (a tmpfs of a random size) must end with 74 and say so; every checkpoint on it must be sound. Then the
 * disk is made larger, the run goes on, and must come to the same end as one on a large disk, to the bit.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { digest, latestSound, Process, trainInto } from './small-run.ts';

const IO_ERROR = 74;
/** Kibibytes of a disk: from too few for a run's first files to more than its checkpoints take. */
const SMALLEST = 8;
const LARGEST = 72;
const INSIDE = 'inside';

const { values, positionals } = parseArgs({
  options: { disks: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } },
  allowPositionals: true,
});
if (positionals[0] === INSIDE) await fillDisks();
else enterNamespace();

/** What is mounted in a namespace is gone with its last process, however that ends. */
function enterNamespace(): void {
  const namespace = ['--user', '--map-root-user', '--mount'];
  if (spawnSync('unshare', [...namespace, 'true']).status !== 0) {
    console.log('full disks: skipped, no permission to make a namespace (unshare --user --mount)');
    return;
  }
  const self = fileURLToPath(import.meta.url);
  const again = [process.execPath, '--import', 'tsx', self, INSIDE, ...process.argv.slice(2)];
  process.exitCode = spawnSync('unshare', [...namespace, ...again], { stdio: 'inherit' }).status ?? 1;
}

async function fillDisks(): Promise<void> {
  const disks = Number(values.disks);
  const random = new Random(Number(values.seed), 0);
  const folder = await mkdtemp(path.join(tmpdir(), 'charloom-disks-'));
  const disk = path.join(folder, 'disk');
  const run = path.join(disk, 'run');
  let [full, without, roomy] = [0, 0, 0];
  try {
    await mkdir(disk);
    const whole = path.join(folder, 'whole');
    await new Process(trainInto(whole)).ended;
    const expected = await digest(whole);
    while (full < disks) {
      const size = SMALLEST + random.integer(LARGEST - SMALLEST + 1);
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}k`, 'tmpfs', disk]);
      const { status, stderr, announced } = await new Process(trainInto(run)).ended;
      if (status === 0) roomy++;
      else {
        full++;
        if (status !== IO_ERROR || !stderr.includes('the disk is full'))
          throw new Error(`${size} KiB: ended with ${status}: ${stderr}`);
        const latest = await latestSound(run);
        if (latest < announced)
          throw new Error(`${size} KiB: step ${announced} was saved, ${latest} is there`);
        execFileSync('mount', ['-o', 'remount,size=10m', disk]);
        if (latest === 0) {
          without++;
          await rm(run, { recursive: true, force: true });
        }
        const rest = await new Process(latest > 0 ? ['resume', run] : trainInto(run)).ended;
        if (rest.status !== 0) throw new Error(`${size} KiB: it did not go on: ${rest.stderr}`);
      }
      if ((await digest(run)) !== expected) throw new Error(`${size} KiB: not the run on a large disk`);
      execFileSync('umount', [disk]);
    }
  } finally {
    if (existsSync(run)) spawnSync('umount', [disk]);
    await rm(folder, { recursive: true });
  }
  console.log(
    `${full} of ${full + roomy} disks became full (${without} before the first checkpoint), seed ${values.seed}: each time exit status ` +
      `${IO_ERROR}, every checkpoint sound, and the run went on to the same end once there was room`,
  );
}
