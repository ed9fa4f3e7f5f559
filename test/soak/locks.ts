/**
 * Two processes that want to train the same run at the same time: `node --import tsx test/soak/locks.ts [--races 100]
 * [--seed N]`, after `make build`.
 *
 * One must win, the other end with 75. Every second winner is killed with SIGKILL and leaves its lock, which the next race
 * must recover; the others are interrupted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../../src/random.ts';
import { latestSound, Process, trainInto } from './small-run.ts';

const BUSY = 75;
/** More steps than a race lasts. */
const ENDLESS = 10_000_000;

const { values } = parseArgs({
  options: { races: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } },
});
const races = Number(values.races);
const random = new Random(Number(values.seed), 0);
const folder = await mkdtemp(path.join(tmpdir(), 'charloom-locks-'));
const run = path.join(folder, 'run');
let recovered = 0;
try {
  const first = new Process(trainInto(run, ENDLESS));
  await first.saved;
  await first.live(100);
  first.child.kill('SIGKILL');
  await first.ended;
  let left = true;
  for (let race = 0; race < races; race++) {
    const racers: Process[] = [];
    for (let i = 0; i < 2; i++) {
      racers.push(new Process(['resume', run]));
      await setTimeout(random.integer(30));
    }
    const { loser, life } = await Promise.race(
      racers.map(async (racer) => ({ loser: racer, life: await racer.ended })),
    );
    const winner = racers.find((racer) => racer !== loser)!;
    if (life.status !== BUSY || !/in use by process/.test(life.stderr))
      throw new Error(`race ${race}: ended with ${life.status}: ${life.stderr}`);
    await winner.training;
    if (winner.child.exitCode !== null) throw new Error(`race ${race}: nobody won`);
    if (left) recovered++;
    left = race % 2 === 0;
    winner.child.kill(left ? 'SIGKILL' : 'SIGINT');
    await winner.ended;
    await latestSound(run);
  }
} finally {
  await rm(folder, { recursive: true });
}
console.log(
  `${races} races, seed ${values.seed}: one won, the other ended with ${BUSY}; ${recovered} locks of killed processes recovered`,
);
