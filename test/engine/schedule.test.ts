/**
 * The schedules of command lists, checked word by word: between two barriers no thread may touch what another one writes,
 * wherever the arena has put it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { planArena } from '../../src/engine/commands/arena.ts';
import { type Command, Place, type Storage } from '../../src/engine/commands/commands.ts';
import { lower } from '../../src/engine/commands/lower.ts';
import { BARRIER, LSTM_FORWARD } from '../../src/engine/commands/opcodes.ts';
import { type Schedule, schedule } from '../../src/engine/commands/schedule.ts';
import type { Target } from '../../src/engine/commands/target.ts';
import { declare, type Program, type Tensor } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS, type Settings } from '../../src/training/presets.ts';
import { recordTrainingStep } from '../../src/training/step.ts';

const TILE_COLUMNS = 8;

/** As the simd engine has it. */
function target(threads: number): Target {
  return {
    threads,
    addressBytes: 1,
    panelColumns: TILE_COLUMNS,
    halves: false,
    tileRows: 4,
    leastRows: 1,
    barrierWork: 2.5e4,
  };
}

function lowered(program: Program, byUnits: boolean): readonly Command[] {
  const storages = new Map<Tensor, Storage>();
  const storageOf = (tensor: Tensor): Storage => {
    const known = storages.get(tensor);
    const storage = known ?? { name: tensor.name, bytes: tensor.length * 4, temporary: false, address: 0 };
    storages.set(tensor, storage);
    return storage;
  };
  return lower(program, target(1), storageOf, byUnits).commands;
}

/**
 * The run of units that is `thread`'s: whole grains, a single one for the command's home.
 * @param shares of all threads, as parts of what they add up to
 */
function run(
  { units, grain, home = 0 }: Command,
  thread: number,
  shares: readonly number[],
): [number, number] {
  if (units <= grain) return thread === home ? [0, units] : [0, 0];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const grains = Math.ceil(units / grain);
  const bound = (n: number): number =>
    Math.min(units, Math.round((grains * sum(shares.slice(0, n))) / sum(shares)) * grain);
  return [bound(thread), bound(thread + 1)];
}

/** The words of its storage that the units [from, to) of a command touch, as ranges. */
function touched(place: Place, from: number, to: number): [start: number, end: number][] {
  const { offset, bytes, unitBytes, rowBytes, columnGroups } = place;
  const range = (start: number, end: number): [number, number] => [(offset + start) / 4, (offset + end) / 4];
  if (unitBytes > 0) return [range(from * unitBytes, Math.min(to * unitBytes, bytes))];
  if (columnGroups === 0) return [range(0, bytes)];
  const groupBytes = rowBytes / columnGroups;
  const [first, end] = [from, to].map((unit) => Math.min(unit * TILE_COLUMNS * 4, groupBytes));
  return Array.from({ length: bytes / groupBytes }, (_, group) =>
    range(group * groupBytes + first!, group * groupBytes + end!),
  );
}

/** Who has written and who has read a word since the last barrier: a bit for each thread. */
class Words {
  readonly written: Uint8Array;
  readonly read: Uint8Array;

  constructor(words: number) {
    this.written = new Uint8Array(words);
    this.read = new Uint8Array(words);
  }
}

/** @throws AssertionError for a word that one thread writes and another one touches without a barrier in between */
function assertApart({ commands, threads }: Schedule, shares: readonly number[]): void {
  const arena = new Words(Math.ceil(planArena(commands, threads) / 4));
  const words = new Map<Storage, Words>();
  for (const [number, command] of commands.entries()) {
    if (command.opcode === BARRIER) {
      for (const one of [arena, ...words.values()]) for (const bits of [one.written, one.read]) bits.fill(0);
      continue;
    }
    const marks: [bits: Uint8Array, start: number, end: number, bit: number][] = [];
    for (let thread = 0; thread < threads; thread++) {
      const [from, to] = run(command, thread, shares);
      if (from === to) continue;
      for (const place of command.arguments) {
        if (!(place instanceof Place) || place.storage.bytes === 0) continue;
        const { storage, written } = place;
        const own = words.get(storage) ?? new Words(Math.ceil(storage.bytes / 4));
        if (!storage.temporary) words.set(storage, own);
        const [state, origin] = storage.temporary ? [arena, storage.address / 4] : [own, 0];
        const bit = 1 << thread;
        for (const [first, last] of touched(place, from, to)) {
          const [start, end] = [origin + first, origin + last];
          for (let at = start; at < end; at++) {
            const others = (state.written[at]! | (written ? state.read[at]! : 0)) & ~bit;
            if (others !== 0)
              assert.fail(`${storage.name}: command ${number} of thread ${thread} meets ${others}`);
          }
          marks.push([written ? state.written : state.read, start, end, bit]);
        }
      }
    }
    // What the threads do within a command is the command's own affair.
    for (const [bits, start, end, bit] of marks) {
      for (let at = start; at < end; at++) bits[at]! |= bit;
    }
  }
}

