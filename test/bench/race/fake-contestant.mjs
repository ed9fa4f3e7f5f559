/**
 * A contestant whose speed is known, for the tests of the race: `fake-contestant.mjs SPEED [BEHAVIOUR]`. It also prints
 * what is no answer, as libraries do.
 */
import { createInterface } from 'node:readline';

const [speed, behaviour = ''] = process.argv.slice(2);
const print = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);

if (behaviour === 'crashes') throw new Error('no such weights');
if (behaviour === 'hangs') await new Promise((resolve) => setTimeout(resolve, 60_000));
process.stdout.write('a library greets\n{ not JSON\n');
print({ ready: true, form: behaviour });
let turns = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (behaviour === 'crashes later' && turns++ > 0) process.exit(7);
  const seconds = Number(line.split(' ')[1]);
  print(behaviour === 'confused' ? { pong: 1 } : { amount: Number(speed) * seconds, seconds });
}
print({ peakMemoryBytes: 5e6 });
