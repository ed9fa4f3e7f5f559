/** What only the simd engine promises: how it uses memory, and how it refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planArena } from '../../src/engine/commands/arena.ts';
import {
  type Command,
  Place,
  type Storage,
  stretches,
  wordCount,
} from '../../src/engine/commands/commands.ts';
import * as op from '../../src/engine/commands/opcodes.ts';
import { declare, type Program } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { openSimd } from '../../src/engine/simd/open-simd.ts';
import type { SimdEngine } from '../../src/engine/simd/simd-engine.ts';
import { CharloomError } from '../../src/errors.ts';

const MEBI = 2 ** 20;

function storage(name: string, bytes: number): Storage {
  return { name, bytes, temporary: true, address: -1 };
}

const COMMAND: Command = { opcode: op.FILL, units: 1, grain: 1, arguments: [], work: 1 };
const BARRIER: Command = { ...COMMAND, opcode: op.BARRIER };

/** Commands that name these storages, in order. */
function naming(...lists: Storage[][]): Command[] {
  return lists.map((list) => ({
    ...COMMAND,
    arguments: list.map((one) => new Place(one, { written: true })),
  }));
}

describe('the arena', () => {
  it('gives temporaries that are alive together separate memory, on cache lines', () => {
    const [a, b, c] = [storage('a', 100), storage('b', 4), storage('c', 64)] as const;
    const bytes = planArena(naming([a], [a, b], [b, c], [c, a]));
    assert.equal(bytes, 128 + 64 + 64);
    const ranges = [a, b, c].map(({ address, bytes }) => [address, address + bytes]);
    ranges.sort((x, y) => x[0]! - y[0]!);
    for (const [i, [start]] of ranges.entries()) {
      assert.equal(start! % 64, 0);
      assert.ok(i === 0 || start! >= ranges[i - 1]![1]!);
    }
  });

  it('reuses the memory of temporaries that are no longer alive', () => {
    const list = [0, 1, 2, 3, 4, 5].map((i) => storage(`${i}`, 1000));
    const chain = list.slice(1).map((one, i) => [list[i]!, one]);
    assert.equal(planArena(naming(...chain)), 2 * 1024);
  });

  it('keeps temporaries apart that threads between two barriers may use at the same time', () => {
    const list = [0, 1, 2, 3].map((i) => storage(`${i}`, 1000));
    const [first, second, third, fourth] = naming(...list.map((one) => [one]));
    assert.equal(planArena([first!, second!, BARRIER, third!, fourth!], 2), 2 * 1024);
    assert.equal(planArena([first!, second!, third!, BARRIER, fourth!], 2), 3 * 1024);
    assert.equal(planArena([first!, second!, third!, BARRIER, fourth!], 1), 1024);
  });

  it('puts a small temporary into the tightest gap', () => {
    const [large, middle, small] = [
      storage('large', 640),
      storage('middle', 320),
      storage('small', 64),
    ] as const;
    const whole = storage('whole', 1280);
    planArena(naming([whole], [large, middle], [large, middle, small]));
    assert.equal(small.address, 960);
  });
});

describe('the command list', () => {
  it('is cut into stretches of bounded work that cover all of it', () => {
    const commands = [1, 5e8, 1, 1, 3e8, 3e8, 1].map((work) => ({ ...COMMAND, arguments: [0], work }));
    const cuts = stretches(commands, { barrierWork: 2.5e4 });
    assert.deepEqual(cuts, [0, 12, 36, 42]);
    assert.equal(cuts.at(-1), wordCount(commands));
  });
});

async function withSimd(
  options: { threads?: number },
  body: (engine: SimdEngine) => Promise<void>,
): Promise<void> {
  const engine = await openSimd(options);
  try {
    await body(engine);
  } finally {
    await engine.close();
  }
}

/** Copies a column of 1 MiB through `count` temporaries. */
function chain(count: number): Program {
  const recorder = new Recorder('chain');
  const length = MEBI / 4;
  let last = recorder.temporary('0', length, 1);
  recorder.add('fill', { out: last, value: 3 });
  for (let i = 1; i < count; i++) {
    const next = recorder.temporary(`${i}`, length, 1);
    recorder.add('copy', { out: next, input: last });
    last = next;
  }
  return recorder.finish();
}

describe('the simd engine', () => {
  it('lets temporaries share memory, inside a program and between programs', async () => {
    await withSimd({ threads: 1 }, async (engine) => {
      const before = engine.memoryBytes();
      for (const count of [10, 20, 30]) await engine.prepare(chain(count)).run();
      assert.ok(engine.memoryBytes() - before < 2.1 * MEBI);
    });
  });

  it('says how much memory a program wants and what to lower when it is too much, and goes on', async () => {
    await withSimd({}, async (engine) => {
      const recorder = new Recorder('huge');
      recorder.add('fill', { out: recorder.temporary('huge', 2 ** 20, 1500), value: 0 });
      assert.throws(
        () => engine.prepare(recorder.finish()),
        (error) =>
          error instanceof CharloomError &&
          error.code === 'UNAVAILABLE' &&
          /5\.86 GiB/.test(error.message) &&
          /--batch-size/.test(error.hint),
      );
      await engine.prepare(chain(2)).run();
    });
  });

  it('fails, and touches nothing, when an id lies outside of its table', async () => {
    await withSimd({}, async (engine) => {
      const ids = declare('ids', 'input', 2, 1, 'i32');
      const table = declare('table', 'parameter', 3, 4);
      const out = declare('out', 'state', 2, 4);
      const recorder = new Recorder('gather');
      recorder.add('gather', { out, table, ids });
      const gather = engine.prepare(recorder.finish());
      for (const id of [3, -1]) {
        engine.write(ids, [id, 0]);
        await assert.rejects(gather.run(), /gather: .*out of range/);
      }
      engine.write(ids, [2, 0]);
      await gather.run();
    });
  });

  it('gives signals and timers a turn during a long replay', async () => {
    await withSimd({}, async (engine) => {
      const [a, b, out] = ['a', 'b', 'out'].map((name) => declare(name, 'state', 512, 512));
      const recorder = new Recorder('long');
      for (let i = 0; i < 40; i++) recorder.add('matmul', { out: out!, a: a!, b: b! });
      const long = engine.prepare(recorder.finish());
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      await long.run();
      clearInterval(timer);
      assert.ok(turns > 0);
    });
  });

  it('refuses to read or write temporaries, and everything after it was closed', async () => {
    const engine = await openSimd();
    const temporary = declare('temporary', 'temporary', 2, 2);
    assert.throws(() => engine.write(temporary, [1, 2, 3, 4]), /temporary/);
    await assert.rejects(engine.read(temporary), /temporary/);
    const state = declare('state', 'state', 2, 2);
    assert.throws(() => engine.write(state, [1]), /takes 4 values, not 1/);
    await engine.close();
    assert.throws(() => engine.write(state, [1, 2, 3, 4]), /closed/);
    await assert.rejects(engine.read(state), /closed/);
  });
});
