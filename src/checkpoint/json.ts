/** JSON files of a run, read strictly. */
import { CharloomError } from '../errors.ts';
import { readWholeFile } from './read-file.ts';

/** Room for any configuration or vocabulary. */
const MAX_JSON_BYTES = 16 * 2 ** 20;
/** Objects and lists within each other; ours have five. */
const MAX_DEPTH = 64;

/**
 * The object in a JSON file. Its keys are the sender's: read known ones, and merge it into nothing.
 * @throws CharloomError as `readWholeFile`; BAD_DATA if it is not UTF-8, not JSON, no object, or has a key twice
 */
export async function readJsonObject(
  path: string,
  maxBytes = MAX_JSON_BYTES,
): Promise<Record<string, unknown>> {
  return parseJsonObject(await readWholeFile(path, maxBytes), path);
}

/** As `readJsonObject`, of bytes; `label` names them in errors. */
export function parseJsonObject(bytes: Uint8Array, label: string): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new CharloomError('BAD_DATA', `${label} is not valid UTF-8`, '', { cause: error });
  }
  // Before the parser, whose stack and memory it would take.
  if (isDeeperThan(MAX_DEPTH, text)) throw new CharloomError('BAD_DATA', `${label} is nested too deeply`);
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The message of the parser quotes the file, which may hold anything: keep the position only.
    const position = / at position \d+/.exec((error as Error).message)?.[0] ?? '';
    throw new CharloomError('BAD_DATA', `${label} is not valid JSON${position}`, '', { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CharloomError('BAD_DATA', `${label} is not a JSON object`);
  }
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) {
    throw new CharloomError(
      'BAD_DATA',
      `${label} has the key ${JSON.stringify(duplicate.slice(0, 80))} twice`,
    );
  }
  return value as Record<string, unknown>;
}

/** Whether brackets outside of strings open more than `limit` levels; of text that need not be valid JSON. */
function isDeeperThan(limit: number, text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{' || character === '[') {
      if (++depth > limit) return true;
    } else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      while (++at < text.length && text[at] !== '"') if (text[at] === '\\') at++;
    }
  }
  return false;
}

/**
 * A key that occurs twice in one object of valid JSON: `JSON.parse` keeps the last and says nothing, other
 * readers may keep the first.
 */
function duplicateKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  const colon = /\s*:/y;
  // Of valid JSON only strings and braces matter; a string before a colon is a key. Character by character:
  // an expression for a whole string would need memory for each escape in it, and run out of it.
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') objects.push(new Set());
    else if (character === '}') objects.pop();
    else if (character === '"') {
      const start = at;
      while (text[++at] !== '"') if (text[at] === '\\') at++;
      colon.lastIndex = at + 1;
      if (!colon.test(text)) continue;
      const key: string = JSON.parse(text.slice(start, at + 1));
      const keys = objects.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
