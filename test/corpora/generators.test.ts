import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { arithmeticLines } from '../../corpora/generate/arithmetic.ts';
import {
  choose,
  countCharacters,
  integer,
  parseOptions,
  type Random,
  sfc32,
  sfc32Words,
  takeCharacters,
  UsageError,
} from '../../corpora/generate/command.ts';
import { jsonLines } from '../../corpora/generate/json.ts';
import { phrasePairs } from '../../corpora/generate/phrases.ts';
import { isEmbeddedReber, legalNext, reberStrings } from '../../corpora/generate/reber.ts';
import { SINE_STEP, sineSample, sineSamples } from '../../corpora/generate/sine.ts';

const GENERATORS: readonly { name: string; pieces: (random: Random) => Iterable<string>; end: string }[] = [
  { name: 'arithmetic', pieces: arithmeticLines, end: '\n' },
  { name: 'json', pieces: jsonLines, end: '\n' },
  { name: 'phrases', pieces: phrasePairs, end: '\n' },
  { name: 'reber', pieces: reberStrings, end: '\n' },
  { name: 'sine', pieces: sineSamples, end: ' ' },
];

function take(pieces: Iterable<string>, count: number): string[] {
  const taken: string[] = [];
  for (const piece of pieces) {
    taken.push(piece);
    if (taken.length === count) break;
  }
  return taken;
}

const scriptPath = (name: string) =>
  fileURLToPath(new URL(`../../corpora/generate/${name}.ts`, import.meta.url));
const run = (name: string, ...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', scriptPath(name), ...args], { encoding: 'utf8' });

describe('random numbers of the generators', () => {
  it('when seeded with three words then sfc32 gives the outputs of the reference implementation', () => {
    // PractRand 0.94, as in the test of Apache Commons RNG (SFC32Test, testReferenceCode).
    const next = sfc32Words(0xbb3c4104, 0x02294965, 0xda1ce2a9, 15);
    assert.deepEqual(Array.from({ length: 4 }, next), [0x89b5c414, 0x7ee57639, 0xdbe18f7b, 0x94aa0162]);
  });

  it('when seeds differ only above 32 bits then the numbers differ', () => {
    assert.notEqual(sfc32(1)(), sfc32(1 + 2 ** 32)());
  });

  it('when integers are drawn then each value comes up about as often as the others', () => {
    const random = sfc32(1);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) {
      const value = integer(random, 3, 7) - 3;
      counts[value] = (counts[value] ?? 0) + 1;
    }
    assert.equal(counts.length, 5);
    for (const count of counts) assert.ok(Math.abs(count - 2000) < 200, `${counts}`);
  });

  it('when there is nothing to choose from then choose says so', () => {
    assert.throws(() => choose(sfc32(1), []), RangeError);
  });
});

describe('generators', () => {
  for (const { name, pieces, end } of GENERATORS) {
    const text = (seed: number, characters: number) =>
      [...takeCharacters(pieces(sfc32(seed)), end, characters)].join('');

    it(`when ${name} is given the same seed then the text is the same`, () => {
      assert.equal(text(7, 3000), text(7, 3000));
    });

    it(`when ${name} is given another seed then the text is another`, () => {
      assert.notEqual(text(7, 3000), text(8, 3000));
    });

    it(`when ${name} is asked for a size then it gives that many characters and only whole pieces`, () => {
      for (const size of [1, 1000, 20_000]) {
        const given = text(1, size);
        assert.ok(countCharacters(given) >= size);
        assert.ok(given.endsWith(end));
        const withoutLast = given.slice(0, given.lastIndexOf(end, given.length - 2) + 1);
        assert.ok(countCharacters(withoutLast) < size, 'the last piece was not needed');
        assert.ok(text(1, size + 1000).startsWith(given), 'a longer text begins with the shorter one');
      }
    });
  }
});

