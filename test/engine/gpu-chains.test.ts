/** Chains of cell steps on the gpu engine: whatever it makes of a program, the numbers are the reference's. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Engine, Matrix } from '../../src/engine/engine.ts';
import { chainAt } from '../../src/engine/gpu/chains.ts';
import { GpuEngine } from '../../src/engine/gpu/gpu-engine.ts';
import { withoutDeadOperations } from '../../src/engine/gpu/liveness.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Random } from '../../src/random.ts';
import {
  type Cell,
  type Direction,
  type Plan,
  type Role,
  record,
  regular,
  type Step,
  USED,
  WRITTEN,
  withSteps,
} from './gpu-chain-programs.ts';

const CELLS: readonly Cell[] = ['rnn', 'lstm', 'gru'];
const DIRECTIONS: readonly Direction[] = ['forward', 'backward'];
const TOLERANCE = 1e-5;
/** Random programs. */
const SEEDS = 300;

let gpu: GpuEngine;
before(async () => {
  gpu = await GpuEngine.open('cpu');
});
after(() => gpu.close());

/** How many steps the chains of a program have, in order. */
function chainLengths(plan: Plan): number[] {
  const operations = withoutDeadOperations(record(plan).program);
  const lengths: number[] = [];
  for (let i = 0; i < operations.length; ) {
    const chain = chainAt(operations, i);
    if (chain) lengths.push(chain.steps.length);
    i = chain ? chain.end : i + 1;
  }
  return lengths;
}

async function assertAgrees(plan: Plan, seed: number, label = ''): Promise<void> {
  const { program, inputs, results } = record(plan);
  const random = new Random(seed);
  const values = inputs.map(({ length, tensor }) => {
    const low = tensor.name === 'initial gates' && plan.direction === 'backward' ? 0 : -1;
    return Array.from({ length }, () => Math.fround(low + (1 - low) * random.uniform()));
  });
  const run = async (engine: Engine, replays: readonly (readonly number[][])[]) => {
    const executable = engine.prepare(program);
    for (const contents of replays) {
      inputs.forEach((input, i) => {
        engine.write(input, contents[i]!);
      });
      await executable.run();
    }
    return Promise.all(results.map((result: Matrix) => engine.read(result)));
  };
  const expected = await run(new ReferenceEngine(), [values]);
  // What the first replay leaves in temporaries, the second must not see.
  const nothing = values.map((content) => content.map(() => Number.NaN));
  const actual = await run(gpu, [nothing, values]);
  for (const [r, numbers] of expected.entries()) {
    const largest = Math.max(1, ...Array.from(numbers, Math.abs));
    for (const [i, number] of numbers.entries()) {
      const value = actual[r]![i]!;
      if (Math.abs(value - number) <= TOLERANCE * largest) continue;
      assert.fail(`${label} ${results[r]!.tensor.name}[${i}] is ${value}, must be ${number}`);
    }
  }
}

const every = (change: Partial<Step>) => (plan: Plan) => withSteps(plan, () => change);
const at = (when: number, change: Partial<Step>) => (plan: Plan) =>
  withSteps(plan, (_, s) => (s === when ? change : {}));
const from = (when: number, change: Partial<Step>) => (plan: Plan) =>
  withSteps(plan, (_, s) => (s >= when ? change : {}));
const single = (plan: Plan) => ({ ...plan, steps: plan.steps.slice(0, 1) });
/** Puts blocks elsewhere. */
const moved = (plan: Plan, move: (block: number, role: Role, s: number) => number) =>
  withSteps(plan, ({ places }, s) => ({
    places: Object.fromEntries(
      Object.entries(places).map(([role, block]) => [role, move(block, role as Role, s)]),
    ) as Step['places'],
  }));

/** Irregular programs: what differs from the regular one of five steps. */
const VARIANTS: Readonly<Record<string, (plan: Plan) => Plan>> = {
  'there is a single step': single,
  'the layer is wide, and no whole number of turns of a loop': (plan) => ({ ...plan, H: 37, K: 37 }),
  'the sums are read afterwards': (plan) => ({ ...plan, outputs: WRITTEN[plan.cell][plan.direction] }),
  'the weights are others from the third step on': from(2, { weights: 1 }),
  'the weights are others at the third step': at(2, { weights: 1 }),
  'the weights change before the third step': at(2, { interruption: 'weights' }),
  'the bias is another from the third step on': from(2, { bias: 1 }),
  'no product has a bias': every({ bias: 'none' }),
  'all products have a bias': every({ bias: 0 }),
  'the third product alone has no bias': at(2, { bias: 'none' }),
  'the third product alone has a bias': (plan) => withSteps(plan, (_, s) => ({ bias: s === 2 ? 0 : 'none' })),
  'the activation is another from the third step on': from(2, { activation: 'relu' }),
  'every activation is relu': every({ activation: 'relu' }),
  'there is no product': every({ factor: 'none' }),
  'the third product is missing': at(2, { factor: 'none' }),
  'the first product is missing': at(0, { factor: 'none' }),
  'the last product is missing': at(4, { factor: 'none' }),
  'the products do the opposite of accumulating': (plan) =>
    withSteps(plan, ({ accumulate }) => ({ accumulate: !accumulate })),
  'the third product alone does the opposite of accumulating': (plan) =>
    withSteps(plan, ({ accumulate }, s) => ({ accumulate: s === 2 ? !accumulate : accumulate })),
  'the third product is of something else': at(2, { factor: 'other' }),
  'all products are of something else': every({ factor: 'other' }),
  'all products are of something wider': (plan) => every({ factor: 'other' })({ ...plan, K: plan.H + 2 }),
  'a single product is of something narrower': (plan) =>
    every({ factor: 'other' })({ ...single(plan), K: 1 }),
  'the right factors are transposed where they usually are not': every({ transposes: 'b' }),
  'the left factors are transposed': ({ cell, direction }) => {
    const width = direction === 'forward' ? 1 : { rnn: 1, lstm: 4, gru: 3 }[cell];
    return every({ transposes: 'a' })(regular(cell, direction, 3, 2 * width, 2));
  },
  'the state is changed before the third product': at(2, { interruption: 'change' }),
  'the state is read before the third product': at(2, { interruption: 'reading' }),
  'the third product is changed before the cell reads it': at(2, { scaled: true }),
  'the steps go against the order of the blocks': (plan) => moved(plan, (block) => 5 - block),
  'there are gaps between the blocks': (plan) => moved(plan, (block) => 2 * block),
  'one block of each sequence is elsewhere': (plan) => moved(plan, (block) => (block === 2 ? 8 : block)),
  'the blocks take turns': (plan) => moved(plan, (block) => block % 2),
  'there are gaps between the blocks of the gates': (plan) =>
    moved(plan, (block, role) => (/gates|gradients|product/i.test(role) ? 2 * block : block)),
  'all steps have the same gates': (plan) =>
    moved(plan, (block, role) => (/gates|gradients/i.test(role) ? 0 : block)),
  'a single step replaces the hidden state': (plan) =>
    moved(single(plan), (block, role) => (role === 'hidden' && plan.cell !== 'gru' ? 0 : block)),
  'the gradients take the places of the gates': (plan) => ({ ...plan, inPlace: true }),
};

