/** `charloom corpus`: the catalogue of public corpora, and getting one of them. */
import { Command, Option } from 'commander';
import { CharloomError } from '../errors.ts';
import { bestBitsPerCharacter, type CatalogEntry, findEntry, readCatalog } from '../text/catalog.ts';
import { type DownloadedCorpus, downloadCorpus } from '../text/download.ts';
import { examples } from './help.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { bytes, table } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { styled } from './terminal/style.ts';

const LICENCE_WIDTH = 32;

export function corpusCommand(): Command {
  return new Command('corpus')
    .description('list public corpora and download them')
    .addHelpText('before', examples('charloom corpus list', 'charloom corpus get tinyshakespeare'))
    .addCommand(listCommand())
    .addCommand(getCommand());
}

const catalogOption = (): Option => new Option('--catalog <file>', 'a catalogue of your own (JSON)');

function listCommand(): Command {
  return new Command('list')
    .description('list the corpora of the catalogue')
    .addOption(catalogOption())
    .option('--json', 'print one JSON object, with every field')
    .addHelpText(
      'before',
      examples(
        'charloom corpus list',
        'charloom corpus list --json      with addresses, checksums, published results, notes',
      ),
    )
    .addHelpText(
      'after',
      '\nSIZE is that of the download, BITS/CHAR the best published result. GET: "by hand" is an archive that\n' +
        'you have to unpack yourself. A licence of "?" was not verified.',
    )
    .action(async ({ catalog, json }: { catalog?: string; json?: boolean }) => {
      const corpora = await readCatalog(catalog);
      if (json) return printJson({ corpora });
      const header = ['NAME', 'LANGUAGE', 'SIZE', 'BITS/CHAR', 'GET', 'LICENCE', 'TITLE'];
      return print(table([header, ...corpora.map(row)]));
    });
}

function row(entry: CatalogEntry): string[] {
  return [
    entry.name,
    entry.language,
    entry.bytes === null ? '?' : bytes(entry.bytes),
    bestBitsPerCharacter(entry)?.toFixed(2) ?? '-',
    entry.download === 'manual' ? 'by hand' : 'yes',
    shortened(entry.licence ?? '?'),
    entry.title,
  ];
}

/** Without what comes after a semicolon or in parentheses, and cut. */
function shortened(licence: string): string {
  const short = licence.replace(/(;| \().*/, '');
  return short.length > LICENCE_WIDTH ? `${short.slice(0, LICENCE_WIDTH - 1)}…` : short;
}

interface GetOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly catalog?: string;
  readonly json?: boolean;
}

function getCommand(): Command {
  return new Command('get')
    .description('download a corpus, verify and unpack it, print the path of the text')
    .argument('<name>', "as in 'charloom corpus list'")
    .option('--out <file>', 'the file to write (default: NAME.txt in the current folder)')
    .option('--force', 'replace the file if it exists')
    .addOption(catalogOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom corpus get tinyshakespeare                 write tinyshakespeare.txt here',
        'charloom corpus get text8 --out data/text8.txt',
        'charloom train "$(charloom corpus get names)"       download, then train on it',
      ),
    )
    .action(get);
}

async function get(name: string, options: GetOptions): Promise<void> {
  const { out, force = false, catalog, json } = options;
  if (out === '' || out === '-') {
    throw new CharloomError('USAGE', `--out '${out}' is not a file name`, 'a corpus is written to a file');
  }
  const entry = findEntry(await readCatalog(catalog), name);
  const corpus = await withProgress(entry, out ?? `${entry.name}.txt`, force);
  conclude(entry, corpus);
  return json ? printJson({ name: entry.name, ...corpus }) : print(`${corpus.path}\n`);
}

async function withProgress(entry: CatalogEntry, path: string, force: boolean): Promise<DownloadedCorpus> {
  const { signal } = interruption;
  let bar: ProgressBar | undefined;
  const onProgress = (done: number, total: number | undefined): void => {
    if (!bar) note(`downloading ${entry.url}${total === undefined ? '' : ` (${bytes(total)})`} …`);
    bar ??= new ProgressBar(entry.name, total, bytes);
    bar.update(done, total);
  };
  try {
    return await downloadCorpus(entry, path, { force, signal, onProgress });
  } catch (error) {
    bar?.close();
    if (signal.aborted) note('stopped, nothing was kept');
    throw error;
  } finally {
    bar?.close();
  }
}

/** What people should know about the file that they have now. */
function conclude(entry: CatalogEntry, { bytes: size, verified, download }: DownloadedCorpus): void {
  const style = styled(process.stderr);
  if (verified) {
    note(`${style.green('verified:')} ${bytes(size)}, the sha256 is that of the catalogue`);
  } else {
    note(
      `${style.yellow('warning:')} the catalogue has no sha256 of ${entry.name}: this download could not be verified`,
    );
    note(`its sha256 is ${download.sha256}`);
  }
  note(`licence: ${entry.licence ?? 'not verified'}`);
  note(`notes: ${entry.notes}`);
}