function training(changes: Partial<Settings & ModelConfig>): Program {
  const sizes = { hidden: 40, embedding: 0, batchSize: 13, sequenceLength: 7, vocabulary: 37 };
  const settings = { ...PRESETS.default!.settings, ...sizes, ...changes } as Settings & ModelConfig;
  const model = new LanguageModel(settings);
  return recordTrainingStep(model, settings, new Optimizer(settings, model)).program;
}

function reading(
  changes: Partial<Settings & ModelConfig>,
  { T, B, lag }: { T: number; B: number; lag?: number },
): Program {
  const base = { ...PRESETS['char-rnn']!.settings, hidden: 128, vocabulary: 37, dropout: 0 };
  const model = new LanguageModel({ ...base, ...changes } as Settings & ModelConfig);
  const recorder = new Recorder('reading');
  const ids = declare('ids', 'input', T * B, 1, 'i32');
  model.recordForward(recorder, { ids, state: model.declareState(B), ...(lag && { lag }) });
  return recorder.finish();
}

const PROGRAMS: Record<string, Program> = {
  'training, LSTM': training({ cell: 'lstm', layers: 2 }),
  'training, GRU with embedding and dropout': training({ cell: 'gru', embedding: 21, dropout: 0.2 }),
  'training, RNN, squared error': training({ cell: 'rnn', layers: 3, loss: 'mse', optimizer: 'sgd' }),
  'training, three texts': training({ cell: 'lstm', hidden: 168, batchSize: 3 }),
  'training, as many texts as a tile has rows': training({ cell: 'gru', hidden: 168, batchSize: 4 }),
  'reading, one layer': reading({ cell: 'lstm', layers: 1 }, { T: 24, B: 1 }),
  'reading, one layer of another kind': reading({ cell: 'gru', layers: 1, hidden: 168 }, { T: 24, B: 1 }),
  'reading as a wavefront, two layers': reading({ cell: 'lstm' }, { T: 128, B: 1, lag: 16 }),
  'reading as a wavefront, three layers': reading(
    { cell: 'gru', layers: 3, hidden: 136 },
    { T: 64, B: 1, lag: 8 },
  ),
  'reading as a wavefront, wide layers': reading({ cell: 'lstm', hidden: 256 }, { T: 64, B: 1, lag: 8 }),
  'reading as a wavefront, two texts': reading({ cell: 'rnn' }, { T: 17, B: 2, lag: 4 }),
};

const equal = (threads: number): number[] => new Array<number>(threads).fill(1);
const UNEQUAL = [3, 7, 1, 4];

describe('a schedule', () => {
  for (const [name, program] of Object.entries(PROGRAMS)) {
    it(`keeps threads apart between barriers: ${name}`, () => {
      let several = 0;
      for (const byUnits of [false, true]) {
        const commands = lowered(program, byUnits);
        for (const threads of [2, 3, 4]) {
          const shared = schedule(commands, target(threads));
          if (shared.threads === threads) several++;
          for (const shares of [equal(threads), UNEQUAL]) assertApart(shared, shares.slice(0, threads));
        }
      }
      assert.ok(several > 0, 'no number of threads was worth it');
    });
  }

  it('is found wanting if a barrier is left out', () => {
    const { commands, threads } = schedule(lowered(PROGRAMS['training, LSTM']!, false), target(2));
    const barriers = commands.flatMap(({ opcode }, i) => (opcode === BARRIER ? [i] : []));
    assert.ok(barriers.length > 0);
    for (const left of barriers) {
      assert.throws(() =>
        assertApart({ commands: commands.toSpliced(left, 1), threads, time: 0 }, equal(threads)),
      );
    }
  });

  for (const layers of ['two layers', 'wide layers']) {
    it(`puts layers that are at different places of a text on threads of their own: ${layers}`, () => {
      const program = PROGRAMS[`reading as a wavefront, ${layers}`]!;
      const { commands, threads } = schedule(lowered(program, false), target(2));
      assert.equal(threads, 2);
      const steps = commands.filter(({ opcode }) => opcode === LSTM_FORWARD);
      const homes = steps.map(({ home }) => home);
      assert.deepEqual(new Set(homes), new Set([0, 1]));
    });
  }
});
