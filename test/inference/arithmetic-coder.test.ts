import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CharloomError } from '../../src/errors.ts';
import { ArithmeticDecoder, ArithmeticEncoder, MAX_TOTAL } from '../../src/inference/arithmetic-coder.ts';

/** A symbol as the coder sees it. */
interface Part {
  readonly start: number;
  readonly size: number;
  readonly total: number;
}

/** Any part of any total, with many that are nearly certain, nearly impossible, or at the edge. */
const anyPart: fc.Arbitrary<Part> = fc
  .oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: MAX_TOTAL }), fc.constant(MAX_TOTAL))
  .chain((total) =>
    fc
      .oneof(fc.integer({ min: 1, max: total }), fc.constantFrom(1, total))
      .chain((size) =>
        fc
          .oneof(fc.integer({ min: 0, max: total - size }), fc.constantFrom(0, total - size))
          .map((start) => ({ start, size, total })),
      ),
  );

function encode(parts: readonly Part[]): Uint8Array {
  const encoder = new ArithmeticEncoder();
  for (const { start, size, total } of parts) encoder.encode(start, size, total);
  return encoder.finish();
}

/** Decodes as many symbols as `parts`, each of which must be the one that it is. */
function check(bytes: Uint8Array, parts: readonly Part[]): void {
  const decoder = new ArithmeticDecoder(bytes, 'x');
  for (const { start, size, total } of parts) {
    const found = decoder.find(total);
    assert.ok(found >= start && found < start + size, `${found} of ${total}: not in ${start} + ${size}`);
    decoder.remove(start, size);
  }
  decoder.finish();
}

const idealBits = (parts: readonly Part[]): number =>
  parts.reduce((bits, { size, total }) => bits - Math.log2(size / total), 0);

const damaged = (error: unknown): boolean => error instanceof CharloomError && error.code === 'BAD_DATA';

describe('arithmetic coding', () => {
  it('when any symbols are encoded then the same ones come back, in at most two bytes more than they must take', () => {
    fc.assert(
      fc.property(fc.array(anyPart, { maxLength: 400 }), (parts) => {
        const bytes = encode(parts);
        check(bytes, parts);
        assert.ok(bytes.length <= idealBits(parts) / 8 + 2, `${bytes.length}, ideal ${idealBits(parts) / 8}`);
      }),
      { numRuns: 400 },
    );
  });

  it('when bytes are encoded as equally likely then they are what is written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (values) => {
        const bytes = encode(Array.from(values, (start) => ({ start, size: 1, total: 256 })));
        assert.deepEqual(Buffer.from(bytes), Buffer.from(values).subarray(0, bytes.length));
        assert.ok(values.subarray(bytes.length).every((value) => value === 0));
      }),
    );
  });

  it('when a carry runs through many bytes then none is lost', () => {
    // Ever the last of three: 0.222… in base 3 is just below 1, written as bytes of 255; then one step over.
    const last = { start: 2, size: 1, total: 3 };
    for (let n = 1; n < 200; n++) {
      const parts = [{ start: 0, size: 2, total: 4 }, ...Array<Part>(n).fill(last)];
      check(encode(parts), parts);
      const over = [...parts, { start: MAX_TOTAL - 1, size: 1, total: MAX_TOTAL }];
      check(encode(over), over);
    }
  });

  it('when a million symbols are as good as certain then they take next to nothing', () => {
    const parts = Array<Part>(1_000_000).fill({ start: 1, size: MAX_TOTAL - 1, total: MAX_TOTAL });
    const bytes = encode(parts);
    check(bytes, parts);
    assert.ok(bytes.length <= 20, `${bytes.length}`); // 12 bits of the rounding: 2⁻¹² of a bit each at most
  });

  it('when a symbol is certain or nothing is encoded then that takes no bytes', () => {
    assert.equal(encode([]).length, 0);
    assert.equal(encode(Array<Part>(100).fill({ start: 0, size: 7, total: 7 })).length, 0);
  });
});

describe('decoding what no encoder wrote', () => {
  it('when bytes are missing then that is found within the window', () => {
    const parts = Array.from({ length: 100 }, (_, i) => ({ start: (i * 37) % 256, size: 1, total: 256 }));
    const bytes = encode(parts);
    for (let length = 0; length < bytes.length - 6; length++) {
      const decoder = new ArithmeticDecoder(bytes.subarray(0, length), 'short');
      assert.throws(() => {
        for (const _ of parts) decoder.remove(decoder.find(256), 1);
      }, damaged);
    }
  });

  it('when there are bytes too many then that is found at the end', () => {
    const parts = [{ start: 1, size: 1, total: 2 }];
    assert.throws(() => check(Buffer.concat([encode(parts), Buffer.alloc(7)]), parts), damaged);
  });

  it('when the bytes are anything then every step gives a symbol of the total, or they are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(anyPart, { maxLength: 200 }), (bytes, parts) => {
        try {
          const decoder = new ArithmeticDecoder(bytes, 'x');
          for (const { size, total } of parts) {
            const found = decoder.find(total);
            assert.ok(Number.isInteger(found) && found >= 0 && found < total, `${found} of ${total}`);
            const start = found - (found % size);
            decoder.remove(start, Math.min(size, total - start));
          }
        } catch (error) {
          if (!damaged(error)) throw error;
        }
      }),
      { numRuns: 400 },
    );
  });
});
