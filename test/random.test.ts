import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../src/errors.ts';
import { MAX_SEED, Random } from '../src/random.ts';

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.nextUint32());

describe('Random: known answers', () => {
  it('when started from state 1, 2, 3, 4 then it gives the outputs of the reference xoshiro128starstar.c 1.1', () => {
    assert.deepEqual(
      draw(Random.fromState([1, 2, 3, 4]), 20),
      [
        11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
        337829053, 2142557243, 3576906021, 2006103318, 3870238204, 1001584594, 3804789018, 2299676403,
        3571406116, 2962224741,
      ],
    );
  });

  // Made with a C program of splitmix32 in front of the reference code.
  const seeded = [
    { seed: 0, state: [1684164658, 3653269916, 2939563536, 2141751570], first: [1789933344, 44971166] },
    { seed: 1, state: [1580013426, 350525680, 3524174333, 3011703609], first: [393288148, 2174103013] },
    { seed: 42, state: [551831576, 144025891, 322543647, 3034809370], first: [660444221, 3652823732] },
    {
      seed: MAX_SEED,
      state: [3950124170, 4293442868, 1302505678, 2762329221],
      first: [4104197751, 1825856343],
    },
  ];
  for (const { seed, state, first } of seeded) {
    it(`when seeded with ${seed} then the state is the splitmix32 sequence of the seed`, () => {
      const random = new Random(seed);
      assert.deepEqual([...random.state], state);
      assert.deepEqual(draw(random, 2), first);
    });
  }
});

describe('Random: state', () => {
  it('when restored from a saved state then it goes on with the same numbers, whatever was drawn before', () => {
    const random = new Random(7);
    random.normal();
    random.integer(10);
    random.uniform();
    const restored = Random.fromState(random.state);
    for (let i = 0; i < 100; i++) {
      assert.equal(restored.normal(), random.normal());
      assert.equal(restored.uniform(), random.uniform());
      assert.equal(restored.integer(1000), random.integer(1000));
    }
  });

  it('when the returned state is changed then the generator is not', () => {
    const random = new Random(7);
    random.state.fill(0);
    assert.deepEqual(draw(random, 3), draw(new Random(7), 3));
  });

  it('when the stream differs then so does the sequence', () => {
    const firsts = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      for (let stream = 0; stream < 50; stream++) firsts.add(new Random(seed, stream).nextUint32());
    }
    assert.equal(firsts.size, 2500);
  });

  const notStates = [
    [],
    [1, 2, 3],
    [1, 2, 3, 4, 5],
    [0, 0, 0, 0],
    [1, 2, 3, -1],
    [1, 2, 3, 2 ** 32],
    [1, 2, 3, 0.5],
    [1, 2, 3, NaN],
  ];
  for (const words of notStates) {
    it(`when the state is [${words}] then it is refused as bad data`, () => {
      assert.throws(
        () => Random.fromState(words),
        (error) => error instanceof CharloomError && error.code === 'BAD_DATA',
      );
    });
  }

  it('when the seed is not a 32-bit unsigned integer then a RangeError says so', () => {
    for (const seed of [-1, 0.5, NaN, Infinity, 2 ** 32]) {
      assert.throws(() => new Random(seed), RangeError);
      assert.throws(() => new Random(0, seed), RangeError);
    }
  });
});

describe('Random: distributions', () => {
  it('when uniform numbers are drawn then they fill [0, 1) evenly with 53 bits', () => {
    const random = new Random(1);
    const buckets = new Array<number>(20).fill(0);
    const count = 100_000;
    let sum = 0;
    let usesLowBits = false;
    for (let i = 0; i < count; i++) {
      const u = random.uniform();
      assert.ok(u >= 0 && u < 1);
      usesLowBits ||= (u * 2 ** 32) % 1 !== 0;
      buckets[Math.floor(u * 20)]!++;
      sum += u;
    }
    assert.ok(usesLowBits);
    assert.ok(Math.abs(sum / count - 0.5) < 0.005);
    // Chi-squared with 19 degrees of freedom: 43.8 has probability 0.001.
    const chiSquared = buckets.reduce((total, n) => total + (n - count / 20) ** 2 / (count / 20), 0);
    assert.ok(chiSquared < 43.8, `chi-squared ${chiSquared}`);
  });

  it('when normal numbers are drawn then mean, variance, skewness and kurtosis are those of N(0, 1)', () => {
    const random = new Random(2);
    const count = 200_000;
    const moments = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const x = random.normal();
      for (let p = 0; p < 4; p++) moments[p]! += x ** (p + 1) / count;
    }
    for (const [p, expected] of [0, 1, 0, 3].entries()) {
      assert.ok(Math.abs(moments[p]! - expected) < 0.06, `moment ${p + 1} is ${moments[p]}`);
    }
  });

  it('when integers below n are drawn then every one is as likely, also where 2³² is no multiple of n', () => {
    // With `draw % n` the lower half of [0, 3·2³⁰) would be drawn twice as often in its first third.
    const n = 3 * 2 ** 30;
    const random = new Random(3);
    const thirds = [0, 0, 0];
    for (let i = 0; i < 30_000; i++) thirds[Math.floor((random.integer(n) / n) * 3)]!++;
    for (const third of thirds) assert.ok(Math.abs(third - 10_000) < 400, `${thirds}`);
    assert.equal(random.integer(1), 0);
    assert.ok(random.integer(2 ** 32) < 2 ** 32);
    for (const bad of [0, -1, 1.5, NaN, 2 ** 32 + 1]) assert.throws(() => random.integer(bad), RangeError);
  });
});