for (const cell of CELLS) {
  for (const direction of DIRECTIONS) {
    describe(`${cell} steps, ${direction}`, () => {
      const plan = regular(cell, direction, 5, 3, 5);

      it('when they are those of a layer then they are one chain, of any length, with the numbers of the reference', async () => {
        for (const T of [1, 2, 5, 6]) {
          for (const [B, H] of [
            [1, 4],
            [3, 5],
          ] as const) {
            const one = regular(cell, direction, T, B, H);
            assert.deepEqual(chainLengths(one), [T]);
            await assertAgrees(one, T);
          }
        }
      });

      it('when only some of the results are read then those are right', async () => {
        const names = WRITTEN[cell][direction];
        for (let set = 1; set < 2 ** names.length; set++) {
          const outputs = names.filter((_, i) => (set >> i) & 1);
          for (const inPlace of [false, true]) {
            await assertAgrees({ ...plan, outputs, inPlace }, set, `${outputs} in place: ${inPlace}:`);
          }
        }
      });

      for (const [title, change] of Object.entries(VARIANTS)) {
        it(`when ${title} then the numbers are the reference's`, () => assertAgrees(change(plan), 7));
      }

      for (const role of USED[cell][direction]) {
        it(`when a block is elsewhere in some steps then the numbers are the reference's: ${role}`, async () => {
          for (const [where, chosen] of Object.entries({
            'in the first step': (s: number) => s === 0,
            'in the third step': (s: number) => s === 2,
            'from the third step on': (s: number) => s >= 2,
            'in the last step': (s: number) => s === 4,
            'in all steps': () => true,
          })) {
            // Alone, and together with what the product reads or writes.
            for (const partner of [role, 'factor', 'product']) {
              const elsewhere = moved(plan, (block, of, s) =>
                (of === role || of === partner) && chosen(s) ? block + 6 : block,
              );
              await assertAgrees(elsewhere, 7, `${where}, with ${partner}:`);
            }
          }
        });
      }
    });
  }
}

/** A regular plan with some things changed, now and then. */
function randomPlan(random: Random): Plan {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const T = 1 + random.integer(5);
  const [cell, direction] = [pick(CELLS), pick(DIRECTIONS)];
  const plan = regular(cell, direction, T, 1 + random.integer(3), pick([2, 5]));
  const mutations: readonly ((step: Step) => Partial<Step>)[] = [
    () => ({ weights: 1 }),
    () => ({ bias: pick([0, 1, 'none']) }),
    () => ({ activation: 'relu' }),
    () => ({ factor: pick(['other', 'none']) }),
    () => ({ accumulate: pick([true, false]) }),
    () => ({ transposes: 'b' }),
    () => ({ interruption: pick(['weights', 'change', 'reading']) }),
    () => ({ scaled: true }),
    ({ places }) => ({ places: { ...places, [pick(USED[cell][direction])]: random.integer(T + 2) } }),
  ];
  const steps = plan.steps.map((step) => {
    const mutated = random.integer(5) === 0 ? { ...step, ...pick(mutations)(step) } : step;
    const { hidden, previousHidden, cell, previousCell, hiddenGradient, previousHiddenGradient } =
      mutated.places;
    // What operations forbid.
    const clash =
      hidden === previousHidden || cell === previousCell || hiddenGradient === previousHiddenGradient;
    return clash ? step : mutated;
  });
  const outputs = WRITTEN[cell][direction].filter(() => random.integer(3) > 0);
  return { ...plan, K: pick([1, plan.H]), steps, outputs, inPlace: random.integer(2) === 1 };
}

describe('cell steps with random irregularities', () => {
  it("have the reference's numbers", async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await assertAgrees(randomPlan(new Random(seed)), seed, `seed ${seed}:`);
    }
  });
});
