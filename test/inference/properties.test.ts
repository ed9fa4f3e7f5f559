/** What holds for every distribution to draw from, and how often which symbol is drawn. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { declare, type Engine } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Distribution, draw } from '../../src/inference/distribution.ts';
import { Sampler } from '../../src/inference/sampler.ts';
import type { SamplingOptions } from '../../src/inference/sampling-options.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';

// What the failed assertion said belongs into the report, where the seed and the counterexample are; and looking
// for a smaller one has to end.
fc.configureGlobal({ includeErrorInReport: true, interruptAfterTimeLimit: 20_000 });

/** Where two ways of rounding may decide differently whether a sum reaches a bound. */
const ROUNDING = 1e-12;
const ALL: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };

interface Case {
  readonly logits: readonly number[];
  readonly banned: number;
  readonly options: SamplingOptions;
}

const anySize = fc.integer({ min: 2, max: 40 });

/** Logits of models, with many that are equal, and of any size there is. */
const logitsOf = (size: number) => {
  const lengths = { minLength: size, maxLength: size };
  return fc.oneof(
    fc.array(fc.double({ min: -20, max: 20, noNaN: true }), lengths),
    fc.array(fc.integer({ min: -3, max: 3 }), lengths),
    fc.array(fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.constant(-Infinity)), lengths),
  );
};

const share = fc.double({ min: 0, max: 1, noNaN: true });
const anyOptions: fc.Arbitrary<SamplingOptions> = fc.record({
  temperature: fc.oneof(
    { weight: 3, arbitrary: fc.double({ min: 0.05, max: 5, noNaN: true }) },
    fc.constantFrom(1, Number.MIN_VALUE, 1e-3, 1e6),
  ),
  topK: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 45 })),
  topP: fc.oneof(fc.constant(1), share, fc.constantFrom(Number.MIN_VALUE, 0.5, 1 - 2 ** -53)),
  minP: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, share),
});

/** One that may be drawn has a finite logit. */
const anyCase: fc.Arbitrary<Case> = anySize.chain((size) =>
  fc
    .record({ logits: logitsOf(size), banned: fc.nat(size - 1), options: anyOptions })
    .filter(({ logits, banned }) => logits.some((x, id) => id !== banned && x > -Infinity)),
);

function distributionOf({ logits, banned, options }: Case): Float64Array {
  const distribution = new Distribution(logits.length, banned);
  distribution.set(logits, options);
  return distribution.probabilities;
}

const sum = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
/** The smallest first: what rounding takes away is least then. */
const preciseSum = (values: Iterable<number>) => sum(Float64Array.from(values).sort());

/** e to the power of each logit over the temperature, as a share of the greatest; 0 for the banned symbol. */
function weightsOf({ logits, banned, options }: Case): number[] {
  const best = Math.max(...logits.filter((_, id) => id !== banned));
  return logits.map((x, id) => (id === banned ? 0 : Math.exp((x - best) / options.temperature)));
}

/** Symbols, the likeliest first; of equally likely ones those that come first. Impossible ones are left out. */
const ranked = (weights: readonly number[]) =>
  [...weights.keys()].filter((id) => weights[id]! > 0).sort((a, b) => weights[b]! - weights[a]! || a - b);

/** Smaller shares than this may be rounded to 0, and a symbol with them. */
const TINY = 1e-290;

/**
 * How many of the likeliest symbols the truncations keep, found by trying all numbers. Each keeps symbols that are
 * likelier than those it leaves out, so the strictest decides.
 * @param strictness share by which all bounds are stricter; where it is above 0, tiny weights count as none
 */
function keptCount(
  weights: readonly number[],
  { topK, topP, minP }: SamplingOptions,
  strictness: number,
): number {
  const order = ranked(weights)
    .map((id) => weights[id]!)
    .filter((weight) => weight > (strictness > 0 ? TINY : 0));
  const byK = Math.min(order.length, topK || order.length);
  const bound = topP * (1 - strictness) * preciseSum(order.slice(0, byK));
  let byP = 1;
  while (byP < byK && (topP === 1 || preciseSum(order.slice(0, byP)) < bound)) byP++;
  const byMinP = order.filter(
    (weight) => weight >= minP * (1 + strictness) + Math.sign(strictness) * TINY,
  ).length;
  return Math.max(1, Math.min(byP, byMinP));
}

