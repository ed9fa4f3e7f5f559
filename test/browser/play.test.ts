/** The page on which a network writes, in a real browser, from a file and from `charloom play`. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { openModel } from '../../src/cli/open-model.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import { activationColour, surpriseColour } from '../../src/page/client/parts/scale.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { json, sampleText, scratchFolder, start, succeed, TINY } from '../cli/charloom.ts';
import { noBrowser, visit } from './browser.ts';

const cwd = scratchFolder();
const CHINESE = '海上生明月，天涯共此時。情人怨遙夜，竟夕起相思。滅燭憐光滿，披衣覺露滋。\n'.repeat(30);
const EMOJI = 'Ein Schiff 🚢 fährt 👩‍👩‍👧 übers Meer 🇹🇼! e\u0301a\u0308\n'.repeat(60);
const HOSTILE = '<img src=x onerror=alert(1)>\u0000\u0007\u202e</script>&amp;\u2028"\'\n'.repeat(60);

/** Models by name: their text, and what they are trained with beside `TINY`. */
const MODELS: Record<string, [text: string, ...args: string[]]> = {
  lstm: [sampleText(3000), '--cell', 'lstm', '--layers', '2'],
  gru: [CHINESE, '--cell', 'gru'],
  'rnn<b>': [EMOJI, '--cell', 'rnn', '--unit', 'grapheme'],
  byte: [CHINESE, '--cell', 'gru', '--unit', 'byte'],
  relu: [sampleText(3000), '--cell', 'rnn', '--activation', 'relu', '--embedding', '0'],
  hostile: [HOSTILE, '--cell', 'gru'],
  wide: [
    Array.from({ length: 5000 }, (_, i) => String.fromCodePoint(0x4e00 + i))
      .join('')
      .repeat(2),
    '--cell',
    'gru',
  ],
};

const fileOf = (name: string): string => join(cwd, `${name}.html`);
const urlOf = (name: string): string => pathToFileURL(fileOf(name)).href;

before(async () => {
  if (noBrowser) return;
  const make = async ([name, [text, ...args]]: [string, [string, ...string[]]]): Promise<void> => {
    writeFileSync(join(cwd, `${name}.txt`), text);
    const options = ['--threads', '1', '--steps', name === 'wide' ? '1' : '60', '--eval-every', '0'];
    await succeed(
      ['train', `${name}.txt`, ...TINY, ...options, '--learning-rate', '0.01', ...args, '--out', name],
      {
        cwd,
      },
    );
    await succeed(['export', name, '--html', fileOf(name)], { cwd });
  };
  await Promise.all(Object.entries(MODELS).map(make));
});

interface Wish {
  prompt?: string;
  length?: number;
  seed?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
}

/** Sets what differs from how the page opens, and lets it write as fast as it can. */
async function ask(page: Page, { prompt, length, seed, temperature, topP, topK }: Wish): Promise<void> {
  await page.getByLabel('Speed').fill('6');
  if (prompt !== undefined) await page.getByLabel('Beginning').fill(prompt);
  if (length !== undefined) await page.getByLabel('Length').fill(String(length));
  if (seed !== undefined) await page.getByLabel('Seed', { exact: true }).fill(String(seed));
  if (temperature !== undefined) await page.getByLabel('Temperature').fill(String(temperature));
  if (topP !== undefined) await page.getByLabel('Top-p').fill(String(topP));
  if (topK !== undefined) {
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('Top-k').fill(String(topK));
  }
}

/** Presses the button and waits until it has written. */
async function write(page: Page, button = 'Write'): Promise<void> {
  await page.getByRole('button', { name: button }).click();
  await page.getByRole('status').filter({ hasText: /^Done/ }).waitFor();
  await page.getByRole('button', { name: 'Continue' }).waitFor();
}

async function copied(page: Page): Promise<unknown> {
  await page.getByRole('button', { name: 'Copy text' }).click();
  await page.getByRole('status').filter({ hasText: 'Copied' }).waitFor();
  return page.evaluate('copied');
}

