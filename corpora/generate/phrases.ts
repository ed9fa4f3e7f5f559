/**
 * Sentence pairs, one a line: English, a tab, Traditional Chinese as used in Taiwan.
 *
 *     That young teacher bought two old books.	那位年輕的老師買了兩本舊書。
 *
 * A small compositional grammar builds both sides from one meaning, so that every pair is a translation and both
 * sentences are well formed. What it covers, and where the two languages differ:
 *
 * - English number, articles (a, an), agreement (I am, he is, they are; likes, like) and irregular past forms;
 *   Chinese classifiers (一隻貓, 兩本書, 那位老師), 兩 and not 二 before a classifier, 這些 and 那些 without one.
 * - English tense; Chinese aspect: 買了 (bought), 沒有買 (did not buy), 正在買 (is buying), 會買 (will buy).
 * - 的 after adjectives of two syllables or more (紅色的杯子), not after short ones (舊杯子); no second 的 after
 *   a possessive (我的舊杯子), for which reason a possessive takes no long adjective.
 * - Questions: English turns the order around (Does she like cats?), Chinese adds 嗎.
 * - Existence: `There is a cat in the garden.` is place first in Chinese: 花園裡有一隻貓。
 *
 * What is grammatical but would sound odd is left out: an indefinite subject, a negated past with a counted
 * object (沒有買兩本書), a person as a thing that is bought.
 */

import { choose, integer, type Random, runWhenMain } from './command.ts';

interface Adjective {
  readonly english: string;
  readonly chinese: string;
  /** Takes 的 before a noun. */
  readonly linked: boolean;
}

interface Noun {
  readonly singular: string;
  readonly plural: string;
  readonly chinese: string;
  readonly classifier: string;
  readonly adjectives: readonly Adjective[];
}

/** A state, such as liking: present only. */
interface Verb {
  /** I ..., they ...; also after will and did not. */
  readonly base: string;
  readonly chinese: string;
}

/** What happens at a time, such as finding: no progressive in Chinese. */
interface EventVerb extends Verb {
  readonly past: string;
}

/** What takes time, such as buying. */
interface ActivityVerb extends EventVerb {
  readonly ing: string;
}

/** What an English verb agrees with. */
type Agreement = 'I' | 'singular' | 'plural';

/** One meaning in both languages. */
interface Pair {
  readonly english: string;
  readonly chinese: string;
}

interface Subject extends Pair {
  readonly agreement: Agreement;
}

const short = (english: string, chinese: string): Adjective => ({ english, chinese, linked: false });
const long = (english: string, chinese: string): Adjective => ({ english, chinese, linked: true });

const BIG = short('big', '大');
const SMALL = short('small', '小');
const ABOUT_PERSONS = [
  long('young', '年輕的'),
  long('busy', '忙碌的'),
  long('quiet', '安靜的'),
  long('kind', '親切的'),
];
const ABOUT_ANIMALS = [
  BIG,
  SMALL,
  long('black', '黑色的'),
  long('white', '白色的'),
  long('hungry', '飢餓的'),
];
const ABOUT_THINGS = [
  BIG,
  SMALL,
  short('old', '舊'),
  short('new', '新'),
  long('red', '紅色的'),
  long('blue', '藍色的'),
  long('expensive', '昂貴的'),
];
const ABOUT_PLANTS = [SMALL, long('beautiful', '美麗的')];