describe('arithmetic', () => {
  it('when lines are generated then every sum is right and in the documented form', () => {
    for (const line of take(arithmeticLines(sfc32(3)), 5000)) {
      const match = /^(0|[1-9]\d{0,2})\+(0|[1-9]\d{0,2})=(\d+);$/.exec(line);
      assert.ok(match, line);
      assert.equal(String(Number(match[1]) + Number(match[2])), match[3], line);
    }
  });

  it('when lines are generated then operands of one, two and three digits are about equally frequent', () => {
    const lines = take(arithmeticLines(sfc32(3)), 6000);
    for (const digits of [1, 2, 3]) {
      const count = lines.filter((line) => line.indexOf('+') === digits).length;
      assert.ok(Math.abs(count - 2000) < 200, `${digits} digits: ${count}`);
    }
  });
});

describe('json', () => {
  const lines = take(jsonLines(sfc32(3)), 1000);

  it('when lines are generated then every one parses and is in the form that JSON.stringify gives', () => {
    for (const line of lines) assert.equal(JSON.stringify(JSON.parse(line)), line);
  });

  it('when lines are generated then every kind of value and escapes occur', () => {
    const text = lines.join('\n');
    for (const part of ['true', 'false', 'null', '[]', '\\"', '\\n', '\\t', '\\\\', '"note":']) {
      assert.ok(text.includes(part), part);
    }
    assert.ok(lines.some((line) => !line.includes('"note":')));
  });

  it('when lines are generated then ids count from one and parts nest at most three deep', () => {
    const depth = (value: { parts?: readonly object[] }): number =>
      1 + Math.max(0, ...(value.parts ?? []).map((part) => depth(part)));
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ id }) => id),
      records.map((_, index) => index + 1),
    );
    assert.equal(Math.max(...records.map(depth)), 4, 'the record itself and three levels of parts');
  });
});

describe('sine', () => {
  it('when samples are generated then they equal the formula', () => {
    const phase = 2 * Math.PI * sfc32(5)();
    take(sineSamples(sfc32(5)), 2000).forEach((sample, n) => {
      assert.match(sample, /^\d\d$/);
      assert.equal(Number(sample), Math.round(49.5 + 49.5 * Math.sin(n / 4 + phase)));
    });
  });

  it('when the phase is a quarter turn then the first sample is the highest and half a turn later the lowest', () => {
    assert.equal(sineSample(0, Math.PI / 2), '99');
    assert.equal(sineSample(0, -Math.PI / 2), '00');
    assert.equal(sineSample(2, -2 * SINE_STEP), '50');
  });

  it('when samples are generated then no stretch of 25 or 26 is repeated over and over', () => {
    const samples = take(sineSamples(sfc32(1)), 500);
    for (const period of [25, 26, 50, 51]) {
      assert.ok(samples.some((sample, n) => n >= period && sample !== samples[n - period]));
    }
  });
});

