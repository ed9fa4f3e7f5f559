/** Weights before the first step: those of a trained model, in one that knows more symbols. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { CELLS } from '../../src/model/config.ts';
import { initialWeights, startFrom } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';

const KNOWN = 11;
const IDS = Int32Array.from({ length: 20 }, (_, i) => (i * i + 3) % KNOWN);

/** Of two streams that read `IDS`: for each character and symbol. */
async function logitsOf(model: LanguageModel, weights: ArrayLike<number>): Promise<number[][]> {
  const engine = new ReferenceEngine();
  const recorder = new Recorder('reading');
  const ids = declare('ids', 'input', IDS.length, 1, 'i32');
  const out = declare('logits', 'state', IDS.length, model.config.vocabulary);
  const { logits } = model.recordForward(recorder, { ids, state: model.declareState(2) });
  recorder.add('copy', { out, input: logits });
  engine.write(model.parameters, weights);
  engine.write(ids, IDS);
  await engine.prepare(recorder.finish()).run();
  const values = await engine.read(out);
  const width = model.config.vocabulary;
  return Array.from(IDS, (_, row) => [...values.subarray(row * width, (row + 1) * width)]);
}

describe('a model that starts from trained weights', () => {
  for (const cell of CELLS) {
    for (const embedding of [0, 5]) {
      it(`says of the symbols it had what it said before, whatever is new: ${cell}, ${embedding ? 'embedding' : 'one-hot'}`, async () => {
        const config = { cell, activation: 'tanh', layers: 2, hidden: KNOWN, embedding, dropout: 0 } as const;
        const old = new LanguageModel({ ...config, vocabulary: KNOWN });
        const trained = Float32Array.from({ length: old.layout.length }, (_, i) => Math.sin(i * i));
        const model = new LanguageModel({ ...config, vocabulary: KNOWN + 3 });
        const drawn = await initialWeights(model.config, model.layout, new Random(1));
        const weights = startFrom({ layout: old.layout, values: trained }, model.layout, drawn);

        const before = await logitsOf(old, trained);
        const after = await logitsOf(model, weights);
        for (const [row, logits] of after.entries()) assert.deepEqual(logits.slice(0, KNOWN), before[row]);

        // Of what is new the weights are as they were drawn.
        const news = model.layout.entries.filter(({ rows, columns }, i) => {
          const { rows: r, columns: c } = old.layout.entries[i]!;
          return rows !== r || columns !== c;
        });
        assert.deepEqual(
          news.map(({ name }) => name).sort(),
          [embedding ? 'embedding.weight' : 'rnn.weight_ih_l0', 'head.bias', 'head.weight'].sort(),
        );
        for (const { name, rows, columns, offset } of news) {
          const columnwise = name === 'head.bias' || name.startsWith('rnn');
          for (let row = columnwise ? 0 : KNOWN; row < rows; row++) {
            for (let column = columnwise ? KNOWN : 0; column < columns; column++) {
              const at = offset + row * columns + column;
              assert.equal(weights[at], drawn[at], `${name} ${row}, ${column}`);
            }
          }
        }
      });
    }
  }

  it('has its weights and no others where there is nothing new', async () => {
    const config = {
      cell: 'gru',
      activation: 'tanh',
      layers: 1,
      hidden: 6,
      embedding: 4,
      dropout: 0,
    } as const;
    const { layout, config: full } = new LanguageModel({ ...config, vocabulary: KNOWN });
    const initial = await initialWeights(full, layout, new Random(2));
    // Of the precision of the reference.
    const trained = Float64Array.from(initial, (weight) => weight && weight + 1e-12);
    assert.deepEqual(startFrom({ layout, values: trained }, layout, initial), trained);
  });
});
