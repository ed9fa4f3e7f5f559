/**
 * What the steps of a chain leave for each other. A dispatch must not read the tensor it writes, so the records
 * of even and odd steps lie in two tensors, and each step reads from one and writes to the other.
 */
import type { Tensor } from '../../engine.ts';
import type { CommandList } from '../command-list.ts';
import type { Size, View } from '../commands.ts';

export class Records {
  readonly #size: readonly [number, number];
  readonly #tensors: readonly [Tensor, Tensor];
  readonly #steps: number;

  /** Records of `size` for `steps` steps. */
  constructor(list: CommandList, steps: number, size: readonly [number, number]) {
    const length = size[0] * size[1] * Math.ceil(steps / 2);
    this.#steps = steps;
    this.#size = size;
    this.#tensors = [list.scratch('even steps', length), list.scratch('odd steps', length)];
  }

  /** The record of a step. */
  at(step: number): View {
    const [x, y] = this.#size;
    return { tensor: this.#tensors[step % 2]!, offset: (step >> 1) * x * y, size: this.#size };
  }

  /** The records of the even and of the odd steps, to be indexed [step / 2][y][x]. */
  get all(): readonly [View, View] {
    const [even, odd] = this.#tensors;
    const size: Size = [...this.#size, Math.ceil(this.#steps / 2)];
    return [
      { tensor: even, offset: 0, size },
      { tensor: odd, offset: 0, size },
    ];
  }
}

/**
 * Kernel statements that declare `names[i]` = the record of step number `step` at `indices[i]`, from the
 * arguments `even` and `odd`.
 */
export function readRecord(step: string, values: Readonly<Record<string, string>>): string {
  const entries = Object.entries(values);
  const assign = (tensor: string): string =>
    entries.map(([name, index]) => `${name} = ${tensor}[half]${index};`).join(' ');
  return `const step = ${step};
      const half = Math.floor(step * 0.5);
      ${entries.map(([name]) => `let ${name} = 0.5;`).join(' ')}
      if (half * 2 === step) { ${assign('even')} } else { ${assign('odd')} }`;
}
