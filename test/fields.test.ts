import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkFields, choice, integer, type Origin, shown } from '../src/fields.ts';

const origin: Origin = { code: 'BAD_DATA', field: (name) => `x.json: ${name}` };
const deep: unknown = JSON.parse(`${'['.repeat(1e5)}${']'.repeat(1e5)}`);

describe('checkFields', () => {
  it('when a value is wrong then the error names the field, the value and what it must be', () => {
    for (const [value, said] of [
      [0, '0'],
      [Number.POSITIVE_INFINITY, 'Infinity'],
      ['1', '"1"'],
      [null, 'null'],
      [[1], '\\[1\\]'],
    ] as const) {
      assert.throws(() => checkFields({ a: value }, { a: integer(1, 9) }, origin), {
        code: 'BAD_DATA',
        message: new RegExp(`^x\\.json: a is ${said}, must be an integer from 1 to 9$`),
      });
    }
    assert.throws(() => checkFields({}, { a: choice(['b']) }, origin), {
      message: 'x.json: a is missing, must be one of b',
    });
  });

  it('when a wrong value is longer than a line, or deeper than the stack, then the error is as short as any', () => {
    for (const value of ['x'.repeat(1e6), Array(1e5).fill(1), deep, { a: deep }]) {
      assert.throws(
        () => checkFields({ a: value }, { a: integer(1, 9) }, origin),
        ({ message }: Error) => message.length < 200 && /^x\.json: a is .+, must be an/.test(message),
      );
    }
  });
});

describe('shown', () => {
  it('when a value is cut short then that is seen', () => {
    assert.equal(shown('x'.repeat(78)), `"${'x'.repeat(78)}"`);
    assert.equal(shown('x'.repeat(79)), `"${'x'.repeat(79)}…`);
    assert.equal(shown(undefined), 'undefined');
  });
});
