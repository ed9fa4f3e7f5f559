/** How preset, configuration file and options become settings. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ParsedOptions, settingsFrom } from '../../src/cli/settings.ts';
import { CharloomError } from '../../src/errors.ts';
import { scratchFolder } from './charloom.ts';

const folder = scratchFolder();
const decay = async (options: ParsedOptions): Promise<number> =>
  (await settingsFrom(options)).training.weightDecay;
const file = (settings: object | string): string => {
  const path = join(folder, 'settings.json');
  writeFileSync(path, typeof settings === 'string' ? settings : JSON.stringify(settings));
  return path;
};

describe('the weight decay of a preset', () => {
  it("is AdamW's: another optimizer has none, unless it is given", async () => {
    assert.equal(await decay({}), 0.1);
    assert.equal(await decay({ optimizer: 'adamw' }), 0.1);
    assert.equal(await decay({ optimizer: 'adam' }), 0);
    assert.equal(await decay({ optimizer: 'sgd', weightDecay: 0.3 }), 0.3);
    assert.equal(await decay({ weightDecay: 0.3 }), 0.3);
    assert.equal(await decay({ preset: 'char-rnn' }), 0);
  });

  it('is the same with a configuration file, and what the file gives stays', async () => {
    assert.equal(await decay({ config: file({ optimizer: 'adam' }) }), 0);
    assert.equal(await decay({ config: file({ optimizer: 'adam', weightDecay: 0.2 }) }), 0.2);
    assert.equal(await decay({ config: file({ weightDecay: 0.2 }), optimizer: 'adam' }), 0);
    assert.equal(await decay({ config: file({ optimizer: 'adam' }), optimizer: 'adamw' }), 0);
    assert.equal(await decay({ config: file({ hidden: 8 }) }), 0.1);
  });
});

describe('a wrong value in a configuration file', () => {
  const wrong: [settings: object | string, message: RegExp][] = [
    [{ unit: 'foo' }, /: unit is "foo", must be one of character, grapheme, byte$/],
    [{ split: '90/5' }, /: split is "90\/5", must be training\/validation\/test in percent/],
    [{ minCount: 0 }, /: minCount is 0, must be an integer from 1/],
    [{ preset: 'huge' }, /: preset is "huge", must be one of default, /],
    [{ layers: 0 }, /: layers is 0, must be an integer from 1/],
    [{ minutes: 1e10 }, /: minutes is 10000000000, must be a number from 0 to 1000000000$/],
    [{ learningRate: 2e6 }, /: learningRate is 2000000, must be a number above 0, at most 1000000$/],
    ['{"hidden": 8, "hidden": 9}', /has the key "hidden" twice$/],
    ['{"hidden": 8', /is not valid JSON/],
    ['[]', /is not a JSON object$/],
  ];
  for (const [settings, message] of wrong) {
    const shown = typeof settings === 'string' ? settings : JSON.stringify(settings);
    it(`is said to be the file's: ${shown}`, async () => {
      await assert.rejects(settingsFrom({ config: file(settings) }), (error) => {
        assert.ok(error instanceof CharloomError && error.code === 'BAD_DATA', String(error));
        assert.match(error.message, /^--config .*settings\.json/);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  it('does not matter where an option says otherwise, if it is the preset', async () => {
    assert.equal((await settingsFrom({ config: file({ preset: 'huge' }), preset: 'tiny' })).preset, 'tiny');
  });
});
