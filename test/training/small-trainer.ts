/** A trainer of a network with 8 hidden units, in memory. */
import type { Engine } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import type { IdSequence } from '../../src/text/id-sequence.ts';
import type { Vocabulary } from '../../src/text/vocabulary.ts';
import type { TrainingConfig } from '../../src/training/config.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { Trainer } from '../../src/training/trainer.ts';

export interface SmallTexts {
  readonly vocabulary: Vocabulary;
  readonly training: IdSequence;
  readonly validation: IdSequence;
}

/** The caller initialises or restores the trainer, and closes the engine. */
export async function smallTrainer(
  network: Pick<ModelConfig, 'cell' | 'activation' | 'dropout'>,
  settings: Partial<TrainingConfig>,
  texts: SmallTexts,
): Promise<{ engine: Engine; trainer: Trainer }> {
  const engine = await openEngine('simd', { threads: 1 });
  const sizes = { layers: 1, hidden: 8, embedding: 4, vocabulary: texts.vocabulary.size };
  const model = new LanguageModel({ ...network, ...sizes });
  const config = { ...PRESETS.default!.settings, ...settings };
  return { engine, trainer: new Trainer({ engine, model, config, ...texts }) };
}
