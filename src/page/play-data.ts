/** The model in a page, as `play.ts` puts it there and the script of the page takes it. */
import type { ModelConfig } from '../model/config.ts';
import type { VocabularyJson } from '../text/vocabulary.ts';

export interface PlayData {
  readonly model: ModelConfig;
  readonly vocabulary: VocabularyJson;
  /** All weights, flat as `ParameterLayout` places them: float32, little-endian, base64. */
  readonly weights: string;
  /** CRC-32 of their bytes. */
  readonly checksum: number;
}
