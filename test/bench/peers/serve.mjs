/** The contestant's side of the race's protocol (test/bench/race/contestant-process.ts), for JavaScript. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** Warming up takes at least so long, unless one unit of work takes longer. */
const WARM_UP_SECONDS = 0.5;

/**
 * Warms up, then works whenever it is told to, until standard input ends.
 *
 * @param {() => number | Promise<number>} unit does some work to its end and returns how much it was
 * @param {string} form how it is done, or what is left out
 */
export async function serve(unit, form = '') {
  await repeat(unit, WARM_UP_SECONDS);
  print({ ready: true, form });
  for await (const line of createInterface({ input: process.stdin })) {
    print(await repeat(unit, Number(line.split(' ')[1])));
  }
  print({ peakMemoryBytes: peakMemoryBytes() });
  process.exit(); // whatever threads or timers a library has left
}

/**
 * Of several ways of doing the same work, the one that is the fastest here.
 *
 * @template {{ unit: () => number | Promise<number> }} Form
 * @param {readonly Form[]} forms
 * @returns {Promise<Form>}
 */
export async function fastest(forms) {
  let best = { form: forms[0], speed: 0 };
  for (const form of forms) {
    await form.unit();
    const { amount, seconds } = await repeat(form.unit, WARM_UP_SECONDS);
    if (amount / seconds > best.speed) best = { form, speed: amount / seconds };
  }
  return best.form;
}

async function repeat(unit, seconds) {
  const start = performance.now();
  let amount = 0;
  let elapsed;
  do {
    amount += await unit();
    elapsed = (performance.now() - start) / 1000;
  } while (elapsed < seconds);
  return { amount, seconds: elapsed };
}

/** Where there is /proc, from there: what `resourceUsage` says includes the process that started this one. */
function peakMemoryBytes() {
  try {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  } catch {
    return 1024 * process.resourceUsage().maxRSS;
  }
}

function print(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
