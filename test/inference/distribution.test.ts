import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Distribution, draw } from '../../src/inference/distribution.ts';
import type { SamplingOptions } from '../../src/inference/sampling-options.ts';
import { Random } from '../../src/random.ts';

const ALL: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const LOGITS = [1.5, -0.3, 2.2, 0, 0.9, -4, 2.1];
const BANNED = 6;

function distribution(logits: readonly number[], options: SamplingOptions, banned: number): Float64Array {
  const distribution = new Distribution(logits.length, banned);
  distribution.set(logits, options);
  return distribution.probabilities;
}

/** The same by sorting everything, in the plainest words. */
function plainly(logits: readonly number[], options: SamplingOptions, banned: number): Float64Array {
  const { temperature, topK, topP, minP } = options;
  const normalised = (x: Float64Array): Float64Array => {
    const total = x.reduce((a, b) => a + b, 0);
    return x.map((one) => one / total);
  };
  const best = Math.max(...logits.filter((_, id) => id !== banned));
  let p = normalised(
    Float64Array.from(logits, (x, id) => (id === banned ? 0 : Math.exp((x - best) / temperature))),
  );
  const order = [...p.keys()].sort((a, b) => p[b]! - p[a]! || a - b).slice(0, topK || undefined);
  let kept = order;
  if (topP < 1) {
    const mass = order.reduce((total, id) => total + p[id]!, 0);
    let reached = 0;
    kept = order.filter((id, rank) => {
      const keep = rank === 0 || reached < topP * mass;
      reached += p[id]!;
      return keep;
    });
  }
  p = p.map((x, id) => (kept.includes(id) ? x : 0));
  const least = minP * Math.max(...p);
  return normalised(p.map((x) => (x < least ? 0 : x)));
}

const sum = (p: ArrayLike<number>): number => Array.from(p).reduce((a, b) => a + b, 0);
/** Softmax of the logits without the banned one, computed plainly. */
const softmax = (temperature: number): number[] => {
  const weights = LOGITS.map((x, id) => (id === BANNED ? 0 : Math.exp(x / temperature)));
  return weights.map((x) => x / sum(weights));
};
const kept = (options: Partial<SamplingOptions>): number[] =>
  [...distribution(LOGITS, { ...ALL, ...options }, BANNED).entries()]
    .filter(([, p]) => p > 0)
    .map(([id]) => id);

describe('the distribution to draw from', () => {
  it('is the softmax of the logits over the temperature, without the banned symbol', () => {
    for (const temperature of [0.3, 1, 2.5]) {
      const p = distribution(LOGITS, { ...ALL, temperature }, BANNED);
      for (const [id, expected] of softmax(temperature).entries()) {
        assert.ok(Math.abs(p[id]! - expected) < 1e-15, `symbol ${id}`);
      }
    }
  });

  it('sums to 1 whatever the options, also for extreme logits', () => {
    const random = new Random(1);
    for (let n = 0; n < 500; n++) {
      const size = 2 + random.integer(40);
      const scale = 10 ** random.integer(4);
      const logits = Array.from({ length: size }, () => scale * random.normal());
      const options = {
        temperature: 0.1 + 2 * random.uniform(),
        topK: random.integer(size + 3),
        topP: 1 - random.uniform(),
        minP: random.uniform(),
      };
      const p = distribution(logits, options, random.integer(size));
      assert.ok(Math.abs(sum(p) - 1) < 1e-12, JSON.stringify(options));
      assert.ok(p.every((x) => x >= 0));
    }
  });

  it('is bit for bit what sorting everything gives, ties included, in one object for all texts', () => {
    const random = new Random(2);
    for (let n = 0; n < 2000; n++) {
      const size = 2 + random.integer(70);
      // Few different values: many symbols are equally likely.
      const levels = 2 + random.integer(8);
      const text = (): number[] =>
        Array.from({ length: size }, () => (n % 2 ? random.integer(levels) : 3 * random.normal()));
      const options = {
        temperature: 0.3 + random.uniform(),
        topK: random.integer(3) ? 0 : random.integer(size + 3),
        topP: random.integer(3) ? 1 - random.uniform() : 1,
        minP: random.integer(3) ? 0 : random.uniform(),
      };
      const banned = random.integer(size);
      const object = new Distribution(size, banned);
      for (const logits of [text(), text()]) {
        object.set([0, 0, ...logits], options, 2);
        assert.deepEqual(object.probabilities, plainly(logits, options, banned), JSON.stringify(options));
      }
    }
  });

  it('has the likeliest symbol alone at temperature 0', () => {
    assert.deepEqual(kept({ temperature: 0 }), [2]);
  });

  it('keeps the k likeliest symbols with top-k', () => {
    assert.deepEqual(kept({ topK: 3 }), [0, 2, 4]);
    assert.deepEqual(kept({ topK: 1 }), [2]);
    assert.equal(kept({ topK: 99 }).length, 6);
  });

  it('keeps the fewest symbols that reach p with top-p, at least one', () => {
    const ordered = softmax(1).toSorted((a, b) => b - a);
    assert.deepEqual(kept({ topP: ordered[0]! + 1e-9 }), [0, 2]);
    assert.deepEqual(kept({ topP: ordered[0]! - 1e-9 }), [2]);
    assert.deepEqual(kept({ topP: 1e-9 }), [2]);
  });

  it('measures top-p on what top-k left', () => {
    const [first, second] = softmax(1).toSorted((a, b) => b - a);
    const share = first! / (first! + second!);
    assert.deepEqual(kept({ topK: 2, topP: share - 1e-9 }), [2]);
    assert.deepEqual(kept({ topK: 2, topP: share + 1e-9 }), [0, 2]);
  });

  it('leaves out what is less than min-p times as likely as the likeliest', () => {
    const ratio = Math.exp(LOGITS[4]! - LOGITS[2]!);
    assert.deepEqual(kept({ minP: ratio - 1e-9 }), [0, 2, 4]);
    assert.deepEqual(kept({ minP: ratio + 1e-9 }), [0, 2]);
  });

  it('refuses logits that are not finite', () => {
    assert.throws(() => distribution([Number.NaN, 1], ALL, 1), { code: 'DIVERGED' });
  });
});

describe('drawing', () => {
  it('meets the exact probabilities: chi-square of 100,000 draws', () => {
    const p = distribution(LOGITS, { ...ALL, topP: 0.98 }, BANNED);
    const random = new Random(7);
    const draws = 100_000;
    const counts = new Array<number>(p.length).fill(0);
    for (let n = 0; n < draws; n++) counts[draw(p, random)]!++;
    let chiSquare = 0;
    let symbols = 0;
    for (const [id, probability] of p.entries()) {
      if (probability === 0) {
        assert.equal(counts[id], 0, `symbol ${id} has probability 0`);
        continue;
      }
      symbols++;
      chiSquare += (counts[id]! - draws * probability) ** 2 / (draws * probability);
    }
    // 0.999 quantile of chi-square with 4 degrees of freedom.
    assert.equal(symbols, 5);
    assert.ok(chiSquare < 18.47, `chi-square ${chiSquare}`);
  });

  it('never draws a symbol of probability 0, even when rounding leaves a rest', () => {
    const p = Float64Array.from([0.1, 0.2, 0.7 - 1e-10, 0]);
    const almostOne = { uniform: () => 1 - 2 ** -53 } as unknown as Random;
    assert.equal(draw(p, almostOne), 2);
  });
});