/** What `charloom sample` writes. */
async function sampled(
  name: string,
  { prompt = '', length = 500, seed = 0, temperature, topP, topK }: Wish,
): Promise<string> {
  const args = ['--prompt', prompt, '--length', String(length), '--seed', String(seed)];
  if (temperature !== undefined) args.push('--temperature', String(temperature));
  if (topP !== undefined) args.push('--top-p', String(topP));
  if (topK !== undefined) args.push('--top-k', String(topK));
  const [{ text } = { text: '' }] = await json<{ text: string }>(['sample', name, ...args], { cwd });
  return prompt + text;
}

/** Waits until the page shows what it should. */
async function eventually(what: () => Promise<boolean>): Promise<void> {
  for (let i = 0; !(await what()); i++) {
    assert.ok(i < 100, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const looks = (page: Page): Promise<string[]> =>
  page.locator('#paper span').evaluateAll((spans) => spans.map((span) => span.className));

describe('the page writes the same characters as the command line', { skip: noBrowser }, () => {
  const cases: [string, Wish][] = [
    ['lstm', { prompt: 'MARA: ', length: 300, seed: 7 }],
    ['lstm', { length: 200, seed: 11, temperature: 1.3, topP: 0.9 }],
    ['gru', { prompt: '海上X', length: 200, seed: 4_294_967_295, temperature: 1, topK: 5 }],
    ['rnn<b>', { prompt: '👩‍👩‍👧 e\u0301', length: 150, seed: 3, temperature: 1.5 }],
    ['byte', { prompt: '月é', length: 301, seed: 5, temperature: 1.2 }],
    ['relu', { prompt: 'The ', length: 100, seed: 1, temperature: 0 }],
    // Without line breaks a text without a beginning begins with a symbol that is drawn.
    ['wide', { length: 50, seed: 9, temperature: 0.5 }],
  ];
  for (const [name, wish] of cases) {
    it(`when the model is ${name} and it is asked ${JSON.stringify(wish)}`, async () => {
      const { page, requests, complaints } = await visit(urlOf(name));
      await ask(page, wish);
      await write(page);
      assert.equal(await copied(page), await sampled(name, wish));
      assert.deepEqual(requests, [urlOf(name)]);
      assert.deepEqual(complaints, []);
      await page.context().close();
    });
  }

  it('when it is stopped and goes on', async () => {
    const { page } = await visit(urlOf('lstm'));
    await ask(page, { prompt: 'ROSE', length: 40, seed: 2 });
    await write(page);
    await write(page, 'Continue');
    assert.equal(await copied(page), await sampled('lstm', { prompt: 'ROSE', length: 80, seed: 2 }));

    await page.getByLabel('Length').fill('100000');
    await page.getByRole('button', { name: 'Start over' }).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page
      .getByRole('status')
      .filter({ hasText: /^Stopped after [\d,]+ characters/ })
      .waitFor();
    const seed = Number(await page.getByLabel('Seed', { exact: true }).inputValue());
    const text = String(await copied(page));
    assert.equal(text, await sampled('lstm', { prompt: 'ROSE', length: text.length - 4, seed }));
    await page.context().close();
  });
});

describe('the page', { skip: noBrowser }, () => {
  it('when one types then every character has the colour of its surprise, or of a neuron', async () => {
    const text = 'The sea, 海 the\nlight.';
    const { page } = await visit(urlOf('lstm'));
    await page.getByLabel('Beginning').fill(text);
    await eventually(async () => (await looks(page)).length === text.length);

    const { model, engine, run } = await openModel(join(cwd, 'lstm'), {
      checkpoint: 'best',
      device: 'reference',
    });
    const { ids } = run.vocabulary.encode(text);
    const { value: window } = await new Evaluator(engine, model, { layers: true })
      .windows(IdSequence.of(ids))
      .next();
    const kind = (i: number): string =>
      text[i] === '海' ? ' given unknown' : text[i] === '\n' ? ' given break' : ' given';
    const surprise = [...text].map((_, i) => {
      const bits = i === 0 ? undefined : window!.losses[i - 1]! / Math.LN2;
      return `${text[i] === '海' ? '' : surpriseColour(bits)}${kind(i)}`.trim();
    });
    assert.deepEqual(await looks(page), surprise);

    await page.getByLabel('one neuron').check();
    await page.getByLabel('layer').fill('1');
    await page.getByLabel('neuron', { exact: true }).fill('3');
    const cells = window!.layers![1]!.states[1]!;
    const neuron = [...text]
      .slice(0, -1)
      .map((_, i) => `${activationColour(Math.tanh(cells[i * 8 + 3]!))}${kind(i)}`);
    assert.deepEqual((await looks(page)).slice(0, -1), neuron);
    assert.ok(new Set(neuron).size > 3);
    assert.match(
      (await page.locator('#figures').textContent())!,
      /^21 characters given, \d\.\d\d bits each · 1 of them unknown/,
    );
    await engine.close();
    await page.context().close();
  });

  it('when a slider is moved then what comes next changes with it', async () => {
    const { page } = await visit(urlOf('lstm'));
    const row = page.locator('#bars li:not(.none)');
    await eventually(async () => (await row.count()) === 10);
    const p = (text: string): number => Number(/([\d.]+)%/.exec(text)![1]);
    const before = p(await row.first().innerText());
    await page.getByLabel('Temperature').fill('0.4');
    await eventually(async () => p(await row.first().innerText()) > before);
    assert.equal(await page.locator('#temperature-value').textContent(), '0.40');
    await page.getByLabel('Temperature').fill('0');
    await eventually(async () => (await row.count()) === 1);
    assert.equal(p(await row.innerText()), 100);
    await page.context().close();
  });

  it('when there are thousands of symbols then the likeliest ten are shown', async () => {
    const { page } = await visit(urlOf('wide'));
    await page.getByText('Nothing was read yet.').waitFor();
    await page.getByLabel('Beginning').fill('丁');
    await eventually(async () => (await page.locator('#bars li:not(.none)').count()) === 10);
    assert.match((await page.locator('#rest').textContent())!, /^\d,\d{3} others together: \d+\.\d%$/);
    await page.context().close();
  });

  it('when it writes slowly then it can be stopped with Escape, and typing begins anew', async () => {
    const { page } = await visit(urlOf('lstm'));
    await page.getByLabel('Beginning').fill('MARA');
    await page.keyboard.press('Control+Enter');
    await eventually(async () =>
      /[3-9] characters written/.test((await page.locator('#figures').textContent())!),
    );
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await page.keyboard.type('!');
    await eventually(async () =>
      (await page.locator('#figures').textContent())!.startsWith('5 characters given'),
    );
    assert.equal((await looks(page)).length, 5);
    await page.getByRole('button', { name: 'Write' }).waitFor();
    await page.context().close();
  });

  it('when there is only a keyboard then everything is reached, and seen to be', async () => {
    const { page } = await visit(urlOf('lstm'));
    await page.getByRole('button', { name: 'Write' }).and(page.locator(':enabled')).waitFor();
    const reached: string[] = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab');
      const [name, outline] = (await page.evaluate(
        '[document.activeElement.id || document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]',
      )) as string[];
      if (name === 'BODY') break;
      reached.push(name!);
      assert.equal(outline, 'solid', name);
      if (name === 'prompt') await page.keyboard.type('Sea');
      if (name === 'write') {
        await page.keyboard.press('Enter');
        await eventually(async () => page.locator('#again').isEnabled()); // something is written
        await page.keyboard.press('Enter'); // stops
        await page.getByRole('status').filter({ hasText: 'Stopped' }).waitFor();
      }
    }
    const expected = 'prompt write again copy paper INPUT temperature top-p pace length seed fresh SUMMARY';
    assert.equal(reached.join(' '), expected);
    await page.context().close();
  });

  it('when a long text is pasted then the page goes on, shows its end and has all of it', async () => {
    const { page } = await visit(urlOf('byte'));
    await page.getByRole('button', { name: 'Write' }).and(page.locator(':enabled')).waitFor();
    const text = '海上生明月，天涯共此時。'.repeat(1500); // 18,000 characters, 54,000 bytes
    await page.evaluate(`
      var longest = 0, last = performance.now();
      setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 10);
      document.querySelector('textarea').value = ${JSON.stringify(text)};
      document.querySelector('textarea').dispatchEvent(new Event('input'));
    `);
    await page
      .locator('#figures')
      .filter({ hasText: /^reading: / })
      .waitFor();
    await page
      .locator('#figures')
      .filter({ hasText: /^18,000 characters given/ })
      .waitFor();
    assert.match(
      (await page.locator('#dropped').textContent())!,
      /^The first [78],\d{3} characters are not shown/,
    );
    assert.ok((await looks(page)).length <= 12_000);
    const longest = (await page.evaluate('longest')) as number;
    assert.ok(longest < 1000, `it did not answer for ${longest} ms`);
    assert.equal(await copied(page), text);
    await page.context().close();
  });

  it('when texts are hostile then they are shown, and nothing else', async () => {
    const { page, requests, complaints } = await visit(urlOf('hostile'));
    await ask(page, {
      prompt: '<img src=x onerror=alert(1)>\u0007\u202e',
      length: 400,
      seed: 1,
      temperature: 1,
    });
    await write(page);
    const shown = (await page.locator('#paper').textContent())!;
    assert.ok(shown.startsWith('<img src=x onerror=alert(1)>\u2407\\u{202e}'), shown.slice(0, 60));
    assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}]/u);
    assert.equal(await page.locator('#paper img').count(), 0);
    assert.deepEqual([requests.length, complaints], [1, []]);
    const named = await visit(urlOf('rnn<b>'));
    assert.equal(await named.page.getByRole('heading', { level: 1 }).textContent(), 'rnn<b>');
    await page.context().close();
    await named.page.context().close();
  });

  it('when it is damaged, or the browser too old, then it says so', async () => {
    const html = readFileSync(fileOf('gru'), 'utf8');
    writeFileSync(
      fileOf('damaged'),
      html.replace(/("weights":".{100})./, (_, start) => `${start}A`),
    );
    const damaged = await visit(urlOf('damaged'));
    await damaged.page.getByRole('alert').filter({ hasText: 'this page is damaged' }).waitFor();
    assert.ok(await damaged.page.getByRole('button', { name: 'Write' }).isDisabled());
    const old = await visit(urlOf('gru'), {}, 'WebAssembly.validate = () => false');
    await old.page.getByRole('alert').filter({ hasText: 'WebAssembly with SIMD and threads' }).waitFor();
    await damaged.page.context().close();
    await old.page.context().close();
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`when the screen is small and ${colorScheme} then nothing is cut off and all is legible`, async () => {
      const { page } = await visit(urlOf('lstm'), {
        viewport: { width: 360, height: 640 },
        colorScheme,
        reducedMotion: 'reduce',
      });
      // Who wants little motion gets the text at once.
      assert.equal(await page.getByLabel('Speed').inputValue(), '6');
      await ask(page, { prompt: 'x'.repeat(400), length: 300, seed: 1 });
      await write(page);
      await page.getByText('More', { exact: true }).click();
      await page.getByLabel('one neuron').check();
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);
      const seen = await page.evaluate(`
        const paper = document.querySelector('#paper');
        paper.scrollIntoView();
        const { left, bottom } = paper.getBoundingClientRect();
        document.elementFromPoint(left + 25, bottom - 20).closest('#paper div')?.textContent ?? '';
      `);
      assert.ok(String(seen).length > 0, 'the end of the text is not seen');
      const poor = await page.evaluate(readFileSync(new URL('./contrast.js', import.meta.url), 'utf8'));
      assert.deepEqual(poor, []);
      await page.context().close();
    });
  }

  it('when charloom play serves it then it works as from a file', async () => {
    const server = start(['play', 'lstm', '--no-open'], { cwd });
    await server.until(/\n/);
    server.child.kill('SIGINT');
    const { stdout, status } = await server.result;
    assert.equal(status, 130);

    const again = start(['play', 'lstm', '--no-open', '--port', new URL(stdout.trim()).port], { cwd });
    let url = '';
    again.child.stdout!.on('data', (data) => {
      url += data;
    });
    await again.until(/\n/);
    const { page, requests, complaints } = await visit(url.trim());
    await ask(page, { prompt: 'MARA', length: 100, seed: 1 });
    await write(page);
    assert.equal(await copied(page), await sampled('lstm', { prompt: 'MARA', length: 100, seed: 1 }));
    assert.deepEqual([requests, complaints], [[url.trim()], []]);
    await page.context().close();
    again.child.kill('SIGTERM');
    assert.equal((await again.result).status, 143);
  });
});