const PERSONS: readonly Noun[] = [
  noun('teacher', 'teachers', '老師', '位', ABOUT_PERSONS),
  noun('friend', 'friends', '朋友', '位', ABOUT_PERSONS),
  noun('student', 'students', '學生', '位', ABOUT_PERSONS),
  noun('child', 'children', '孩子', '個', ABOUT_PERSONS),
];
const ANIMALS: readonly Noun[] = [
  noun('cat', 'cats', '貓', '隻', ABOUT_ANIMALS),
  noun('dog', 'dogs', '狗', '隻', ABOUT_ANIMALS),
  noun('bird', 'birds', '鳥', '隻', ABOUT_ANIMALS),
  noun('goose', 'geese', '鵝', '隻', ABOUT_ANIMALS),
];
const THINGS: readonly Noun[] = [
  noun('book', 'books', '書', '本', ABOUT_THINGS),
  noun('cup', 'cups', '杯子', '個', ABOUT_THINGS),
  noun('clock', 'clocks', '時鐘', '個', ABOUT_THINGS),
  noun('box', 'boxes', '箱子', '個', ABOUT_THINGS),
  noun('table', 'tables', '桌子', '張', ABOUT_THINGS),
  noun('chair', 'chairs', '椅子', '張', ABOUT_THINGS),
  noun('umbrella', 'umbrellas', '雨傘', '把', ABOUT_THINGS),
  noun('key', 'keys', '鑰匙', '把', ABOUT_THINGS),
  noun('knife', 'knives', '刀子', '把', ABOUT_THINGS),
  noun('bicycle', 'bicycles', '腳踏車', '輛', ABOUT_THINGS),
];
const PLANTS: readonly Noun[] = [
  noun('tree', 'trees', '樹', '棵', ABOUT_PLANTS),
  noun('flower', 'flowers', '花', '朵', ABOUT_PLANTS),
];
const OBJECTS: readonly Noun[] = [...ANIMALS, ...THINGS, ...PLANTS];
const FOUND_OUTSIDE: readonly Noun[] = [...PERSONS, ...OBJECTS];

const NUMBERS: readonly Pair[] = [
  { english: 'two', chinese: '兩' },
  { english: 'three', chinese: '三' },
  { english: 'four', chinese: '四' },
  { english: 'five', chinese: '五' },
  { english: 'six', chinese: '六' },
  { english: 'ten', chinese: '十' },
];
const POSSESSIVES: readonly Pair[] = [
  { english: 'my', chinese: '我的' },
  { english: 'your', chinese: '你的' },
  { english: 'his', chinese: '他的' },
  { english: 'her', chinese: '她的' },
  { english: 'our', chinese: '我們的' },
];
const PRONOUNS: readonly Subject[] = [
  { english: 'I', chinese: '我', agreement: 'I' },
  { english: 'you', chinese: '你', agreement: 'plural' },
  { english: 'he', chinese: '他', agreement: 'singular' },
  { english: 'she', chinese: '她', agreement: 'singular' },
  { english: 'we', chinese: '我們', agreement: 'plural' },
  { english: 'they', chinese: '他們', agreement: 'plural' },
];

const ACTIVITIES: readonly ActivityVerb[] = [
  { base: 'buy', past: 'bought', ing: 'buying', chinese: '買' },
  { base: 'sell', past: 'sold', ing: 'selling', chinese: '賣' },
  { base: 'draw', past: 'drew', ing: 'drawing', chinese: '畫' },
  { base: 'choose', past: 'chose', ing: 'choosing', chinese: '選' },
];
const EVENTS: readonly EventVerb[] = [
  ...ACTIVITIES,
  { base: 'find', past: 'found', chinese: '找到' },
  { base: 'see', past: 'saw', chinese: '看見' },
];
const LIKE: Verb = { base: 'like', chinese: '喜歡' };
const WANT: Verb = { base: 'want', chinese: '想要' };

const NO_TIME: Pair = { english: '', chinese: '' };
const PAST_TIMES: readonly Pair[] = [
  NO_TIME,
  { english: 'yesterday ', chinese: '昨天' },
  { english: 'last week ', chinese: '上個星期' },
  { english: 'this morning ', chinese: '今天早上' },
];
const FUTURE_TIMES: readonly Pair[] = [
  NO_TIME,
  { english: 'tomorrow ', chinese: '明天' },
  { english: 'next week ', chinese: '下個星期' },
];
const PRESENT_TIMES: readonly Pair[] = [NO_TIME, { english: 'now ', chinese: '現在' }];
const PLACES: readonly Pair[] = [
  { english: 'in the garden', chinese: '花園裡' },
  { english: 'in front of the house', chinese: '房子前面' },
  { english: 'behind the school', chinese: '學校後面' },
  { english: 'by the river', chinese: '河邊' },
];

/** Every kind of sentence, each equally likely. */
const SENTENCES: readonly ((random: Random) => Pair)[] = [
  past,
  pastNegative,
  pastQuestion,
  progressive,
  future,
  liking,
  wanting,
  giving,
  existence,
  absence,
];

/** Endless pairs, English and Chinese with a tab between, without the line feed. */
export function* phrasePairs(random: Random): Generator<string> {
  while (true) {
    const { english, chinese } = choose(random, SENTENCES)(random);
    yield `${english.charAt(0).toUpperCase()}${english.slice(1)}\t${chinese}`;
  }
}

