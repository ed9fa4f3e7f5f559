/**
 * Training text as batches for truncated backpropagation through time (Williams & Peng 1990).
 *
 * The text is cut into B streams of equal length; stream b is the b-th contiguous piece. What is left over is not
 * used: fewer than B symbols at the end of the text, fewer than T at the end of each stream.
 *
 * Window w of an epoch takes the symbols w·T to w·T + T - 1 of every
 * stream as inputs and their successors as targets. So row b of one window goes on where row b of the window
 * before ended, and the hidden state can be carried over; at the start of an epoch it cannot.
 *
 *                 window 0    window 1    window 2
 *     stream 0    A B C D  ·  E F G H  ·  I J K L  ·  M
 *     stream 1    N O P Q  ·  R S T U  ·  V W X Y  ·  Z          B = 2, T = 4
 */
import { CharloomError } from '../errors.ts';
import type { IdSequence } from './id-sequence.ts';

/** Ids that are read at once, over all streams: a text on disk is read in ranges worth a system call. */
const READ_AHEAD = 2 ** 18;

/** Which window comes next. Both count from 0. */
export interface BatchPosition {
  readonly epoch: number;
  readonly window: number;
}

export interface BatchInfo {
  /** The epoch that this window belongs to, from 0 on. */
  readonly epoch: number;
  /** Whether it is the first window of its epoch: the hidden state has to be reset before it. */
  readonly startsEpoch: boolean;
}

/** The windows of one training text, epoch after epoch. */
export class Batches {
  readonly batchSize: number;
  readonly sequenceLength: number;
  /** Symbols per stream. */
  readonly streamLength: number;
  readonly windowsPerEpoch: number;
  readonly #ids: IdSequence;
  /** Windows that were read ahead: which, and one row a stream. */
  readonly #rows: readonly Int32Array[];
  readonly #windowsAhead: number;
  #firstWindow = 0;
  #lastWindow = -1;
  #epoch = 0;
  #window = 0;

  /** @throws CharloomError BAD_DATA if the text is too short for one window */
  constructor(ids: IdSequence, batchSize: number, sequenceLength: number) {
    for (const [name, value] of [
      ['batch size', batchSize],
      ['sequence length', sequenceLength],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} ${value}`);
    }
    this.#ids = ids;
    this.batchSize = batchSize;
    this.sequenceLength = sequenceLength;
    this.streamLength = Math.floor(ids.length / batchSize);
    this.windowsPerEpoch = Math.max(0, Math.floor((this.streamLength - 1) / sequenceLength));
    if (this.windowsPerEpoch === 0) {
      const needed = batchSize * (sequenceLength + 1);
      throw new CharloomError(
        'BAD_DATA',
        `the training text has ${ids.length} characters, but one batch of ${batchSize} sequences of ${sequenceLength} needs ${needed}`,
        'lower --batch-size or --sequence-length, or give more text',
      );
    }
    const ahead = Math.max(1, Math.floor(READ_AHEAD / (batchSize * sequenceLength)));
    this.#windowsAhead = Math.min(ahead, this.windowsPerEpoch);
    const rowLength = this.#windowsAhead * sequenceLength + 1;
    this.#rows = Array.from({ length: batchSize }, () => new Int32Array(rowLength));
  }

  get position(): BatchPosition {
    return { epoch: this.#epoch, window: this.#window };
  }

  /**
   * Makes `position` the next window.
   * @throws CharloomError BAD_DATA if there is no such window
   */
  restore(position: BatchPosition): void {
    const { epoch, window } = position;
    const valid = Number.isSafeInteger(epoch) && Number.isSafeInteger(window) && epoch >= 0 && window >= 0;
    if (!valid || window >= this.windowsPerEpoch) {
      throw new CharloomError(
        'BAD_DATA',
        `there is no window ${window} of epoch ${epoch}: the training text has ${this.windowsPerEpoch} windows`,
      );
    }
    this.#epoch = epoch;
    this.#window = window;
  }

  /**
   * Fills in the next window and moves on.
   * @param inputs [T·B], time-major: row t·B + b is time step t of stream b
   * @param targets [T·B], the symbol that follows each input
   * @throws CharloomError IO if the text is on a disk that fails
   */
  next(inputs: Int32Array, targets: Int32Array): BatchInfo {
    const { batchSize: B, sequenceLength: T } = this;
    if (inputs.length !== T * B || targets.length !== T * B) {
      throw new RangeError(
        `inputs and targets need ${T * B} elements, not ${inputs.length}, ${targets.length}`,
      );
    }
    if (this.#window < this.#firstWindow || this.#window > this.#lastWindow) this.#readAhead();
    const start = (this.#window - this.#firstWindow) * T;
    for (let b = 0; b < B; b++) {
      const row = this.#rows[b]!;
      for (let t = 0; t < T; t++) {
        inputs[t * B + b] = row[start + t]!;
        targets[t * B + b] = row[start + t + 1]!;
      }
    }
    const info = { epoch: this.#epoch, startsEpoch: this.#window === 0 };
    this.#window++;
    if (this.#window === this.windowsPerEpoch) {
      this.#window = 0;
      this.#epoch++;
    }
    return info;
  }
  /** Reads the next window and those after it, of every stream. */
  #readAhead(): void {
    const { sequenceLength: T, streamLength, windowsPerEpoch } = this;
    const first = this.#window;
    const count = Math.min(this.#windowsAhead, windowsPerEpoch - first);
    for (const [b, row] of this.#rows.entries()) {
      this.#ids.read(b * streamLength + first * T, row.subarray(0, count * T + 1));
    }
    this.#firstWindow = first;
    this.#lastWindow = first + count - 1;
  }
}