describe('Distribution: for all logits and options', () => {
  it('it is the softmax over the temperature of the symbols it keeps, the banned one not among them', () => {
    fc.assert(
      fc.property(anyCase, (one) => {
        const p = distributionOf(one);
        assert.equal(p[one.banned], 0);
        assert.ok(Math.abs(sum(p) - 1) < ROUNDING, `the sum is ${sum(p)}`);
        const weights = weightsOf(one);
        const total = preciseSum(weights.filter((_, id) => p[id]! > 0));
        for (const [id, probability] of p.entries()) {
          if (probability === 0) continue;
          const error = Math.abs(probability - weights[id]! / total);
          assert.ok(error <= ROUNDING * probability + TINY, `symbol ${id}: ${probability}`);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('what is likelier is kept first; of equal symbols the first are, as likely as each other', () => {
    fc.assert(
      fc.property(anyCase, (one) => {
        const p = distributionOf(one);
        const weights = weightsOf(one);
        for (const [a, weight] of weights.entries()) {
          for (const [b, other] of weights.entries()) {
            if (weight > other * (1 + ROUNDING)) assert.ok(p[a]! >= p[b]!, `symbols ${a} and ${b}`);
            const equal = one.logits[a] === one.logits[b] && a !== one.banned && b !== one.banned;
            if (equal && a < b) assert.ok(p[a] === p[b] || p[b] === 0, `equal symbols ${a} and ${b}`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('top-k keeps k symbols, or all that are possible', () => {
    const k = fc.integer({ min: 1, max: 45 });
    fc.assert(
      fc.property(anyCase, k, (one, topK) => {
        const options = { ...ALL, temperature: one.options.temperature, topK };
        const p = distributionOf({ ...one, options });
        const weights = weightsOf({ ...one, options });
        const kept = p.filter((probability) => probability > 0).length;
        assert.ok(kept <= topK, `${kept} symbols`);
        const possible = weights.filter((weight) => weight > TINY).length;
        assert.ok(kept >= Math.min(topK, possible), `${kept} of ${possible} symbols`);
      }),
      { numRuns: 300 },
    );
  });

  it('top-p keeps symbols whose probabilities reach p, and without the last of them do not', () => {
    fc.assert(
      fc.property(anyCase, share, (one, topP) => {
        const options = { ...ALL, temperature: one.options.temperature, topP };
        const p = distributionOf({ ...one, options });
        const weights = weightsOf({ ...one, options });
        const mass = preciseSum(weights);
        const kept = weights.filter((_, id) => p[id]! > 0);
        assert.ok(preciseSum(kept) >= topP * mass * (1 - ROUNDING), 'they reach it');
        const least = Math.min(...kept);
        const others = kept.toSpliced(kept.indexOf(least), 1);
        if (others.length === 0) return;
        assert.ok(preciseSum(others) < topP * mass * (1 + ROUNDING), 'without the last they do not');
      }),
      { numRuns: 500 },
    );
  });

  it('of 2, 4, … 32 symbols alike, where no sum is rounded, top-p keeps exactly the share p', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(31), anySize, (bits, which, topK) => {
        const count = 2 ** bits;
        const kept = 1 + (which % count);
        const options = { ...ALL, topK: topK < count ? 0 : topK, topP: kept / count };
        const p = distributionOf({ logits: new Array(count + 1).fill(-7), banned: 1, options });
        assert.equal(p.filter((probability) => probability === 1 / kept).length, kept);
      }),
    );
  });

  it('min-p keeps the symbols that are p times as likely as the likeliest, and no others', () => {
    fc.assert(
      fc.property(anyCase, share, (one, minP) => {
        const options = { ...ALL, temperature: one.options.temperature, minP };
        const p = distributionOf({ ...one, options });
        for (const [id, weight] of weightsOf({ ...one, options }).entries()) {
          if (p[id]! > 0) assert.ok(weight >= minP * (1 - ROUNDING) - TINY, `${id} is kept`);
          else assert.ok(weight < minP * (1 + ROUNDING) + TINY, `${id} is left out`);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('together they keep as many symbols as are found by trying all numbers', () => {
    fc.assert(
      fc.property(anyCase, (one) => {
        const kept = distributionOf(one).filter((probability) => probability > 0).length;
        const weights = weightsOf(one);
        const [fewest, most] = [ROUNDING, -ROUNDING].map((strictness) =>
          keptCount(weights, one.options, strictness),
        );
        assert.ok(kept >= fewest! && kept <= most!, `${kept} symbols, not ${fewest} to ${most}`);
      }),
      { numRuns: 500 },
    );
  });

  it('at temperature 0 it is the likeliest symbol, the first of several, whatever the other options', () => {
    fc.assert(
      fc.property(anyCase, ({ logits, banned, options }) => {
        const p = distributionOf({ logits, banned, options: { ...options, temperature: 0 } });
        const allowed = logits.map((x, id) => (id === banned ? -Infinity : x));
        const likeliest = allowed.indexOf(Math.max(...allowed));
        assert.deepEqual(
          [...p.keys()].filter((id) => p[id] !== 0),
          [likeliest],
        );
        assert.equal(p[likeliest], 1);
      }),
    );
  });

  it('what stood in the object before, and around the logits in their array, is without effect', () => {
    fc.assert(
      fc.property(anyCase, anyOptions, fc.array(fc.double(), { maxLength: 3 }), (one, before, around) => {
        const { logits, banned, options } = one;
        const distribution = new Distribution(logits.length, banned);
        distribution.set(
          logits.toReversed().map((x) => Math.max(x, -1e300)),
          before,
        );
        distribution.set([...around, ...logits, ...around], options, around.length);
        assert.deepEqual(distribution.probabilities, distributionOf(one));
      }),
    );
  });

  it('logits of which one is not a number or infinite are refused as DIVERGED, wherever it is', () => {
    const bad = fc.constantFrom(Number.NaN, Infinity);
    fc.assert(
      fc.property(anyCase, fc.nat(), bad, (one, at, value) => {
        const logits = one.logits.with(at % one.logits.length, value);
        const refused = () => distributionOf({ ...one, logits });
        // The banned symbol is left out before anything is computed.
        if (at % logits.length === one.banned) assert.deepEqual(refused(), distributionOf(one));
        else assert.throws(refused, { code: 'DIVERGED' });
        assert.throws(() => distributionOf({ ...one, logits: logits.fill(-Infinity) }), { code: 'DIVERGED' });
      }),
    );
  });
});

/**
 * A bound that a chi-square variable with `degrees` of freedom exceeds with a probability below 1e-6: with
 * t = -ln 1e-6 it is d + 2√(d·t) + 2t (Laurent & Massart 2000, lemma 1), a little above the exact quantile for
 * every d. The seeds are fixed, so no test below fails by chance from one day to the next; the bound says how
 * small the chance was that a right program met seeds that fail. Nor can it hide much: beside each draw stands
 * a distribution a little different, which is refused by the same bound.
 */
function chiSquareBound(degrees: number): number {
  const t = -Math.log(1e-6);
  return degrees + 2 * Math.sqrt(degrees * t) + 2 * t;
}

/** Pearson's statistic, of cells that are all expected often enough for it (Cochran 1954: 5 times). */
function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const draws = sum(counts);
  let total = 0;
  for (const [cell, probability] of probabilities.entries()) {
    const expected = draws * probability;
    if (expected === 0) {
      if (counts[cell] !== 0) return Infinity;
      continue;
    }
    assert.ok(expected >= 5, `cell ${cell} is expected ${expected} times`);
    total += (counts[cell]! - expected) ** 2 / expected;
  }
  return total;
}

/** The exact probabilities, by the definitions. */
function exactly(one: Case): number[] {
  const weights = weightsOf(one);
  const kept = ranked(weights).slice(0, keptCount(weights, one.options, 0));
  const total = preciseSum(kept.map((id) => weights[id]!));
  return weights.map((weight, id) => (kept.includes(id) ? weight / total : 0));
}

const degreesOf = (probabilities: readonly number[]) => probabilities.filter((p) => p > 0).length - 1;

describe('drawing', () => {
  it('whatever number is drawn, the symbol is the one in whose part of [0, 1) it lies', () => {
    const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(anyCase, uniform, (one, u) => {
        const p = distributionOf(one);
        const id = draw(p, { uniform: () => u } as unknown as Random);
        const before = preciseSum(p.subarray(0, id));
        assert.ok(p[id]! > 0, `symbol ${id} has probability 0`);
        assert.ok(before <= u + ROUNDING && u < before + p[id]! + ROUNDING, `${u} is not in part ${id}`);
      }),
      { numRuns: 500 },
    );
  });

  const LOGITS = [1.5, -0.3, 2.2, 0, 0.9, -2, 2.1, 2.2, -1.2, 0.4];
  const optionSets: Partial<SamplingOptions>[] = [
    {},
    { temperature: 0.5 },
    { temperature: 3 },
    { topK: 4 },
    { topP: 0.9 },
    { minP: 0.2 },
    { temperature: 1.5, topK: 8, topP: 0.95, minP: 0.15 },
  ];
  for (const [seed, changes] of optionSets.entries()) {
    it(`with ${JSON.stringify(changes)} symbols are as frequent as the exact probabilities say`, () => {
      const one = { logits: LOGITS, banned: 6, options: { ...ALL, ...changes } };
      const p = distributionOf(one);
      const random = new Random(seed);
      const counts = LOGITS.map(() => 0);
      for (let n = 0; n < 200_000; n++) counts[draw(p, random)]!++;
      const exact = exactly(one);
      const bound = chiSquareBound(degreesOf(exact));
      const statistic = chiSquare(counts, exact);
      assert.ok(statistic < bound, `chi-square ${statistic} with ${degreesOf(exact)} degrees of freedom`);
      // A tenth more weight on one symbol, and the test would see it.
      const other = exactly({ ...one, logits: LOGITS.with(0, LOGITS[0]! + 0.1 * one.options.temperature) });
      assert.ok(chiSquare(counts, other) > bound, 'another distribution is told apart');
    });
  }
});

describe('the sampler', () => {
  it('draws pairs of symbols as often as the exact probabilities of the model say', async () => {
    const V = 5;
    const UNKNOWN = 4;
    const FIRST = 2;
    const STREAMS = 64;
    const options = { ...ALL, temperature: 0.8 };
    const engine: Engine = new ReferenceEngine();
    const model = new LanguageModel({
      cell: 'gru',
      activation: 'tanh',
      layers: 1,
      hidden: 6,
      embedding: 3,
      vocabulary: V,
      dropout: 0,
    });
    // Large weights: what was drawn first matters for what is drawn next.
    const random = new Random(11);
    engine.write(
      model.parameters,
      Float32Array.from({ length: model.layout.length }, () => random.normal()),
    );

    /** The exact probabilities of what follows these symbols, by a program of this test's own. */
    const after = async (ids: readonly number[]): Promise<number[]> => {
      const recorder = new Recorder('exact');
      const input = declare('ids', 'input', ids.length, 1, 'i32');
      const last = declare('last', 'state', 1, V);
      const { logits } = model.recordForward(recorder, { ids: input, state: model.declareState(1) });
      recorder.add('copy', { out: last, input: logits.slice(ids.length - 1, 1) });
      engine.write(input, Int32Array.from(ids));
      await engine.prepare(recorder.finish()).run();
      return exactly({ logits: [...(await engine.read(last))], banned: UNKNOWN, options });
    };
    const first = await after([FIRST]);
    const second: number[][] = [];
    for (let id = 0; id < V; id++) second.push(await after([FIRST, id]));
    const pairs = first.flatMap((p, a) => second[a]!.map((q) => p * q));

    const sampler = new Sampler(engine, model, UNKNOWN, STREAMS);
    const generators = Array.from({ length: STREAMS }, (_, stream) => new Random(1, stream));
    const counts = pairs.map(() => 0);
    for (let round = 0; round < 200; round++) {
      sampler.reset();
      const drawn: Int32Array[] = [];
      const start = new Int32Array(STREAMS).fill(FIRST);
      for await (const ids of sampler.sample(start, 2, options, generators)) drawn.push(ids.slice());
      for (let b = 0; b < STREAMS; b++) counts[drawn[0]![b]! * V + drawn[1]![b]!]!++;
    }
    const bound = chiSquareBound(degreesOf(pairs));
    const statistic = chiSquare(counts, pairs);
    assert.equal(degreesOf(pairs), (V - 1) ** 2 - 1);
    assert.ok(statistic < bound, `chi-square ${statistic}`);
    // If what was drawn were not read, the second symbol would not depend on it.
    const unread = first.flatMap((p) => first.map((q) => p * q));
    assert.ok(chiSquare(counts, unread) > bound, 'a sampler that does not read is told apart');
    await engine.close();
  });
});