describe('reber', () => {
  const strings = take(reberStrings(sfc32(3)), 20_000);

  it('when strings are generated then the automaton accepts every one', () => {
    for (const text of strings) assert.ok(isEmbeddedReber(text), text);
  });

  it('when strings are generated then the second symbol comes back as the last but one', () => {
    for (const text of strings) {
      assert.match(text, /^B[TP]B[TPSXV]+E[TP]E$/);
      assert.equal(text.at(1), text.at(-2));
    }
  });

  it('when the outer symbols are made to differ then the automaton rejects the string', () => {
    for (const text of strings.slice(0, 500)) {
      const wrong = text.at(-2) === 'T' ? 'P' : 'T';
      assert.equal(isEmbeddedReber(`${text.slice(0, -2)}${wrong}E`), false);
    }
  });

  it('when one symbol is replaced by one that is not legal there then the automaton rejects the string', () => {
    const random = sfc32(9);
    for (const text of strings.slice(0, 500)) {
      const position = integer(random, 0, text.length - 1);
      const before = text.slice(0, position);
      const legal = legalNext(before);
      assert.ok(legal.has(text.charAt(position)));
      for (const symbol of 'BTSXPVE\n') {
        if (legal.has(symbol)) continue;
        assert.equal(isEmbeddedReber(before + symbol + text.slice(position + 1)), false);
        assert.equal(legalNext(before + symbol).size, 0);
      }
    }
  });

  it('when a string is cut short or goes on then it is not a whole string', () => {
    for (const text of strings.slice(0, 200)) {
      assert.equal(isEmbeddedReber(text.slice(0, -1)), false);
      assert.equal(isEmbeddedReber(`${text}E`), false);
    }
    assert.equal(isEmbeddedReber(''), false);
    assert.equal(isEmbeddedReber('BTBTXSETE\n'), false);
  });

  it('when a prefix is given then the legal symbols are those of the published grammar', () => {
    const cases: readonly [string, string][] = [
      ['', 'B'],
      ['B', 'PT'],
      ['BT', 'B'],
      ['BTB', 'PT'],
      ['BTBT', 'SX'],
      ['BTBTS', 'SX'],
      ['BTBTX', 'SX'],
      ['BTBTXX', 'TV'],
      ['BTBTXXV', 'PV'],
      ['BTBTXXVP', 'SX'],
      ['BPBP', 'TV'],
      ['BPBPT', 'TV'],
      ['BPBPTV', 'PV'],
      ['BPBPTVV', 'E'],
      ['BPBPTVVE', 'P'],
      ['BTBPTVVE', 'T'],
      ['BTBTXSE', 'T'],
      ['BPBTXSE', 'P'],
      ['BTBTXSET', 'E'],
      ['BTBTXSETE', '\n'],
      ['BTBTXSETE\n', 'B'],
      ['BTBTXSETE\nBP', 'B'],
      ['BTBTXSEP', ''],
      ['X', ''],
      ['BTBTXSETE\n\n', ''],
    ];
    for (const [prefix, symbols] of cases) {
      assert.equal([...legalNext(prefix)].sort().join(''), symbols, JSON.stringify(prefix));
    }
  });

  it('when there are two legal symbols then each comes up about half of the time', () => {
    // By the pair of legal symbols and the symbol before, which tells the states apart.
    const counts = new Map<string, [first: number, all: number]>();
    for (const text of strings.slice(0, 4000)) {
      for (let position = 1; position < text.length; position++) {
        const legal = [...legalNext(text.slice(0, position))].sort();
        if (legal.length !== 2) continue;
        const key = `${legal.join('')} after ${text.charAt(position - 1)}`;
        const [first, all] = counts.get(key) ?? [0, 0];
        counts.set(key, [first + (text.charAt(position) === legal[0] ? 1 : 0), all + 1]);
      }
    }
    assert.ok(counts.size >= 6);
    for (const [key, [first, all]] of counts) {
      // Five standard deviations: a right generator fails this once in more than a million seeds.
      assert.ok(Math.abs(first - all / 2) < 2.5 * Math.sqrt(all), `${key}: ${first} of ${all}`);
    }
  });

  it('when strings are long in number then their mean length is the documented twelve symbols', () => {
    const mean = strings.reduce((sum, text) => sum + text.length, 0) / strings.length;
    assert.ok(Math.abs(mean - 12) < 0.2, `${mean}`);
  });
});

