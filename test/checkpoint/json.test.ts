import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseJsonObject, readJsonObject } from '../../src/checkpoint/json.ts';
import { readWholeFile } from '../../src/checkpoint/read-file.ts';
import { CharloomError, type ErrorCode } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'charloom-json-'));
after(() => rmSync(folder, { recursive: true }));

const parse = (text: string) => parseJsonObject(Buffer.from(text), 'config.json');
const code = (expected: ErrorCode, message: RegExp) => (error: unknown) =>
  error instanceof CharloomError && error.code === expected && message.test(error.message);

describe('parseJsonObject', () => {
  it('when it is an object then it is given', () => {
    assert.deepEqual(parse(' {"a": [1, {"b": null}], "b": "a"}\n'), { a: [1, { b: null }], b: 'a' });
  });

  it('when keys are equal in different objects, or values are like keys, then none is twice', () => {
    parse(
      '{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}], "c": "a", "d": "\\"a\\":", "e": "{", "f": ["a", "a"]}',
    );
  });

  it('when it is nested too deeply then it is refused, before a parser takes its memory for it', () => {
    const nested = (open: string, close: string, depth: number) =>
      `{"a":${open.repeat(depth - 1)}0${close.repeat(depth - 1)}}`;
    parse(nested('[', ']', 64));
    parse(nested('{"a":', '}', 64));
    parse(`{"a":"${'['.repeat(1000)}", "b\\"${'{'.repeat(1000)}":1}`); // in strings they are no brackets
    for (const text of [
      nested('[', ']', 65),
      nested('{"a":', '}', 65),
      '['.repeat(2 ** 24),
      `{"${'a":{"'.repeat(1e6)}`,
    ]) {
      const start = process.cpuUsage();
      assert.throws(() => parse(text), code('BAD_DATA', /^config\.json is nested too deeply$/));
      assert.ok(process.cpuUsage(start).user < 1e6, 'within a second');
    }
  });

  it('when a key is twice in one object, however deep and spelt, then it is refused', () => {
    for (const text of [
      '{"a":1,"a":2}',
      '{"a":1,"b":{},"a":2}',
      '{"x":[{"y":{"a":1,"a" \n : 2}}]}',
      '{"a":1,"\\u0061":2}',
      '{"a\\"":1,"a\\u0022":2}',
      '{"":1,"":2}',
      '{"a":"{","a":"}"}',
    ]) {
      assert.throws(() => parse(text), code('BAD_DATA', /^config\.json has the key ".*" twice$/), text);
    }
  });

  it('when it is no object, not JSON or not UTF-8 then it is refused', () => {
    for (const text of ['null', '1', '"a"', '[]', '[{}]']) {
      assert.throws(() => parse(text), code('BAD_DATA', /^config\.json is not a JSON object$/));
    }
    for (const text of ['', '{', "{'a':1}", '{"a":1,}', '{"a":NaN}', '\ufeff{}', '{"a":1}\0']) {
      assert.throws(() => parse(text), code('BAD_DATA', /^config\.json is not valid JSON/));
    }
    assert.throws(
      () => parse('{"a":1,}'),
      code('BAD_DATA', /^config\.json is not valid JSON at position 7$/),
    );
    assert.throws(
      () => parseJsonObject(Uint8Array.of(0x7b, 0xff, 0x7d), 'x'),
      code('BAD_DATA', /x is not valid UTF-8/),
    );
  });

  it('when the text is hostile then no control character of it gets into the message', () => {
    for (const text of ['\u001b[31m', '{"\u001b[31m": x}', '{"\\u001b":1,"\\u001b":2}']) {
      assert.throws(
        () => parse(text),
        (error) => error instanceof CharloomError && !error.message.includes('\u001b'),
      );
    }
  });

  it('when a string has millions of escapes then it is read like any other', () => {
    const value = '\n'.repeat(2 ** 22);
    assert.equal(parse(JSON.stringify({ a: value })).a, value);
    assert.throws(
      () => parse(`{"a":${JSON.stringify(value)},"a":1}`),
      code('BAD_DATA', /the key "a" twice$/),
    );
  });

  it('when it has a key __proto__ then no prototype is changed', () => {
    const json = parse('{"__proto__": {"polluted": true}}');
    assert.deepEqual(Object.keys(json), ['__proto__']);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
    assert.equal(json.polluted, undefined);
  });
});

describe('readJsonObject', () => {
  it('when the file is missing, a folder, or below a file then the error says so', async () => {
    await assert.rejects(
      readJsonObject(join(folder, 'no.json')),
      code('NO_INPUT', /no\.json: it does not exist/),
    );
    const directory = join(folder, 'folder');
    mkdirSync(directory);
    await assert.rejects(readJsonObject(directory), code('BAD_DATA', /is not a file/));
    const file = join(folder, 'file.json');
    writeFileSync(file, '{"a":1}');
    await assert.rejects(readJsonObject(join(file, 'x')), code('NO_INPUT', /not a folder/));
    assert.deepEqual(await readJsonObject(file), { a: 1 });
  });

  it('when the file is larger than allowed then it is not read', async () => {
    const file = join(folder, 'large.json');
    writeFileSync(file, JSON.stringify({ a: 'b'.repeat(100) }));
    await assert.rejects(readJsonObject(file, 100), code('BAD_DATA', /has 108 bytes; at most 100/));
    assert.equal((await readWholeFile(file, 108)).length, 108);
  });
});
