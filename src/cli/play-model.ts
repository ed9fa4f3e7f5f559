/** From a `<model>` argument to the page that it writes on: what `export` and `play` have in common. */
import { basename, dirname, resolve } from 'node:path';
import { loadWeights } from '../checkpoint/weights.ts';
import { CharloomError } from '../errors.ts';
import { ParameterLayout } from '../model/parameters.ts';
import { playPage } from '../page/play.ts';
import { parseSummary, Run } from '../training/run.ts';
import { parseCheckpoint } from './open-model.ts';
import { bytes } from './terminal/format.ts';
import { note } from './terminal/output.ts';

/** Browsers take long to read a page of more than about so much, and phones may not read it at all. */
const LARGE = 100e6;
/** A page is one string, of which Node.js makes none of more than half a gigabyte; weights take 4/3 of their bytes in it. */
const LARGEST = 350e6;

export interface ModelPage {
  readonly html: string;
  /** Of the document in UTF-8. */
  readonly bytes: number;
  readonly step: number;
  readonly run: Run;
}

/**
 * The page of a model; people are told if it is large.
 * @param path a run folder or one checkpoint folder
 * @throws CharloomError USAGE if the model is too large for a page; as `Run.locate` and `loadModel`
 */
export async function pageOf(path: string, checkpointOption: string): Promise<ModelPage> {
  const { run, checkpoint } = await Run.locate(path, parseCheckpoint(checkpointOption));
  const { model: config, files } = run.config;
  const layout = new ParameterLayout(config);
  const weightBytes = layout.length * 4;
  if (weightBytes > LARGEST) {
    throw new CharloomError(
      'USAGE',
      `${path}: a model of ${bytes(weightBytes)} is too large for a page, which holds ${bytes(LARGEST)} at most`,
      'it writes on the command line: charloom sample',
    );
  }
  const { step, summary, weights } = await loadWeights(checkpoint, layout);
  const { best, validation } = parseSummary(summary, checkpoint);
  const measured = [validation, best].find((evaluation) => evaluation?.step === step);
  const html = playPage({
    config,
    vocabulary: run.vocabulary,
    weights,
    name: basename(dirname(dirname(resolve(checkpoint)))),
    texts: files.map(({ name }) => name),
    step,
    bitsPerCharacter: measured ? measured.crossEntropy / Math.LN2 : undefined,
  });
  const size = Buffer.byteLength(html);
  if (size > LARGE)
    note(`the page has ${bytes(size)}: browsers take long to open it, and phones may not at all`);
  return { html, bytes: size, step, run };
}
