/**
 * Threads that walk one list. The main thread is thread 0; each worker is one more, with an instance of this module of its
 * own over the same memory. What they share beside the tensors lies in a few words, each in a cache line of its own:
 *
 *     JOB         number of the latest job; then start, end and threads of it
 *     ARRIVED     threads that have come to the current barrier
 *     GENERATION  barriers passed so far
 *     ASLEEP      threads that sleep until a job or a generation is over
 *     REFUSED     not 0 if a command met an index out of range
 */
import { ARRIVED, ASLEEP, GENERATION, JOB, REFUSED, SHARES } from './layout';

/** Looks at a word before a thread goes to sleep over it: about a tenth of a millisecond. */
const SPINS = 100000;

/** This thread, and how many walk the current list. */
export let thread: i32 = 0;
let threads: i32 = 1;

/** The run of units of the current command that is this thread's: see `take`. */
export let first: i32 = 0;
export let count: i32 = 0;

/** Divides `units` into runs of whole grains, one for each thread, and takes this thread's; a single grain is for `home`. */
export function take(units: i32, grain: i32, home: i32): void {
  if (threads === 1 || units <= grain) {
    first = 0;
    count = threads === 1 || thread === home ? units : 0;
    return;
  }
  const line = shareOf(thread);
  const grains = (units + grain - 1) / grain;
  first = min(units, part(grains, load<i32>(line)) * grain);
  count = min(units, part(grains, load<i32>(line, 4)) * grain) - first;
}

/** Where a thread's line of `../../commands/shares.ts` lies. */
function shareOf(thread: i32): usize {
  return (SHARES as usize) + ((thread as usize) << 6);
}

/** So many 65536ths of all grains, to the nearest whole one. */
function part(grains: i32, of65536: i32): i32 {
  return (((grains as i64) * (of65536 as i64) + 32768) >> 16) as i32;
}

/** Whether the time that a command takes, of so many units, tells how fast a thread is: if every one has several grains. */
export function tellsSpeed(units: i32, grain: i32): bool {
  return threads > 1 && units >= 8 * threads * grain;
}

/** This thread began its share of such a command at `begun`, and is done: adds up how long all `units` would have taken it. */
export function tellSpeed(begun: f64, units: i32): void {
  const line = shareOf(thread);
  const spent = ((performance.now() - begun) * (units as f64)) / (count as f64);
  store<f32>(line, load<f32>(line, 8) + (spent as f32), 8);
}

/** Waits until all threads of the job are here. */
export function barrier(): void {
  if (threads === 1) return;
  const generation = atomic.load<i32>(GENERATION);
  if (atomic.add<i32>(ARRIVED, 1) === threads - 1) {
    atomic.store<i32>(ARRIVED, 0);
    atomic.store<i32>(GENERATION, generation + 1);
    if (atomic.load<i32>(ASLEEP) !== 0) atomic.notify(GENERATION, -1);
  } else waitWhile(GENERATION, generation);
}

/** Returns once the word at `address` is no longer `value`. */
function waitWhile(address: usize, value: i32): void {
  for (let spins = 0; spins < SPINS; spins++) if (atomic.load<i32>(address) !== value) return;
  // Whoever changes the word looks at ASLEEP afterwards, and `wait` looks at the word first: no wake-up is lost.
  atomic.add<i32>(ASLEEP, 1);
  while (atomic.load<i32>(address) === value) atomic.wait<i32>(address, value, -1);
  atomic.sub<i32>(ASLEEP, 1);
}

/** Hands the commands in [start, end) to the workers; thread 0 has to walk them too. */
export function post(start: usize, end: usize, threadCount: i32): void {
  threads = threadCount;
  if (threadCount === 1) return;
  store<usize>(JOB, start, 4);
  store<usize>(JOB, end, 8);
  store<i32>(JOB, threadCount, 12);
  atomic.add<i32>(JOB, 1);
  if (atomic.load<i32>(ASLEEP) !== 0) atomic.notify(JOB, -1);
}

/** In a worker: waits for the job after `job` and returns its number; `jobStart` and `jobEnd` are its commands. */
export function awaitJob(self: i32, job: i32): i32 {
  thread = self;
  waitWhile(JOB, job);
  threads = load<i32>(JOB, 12);
  return job + 1;
}

export function jobStart(): usize {
  return load<usize>(JOB, 4);
}

export function jobEnd(): usize {
  return load<usize>(JOB, 8);
}

/** An index is out of range: the host will hear of it. Returns 0, which is an index of everything. */
export function refuse(): i32 {
  atomic.store<i32>(REFUSED, 1);
  return 0;
}
