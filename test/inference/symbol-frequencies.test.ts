import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CharloomError } from '../../src/errors.ts';
import { portableExp, SymbolFrequencies } from '../../src/inference/symbol-frequencies.ts';
import { Random } from '../../src/random.ts';

const { TOTAL } = SymbolFrequencies;

function frequenciesOf(logits: ArrayLike<number>): number[] {
  const frequencies = new SymbolFrequencies(logits.length);
  frequencies.set(logits);
  return Array.from(logits, (_, id) => frequencies.of(id));
}

/** Logits as a model's: float32, of any size, some of them equal, some impossible. */
const anyLogits = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.float({ min: -30, max: 30, noNaN: true }) },
      { weight: 1, arbitrary: fc.float({ noDefaultInfinity: true, noNaN: true }) },
      { weight: 1, arbitrary: fc.constantFrom(0, -0, -Infinity) },
    ),
    { minLength: 2, maxLength: 60 },
  )
  .filter((logits) => logits.some(Number.isFinite));

describe('portableExp', () => {
  it('when x is 0 or below then it is e to the power of x, but for 10⁻¹²', () => {
    const random = new Random(3);
    for (let i = 0; i < 200_000; i++) {
      const x = i < 1000 ? -i / 1000 : -44 * random.uniform();
      assert.ok(Math.abs(portableExp(x) / Math.exp(x) - 1) < 1e-12, `${x}`);
    }
    assert.equal(portableExp(0), 1);
    assert.equal(portableExp(-0), 1);
  });

  it('when x becomes smaller, by no more than a float32 can show, then so does the result, down to 0', () => {
    const float = new Float32Array(1);
    const bits = new Int32Array(float.buffer);
    float[0] = -1e-6;
    let previous = 1;
    // At the borders of k ln 2, too, where the polynomial changes sides.
    for (; float[0]! > -50; bits[0]! += 997) {
      const value = portableExp(float[0]!);
      assert.ok(value <= previous && value >= 0, `${float[0]}`);
      previous = value;
    }
    for (const x of [-45, -1e3, -1e300, -Infinity]) assert.equal(portableExp(x), 0);
    assert.ok(Number.isNaN(portableExp(Number.NaN)));
  });
});

describe('SymbolFrequencies', () => {
  it('when logits are given then every symbol has 1 at least, and all together the total', () => {
    fc.assert(
      fc.property(anyLogits, (logits) => {
        const frequencies = frequenciesOf(logits);
        assert.ok(frequencies.every((frequency) => Number.isInteger(frequency) && frequency >= 1));
        assert.equal(
          frequencies.reduce((a, b) => a + b),
          TOTAL,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('when a symbol is likelier than another then its frequency is not lower', () => {
    fc.assert(
      fc.property(anyLogits, (logits) => {
        const frequencies = frequenciesOf(logits);
        const order = [...logits.keys()].sort((a, b) => logits[a]! - logits[b]!);
        for (let i = 1; i < order.length; i++) {
          const [less, more] = [order[i - 1]!, order[i]!];
          if (logits[less]! < logits[more]!) assert.ok(frequencies[less]! <= frequencies[more]!);
        }
      }),
    );
  });

  it('when a position is looked up then it is in the part of its symbol, and every part is found', () => {
    fc.assert(
      fc.property(anyLogits, fc.nat(TOTAL - 1), (logits, position) => {
        const frequencies = new SymbolFrequencies(logits.length);
        frequencies.set(logits);
        const found = frequencies.at(position);
        assert.ok(position >= found.start && position < found.start + frequencies.of(found.id));
        for (let id = 0; id < logits.length; id++) {
          const start = frequencies.startOf(id);
          assert.deepEqual(frequencies.at(start), { id, start });
          assert.deepEqual(frequencies.at(start + frequencies.of(id) - 1), { id, start });
        }
      }),
    );
  });

  for (const V of [2, 100, 5000, 50_000]) {
    it(`when there are ${V} symbols then rounding costs less than a ten thousandth of the entropy`, () => {
      const random = new Random(V);
      const logits = Float32Array.from({ length: V }, () => 3 * random.normal());
      const frequencies = frequenciesOf(logits);
      const sum = logits.reduce((total, x) => total + Math.exp(x), 0);
      let entropy = 0;
      let cost = 0;
      for (let id = 0; id < V; id++) {
        const p = Math.exp(logits[id]!) / sum;
        entropy -= p * Math.log2(p);
        cost -= p * Math.log2(frequencies[id]! / TOTAL);
      }
      assert.ok(cost >= entropy - 1e-9 && cost < entropy * 1.0001, `${cost / entropy - 1}`);
    });
  }

  it('when a symbol is asked for its loss then it is −ln softmax', () => {
    const logits = [0.5, -100, 2, 3.25];
    const frequencies = new SymbolFrequencies(4);
    frequencies.set(logits);
    const sum = logits.reduce((total, x) => total + Math.exp(x), 0);
    for (const [id, x] of logits.entries()) {
      assert.ok(Math.abs(frequencies.lossOf(id) - (Math.log(sum) - x)) < 1e-11);
    }
  });

  it('when the arithmetic changes by a bit then this fails: files that were written before could not be read', () => {
    const random = new Random(1);
    const frequencies = new SymbolFrequencies(300);
    const hash = createHash('sha256');
    for (let i = 0; i < 200; i++) {
      frequencies.set(Float32Array.from({ length: 300 }, () => 40 * random.uniform() - 20));
      hash.update(frequencies.toString());
    }
    assert.equal(hash.digest('hex').slice(0, 16), '376b29d087312bb4');
  });

  for (const logits of [
    [Number.NaN, 1],
    [1, Number.NaN],
    [1, Infinity],
    [-Infinity, -Infinity],
  ] as const) {
    it(`when the logits are ${logits} then the model has diverged`, () => {
      assert.throws(
        () => frequenciesOf(logits),
        (error) => error instanceof CharloomError && error.code === 'DIVERGED',
      );
    });
  }
});