describe('phrases', () => {
  const pairs = take(phrasePairs(sfc32(3)), 5000).map((line) => line.split('\t'));

  it('when pairs are generated then each is one English and one Chinese sentence of the same kind', () => {
    for (const pair of pairs) {
      assert.equal(pair.length, 2);
      const [english = '', chinese = ''] = pair;
      assert.match(english, /^[A-Z][a-zI ]*[a-z][.?]$/, english);
      assert.match(chinese, /^[\u4e00-\u9fff]+[。？]$/, chinese);
      assert.equal(english.endsWith('?'), chinese.endsWith('嗎？'), english);
      assert.equal(/\b(not|no)\b/.test(english), /不|沒有/.test(chinese), english);
      assert.ok(!english.includes('  '), english);
    }
  });

  it('when a noun is counted then the Chinese has its own classifier, and 兩 for two', () => {
    const classifiers: Readonly<Record<string, string>> = {
      老師: '位',
      朋友: '位',
      學生: '位',
      孩子: '個',
      貓: '隻',
      狗: '隻',
      鳥: '隻',
      鵝: '隻',
      書: '本',
      杯子: '個',
      時鐘: '個',
      箱子: '個',
      桌子: '張',
      椅子: '張',
      雨傘: '把',
      鑰匙: '把',
      刀子: '把',
      腳踏車: '輛',
      樹: '棵',
      花: '朵',
    };
    const nouns = Object.keys(classifiers).join('|');
    const counted = new RegExp(
      `[一兩三四五六十這那]([位個隻本張把輛棵朵])(?:[大小舊新]|..的)?(${nouns})`,
      'g',
    );
    let found = 0;
    for (const [english = '', chinese = ''] of pairs) {
      assert.equal(/\btwo\b/.test(english), chinese.includes('兩'), chinese);
      assert.ok(!chinese.includes('二'), chinese);
      for (const [, classifier = '', noun = ''] of chinese.matchAll(counted)) {
        assert.equal(classifier, classifiers[noun], chinese);
        found++;
      }
    }
    assert.ok(found > 2000);
  });

  it('when an article or a verb depends on another word then it agrees with it', () => {
    const singular = 'teacher|student|child|cat|goose|cup|box|knife|umbrella|tree';
    const plural = 'teachers|students|children|cats|geese|cups|boxes|knives|umbrellas|trees';
    const wrong = [
      /\ban [^aeiou]|\ba [aeiou]/i,
      /(?:^|day |week |morning |now )(?:he|she) (?:like|want|are|am) /i,
      /(?:^|day |week |morning |now )(?:I|you|we|they) (?:likes|wants|is) /i,
      /^Do (?:he|she|this|that) |^Does (?:I|you|we|they|these|those) /,
      new RegExp(`\\b(?:a|an|that|this) (?:\\w+ )?(?:${plural})\\b`, 'i'),
      new RegExp(`\\b(?:two|three|ten|these|those) (?:\\w+ )?(?:${singular})\\b`, 'i'),
      /^There is (?!an? )|^There are an? /,
    ];
    for (const [english = ''] of pairs) {
      for (const pattern of wrong) assert.doesNotMatch(english, pattern);
    }
  });

  it('when a noun has a possessive then at most a short adjective without 的 stands between them', () => {
    for (const [, chinese = ''] of pairs) {
      assert.doesNotMatch(chinese, /的的/);
      for (const [, after = ''] of chinese.matchAll(/(?:[我你他她]|我們)的([^了。嗎]{3})/g)) {
        assert.doesNotMatch(after, /^..的/, chinese);
      }
    }
  });

  it('when many pairs are generated then most are different', () => {
    assert.ok(new Set(pairs.map((pair) => pair.join('\t'))).size > 4000);
  });
});

describe('command line of the generators', () => {
  it('when nothing is given then the defaults hold', () => {
    assert.deepEqual(parseOptions([]), { characters: 200_000, seed: 1, help: false });
  });

  it('when options are given then they are read, in either form', () => {
    assert.deepEqual(parseOptions(['--characters', '10', '--seed=0']), {
      characters: 10,
      seed: 0,
      help: false,
    });
    assert.equal(parseOptions(['-c', '5', '-h']).help, true);
  });

  it('when an option is unknown, lacks its value or has a wrong one then it is a usage error', () => {
    const wrong = [
      ['--size', '3'],
      ['--characters'],
      ['--characters', '0'],
      ['--characters', '1e5'],
      ['--characters', '200k'],
      ['--characters', ''],
      ['--seed', '-1'],
      ['--seed', '1.5'],
      ['--seed', '9007199254740992'],
      ['reber.txt'],
    ];
    for (const args of wrong) assert.throws(() => parseOptions(args), UsageError, args.join(' '));
  });

  it('when a script is run then it prints the text of its pure function', () => {
    const { status, stdout, stderr } = run('reber', '--characters', '500', '--seed', '4');
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.equal(stdout, [...takeCharacters(reberStrings(sfc32(4)), '\n', 500)].join(''));
  });

  it('when an option is wrong then the script prints a usage line on stderr and exits with 2', () => {
    const { status, stdout, stderr } = run('sine', '--characters', 'many');
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^sine: --characters takes an integer of at least 1, not 'many'\nusage: .*--seed N.*\n$/,
    );
  });

  it('when the reader goes away then the script ends quietly', async () => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', scriptPath('arithmetic'), '--characters', '50000000'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      errors += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    assert.equal(errors, '');
    assert.equal(code, 0);
  });
});