// Kinds of sentence. They are function declarations because SENTENCES above names them.

/** That young teacher bought two old books. 那位年輕的老師買了兩本舊書。 */
function past(random: Random): Pair {
  const [time, who, verb] = [choose(random, PAST_TIMES), subject(random), choose(random, EVENTS)];
  return statement(time, who, verb.past, `${verb.chinese}了`, object(random));
}

/** She did not buy that book. 她沒有買那本書。 */
function pastNegative(random: Random): Pair {
  const [time, who, verb] = [choose(random, PAST_TIMES), subject(random), choose(random, EVENTS)];
  return statement(time, who, `did not ${verb.base}`, `沒有${verb.chinese}`, definite(random, OBJECTS));
}

/** Did they find my key? 他們找到我的鑰匙了嗎？ */
function pastQuestion(random: Random): Pair {
  const [who, verb] = [subject(random), choose(random, EVENTS)];
  const what = definite(random, OBJECTS);
  return {
    english: `did ${who.english} ${verb.base} ${what.english}?`,
    chinese: `${who.chinese}${verb.chinese}${what.chinese}了嗎？`,
  };
}

/** Now he is drawing a small bird. 現在他正在畫一隻小鳥。 */
function progressive(random: Random): Pair {
  const [time, who, verb] = [choose(random, PRESENT_TIMES), subject(random), choose(random, ACTIVITIES)];
  const be = { I: 'am', singular: 'is', plural: 'are' }[who.agreement];
  return statement(time, who, `${be} ${verb.ing}`, `正在${verb.chinese}`, object(random));
}

/** Tomorrow we will sell ten chairs. 明天我們會賣十張椅子。 */
function future(random: Random): Pair {
  const [time, who, verb] = [choose(random, FUTURE_TIMES), subject(random), choose(random, EVENTS)];
  return statement(time, who, `will ${verb.base}`, `會${verb.chinese}`, object(random));
}

/** She likes black cats. 她喜歡黑色的貓。 Also with `not`, and as a question. */
function liking(random: Random): Pair {
  return simplePresent(random, LIKE, random() < 0.5 ? definite(random, OBJECTS) : generic(random, OBJECTS));
}

/** My friend wants an umbrella. 我的朋友想要一把雨傘。 Also with `not`, and as a question. */
function wanting(random: Random): Pair {
  return simplePresent(random, WANT, definite(random, OBJECTS), object(random));
}

/** I gave my friend two books. 我給了我的朋友兩本書。 */
function giving(random: Random): Pair {
  const [who, whom, what] = [subject(random), definite(random, PERSONS), counted(random, THINGS)];
  const isPast = random() < 0.5;
  const time = choose(random, isPast ? PAST_TIMES : FUTURE_TIMES);
  const verb = isPast ? { english: 'gave', chinese: '給了' } : { english: 'will give', chinese: '會給' };
  const both = { english: `${whom.english} ${what.english}`, chinese: `${whom.chinese}${what.chinese}` };
  return statement(time, who, verb.english, verb.chinese, both);
}

/** There is a cat in the garden. 花園裡有一隻貓。 */
function existence(random: Random): Pair {
  const [place, what] = [choose(random, PLACES), counted(random, FOUND_OUTSIDE)];
  const be = what.agreement === 'singular' ? 'is' : 'are';
  return {
    english: `there ${be} ${what.english} ${place.english}.`,
    chinese: `${place.chinese}有${what.chinese}。`,
  };
}

/** There are no cats in the garden. 花園裡沒有貓。 Are there any ...? 花園裡有貓嗎？ */
function absence(random: Random): Pair {
  const [place, what] = [choose(random, PLACES), generic(random, FOUND_OUTSIDE)];
  return random() < 0.5
    ? {
        english: `there are no ${what.english} ${place.english}.`,
        chinese: `${place.chinese}沒有${what.chinese}。`,
      }
    : {
        english: `are there any ${what.english} ${place.english}?`,
        chinese: `${place.chinese}有${what.chinese}嗎？`,
      };
}

