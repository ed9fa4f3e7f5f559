/**
 * A process of the lock race: locks a folder again and again, and checks that nobody else is inside. It never
 * gives a lock back: it makes it that of a dead process, so that every round is a takeover.
 *
 *     lock-contender.ts FOLDER ROUNDS DEAD_PID   prints how often it got in
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { lockRun } from '../../src/checkpoint/run-lock.ts';
import { CharloomError } from '../../src/errors.ts';

const [folder, rounds, deadPid] = process.argv.slice(2) as [string, string, string];
const inside = join(folder, 'inside');
let entered = 0;

writeFileSync(join(folder, `ready-${process.pid}`), '');
while (!existsSync(join(folder, 'go'))) await setTimeout(1);

for (let round = 0; round < Number(rounds); ) {
  try {
    lockRun(folder);
  } catch (error) {
    if (!(error instanceof CharloomError && error.code === 'BUSY')) throw error;
    await setTimeout(0);
    continue;
  }
  mkdirSync(inside); // throws if somebody is inside
  entered++;
  round++;
  rmdirSync(inside);
  const dead = { id: randomUUID(), pid: Number(deadPid), hostname: hostname(), started: 'long ago' };
  const temporary = join(folder, `dead-${process.pid}`);
  writeFileSync(temporary, JSON.stringify(dead));
  renameSync(temporary, join(folder, 'lock'));
}
console.log(entered);
