/** How preset, configuration file and options become settings. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type ParsedOptions, settingsFrom } from '../../src/cli/settings.ts';
import { scratchFolder } from './charloom.ts';

const folder = scratchFolder();
const decay = (options: ParsedOptions): number => settingsFrom(options).training.weightDecay;

describe('the weight decay of a preset', () => {
  it("is AdamW's: another optimizer has none, unless it is given", () => {
    assert.equal(decay({}), 0.1);
    assert.equal(decay({ optimizer: 'adamw' }), 0.1);
    assert.equal(decay({ optimizer: 'adam' }), 0);
    assert.equal(decay({ optimizer: 'sgd', weightDecay: 0.3 }), 0.3);
    assert.equal(decay({ weightDecay: 0.3 }), 0.3);
    assert.equal(decay({ preset: 'char-rnn' }), 0);
  });

  it('is the same with a configuration file, and what the file gives stays', () => {
    const file = (settings: object): string => {
      const path = join(folder, 'settings.json');
      writeFileSync(path, JSON.stringify(settings));
      return path;
    };
    assert.equal(decay({ config: file({ optimizer: 'adam' }) }), 0);
    assert.equal(decay({ config: file({ optimizer: 'adam', weightDecay: 0.2 }) }), 0.2);
    assert.equal(decay({ config: file({ weightDecay: 0.2 }), optimizer: 'adam' }), 0);
    assert.equal(decay({ config: file({ optimizer: 'adam' }), optimizer: 'adamw' }), 0);
    assert.equal(decay({ config: file({ hidden: 8 }) }), 0.1);
  });
});