/** A state as a statement, a negation or a question. A negated one takes the definite object. */
function simplePresent(random: Random, verb: Verb, definiteObject: Pair, anyObject = definiteObject): Pair {
  const who = subject(random);
  const does = who.agreement === 'singular' ? 'does' : 'do';
  switch (integer(random, 0, 2)) {
    case 0:
      return statement(NO_TIME, who, `${does} not ${verb.base}`, `不${verb.chinese}`, definiteObject);
    case 1:
      return {
        english: `${does} ${who.english} ${verb.base} ${anyObject.english}?`,
        chinese: `${who.chinese}${verb.chinese}${anyObject.chinese}嗎？`,
      };
    default: {
      const form = who.agreement === 'singular' ? `${verb.base}s` : verb.base;
      return statement(NO_TIME, who, form, verb.chinese, anyObject);
    }
  }
}

function statement(time: Pair, who: Subject, english: string, chinese: string, what: Pair): Pair {
  return {
    english: `${time.english}${who.english} ${english} ${what.english}.`,
    chinese: `${time.chinese}${who.chinese}${chinese}${what.chinese}。`,
  };
}

// Noun phrases.

/** A pronoun or a definite person. */
function subject(random: Random): Subject {
  return random() < 0.5 ? choose(random, PRONOUNS) : definite(random, PERSONS);
}

function object(random: Random): Pair {
  return random() < 0.5 ? definite(random, OBJECTS) : counted(random, OBJECTS);
}

/** This cup, these cups, these two cups, my cup: 這個杯子, 這些杯子, 這兩個杯子, 我的杯子. */
function definite(random: Random, nouns: readonly Noun[]): Subject {
  const thing = choose(random, nouns);
  const near = random() < 0.5;
  switch (integer(random, 0, 3)) {
    case 0:
      return phrase(thing, 'singular', [near ? 'this' : 'that'], `${near ? '這' : '那'}${thing.classifier}`, {
        adjective: adjectiveFor(random, thing),
      });
    case 1:
      return phrase(thing, 'plural', [near ? 'these' : 'those'], near ? '這些' : '那些', {
        adjective: adjectiveFor(random, thing),
      });
    case 2: {
      const number = choose(random, NUMBERS);
      const chinese = `${near ? '這' : '那'}${number.chinese}${thing.classifier}`;
      return phrase(thing, 'plural', [near ? 'these' : 'those', number.english], chinese, {
        adjective: adjectiveFor(random, thing),
      });
    }
    default: {
      const owner = choose(random, POSSESSIVES);
      const adjective = adjectiveFor(random, thing);
      return phrase(thing, 'singular', [owner.english], owner.chinese, {
        adjective: adjective?.linked ? undefined : adjective,
      });
    }
  }
}

/** A cup, an old cup, two cups: 一個杯子, 一個舊杯子, 兩個杯子. */
function counted(random: Random, nouns: readonly Noun[]): Subject {
  const thing = choose(random, nouns);
  const adjective = adjectiveFor(random, thing);
  if (random() < 0.5) {
    const number = choose(random, NUMBERS);
    return phrase(thing, 'plural', [number.english], `${number.chinese}${thing.classifier}`, { adjective });
  }
  const article = /^[aeiou]/.test(adjective?.english ?? thing.singular) ? 'an' : 'a';
  return phrase(thing, 'singular', [article], `一${thing.classifier}`, { adjective });
}

/** Cups, old cups: 杯子, 舊杯子. */
function generic(random: Random, nouns: readonly Noun[]): Subject {
  const thing = choose(random, nouns);
  return phrase(thing, 'plural', [], '', { adjective: adjectiveFor(random, thing) });
}

function phrase(
  thing: Noun,
  agreement: 'singular' | 'plural',
  englishBefore: readonly string[],
  chineseBefore: string,
  { adjective }: { readonly adjective: Adjective | undefined },
): Subject {
  const words = [...englishBefore, ...(adjective ? [adjective.english] : []), thing[agreement]];
  return {
    english: words.join(' '),
    chinese: `${chineseBefore}${adjective?.chinese ?? ''}${thing.chinese}`,
    agreement,
  };
}

/** An adjective that goes with the noun, or, half of the time, none. */
function adjectiveFor(random: Random, thing: Noun): Adjective | undefined {
  return random() < 0.5 ? choose(random, thing.adjectives) : undefined;
}

function noun(
  singular: string,
  plural: string,
  chinese: string,
  classifier: string,
  adjectives: readonly Adjective[],
): Noun {
  return { singular, plural, chinese, classifier, adjectives };
}

await runWhenMain(import.meta.url, { name: 'phrases', pieces: phrasePairs, end: '\n' });
