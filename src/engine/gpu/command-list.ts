/** Building a list of commands: keeps the rule that no dispatch reads the tensor it writes. */
import type { Matrix, Tensor } from '../engine.ts';
import { type Command, type Kernel, type Size, type View, view1d, volume } from './commands.ts';

/** Collects commands, and the scratch tensors they use, which are temporaries of the program. */
export class CommandList {
  readonly commands: Command[] = [];
  readonly #scratch = new Map<string, Tensor>();

  /**
   * Runs a kernel. Where the output lies in a tensor that is also read, the kernel writes aside, and the
   * result is copied to its place.
   */
  dispatch(kernel: Kernel, inputs: readonly View[], output: View, grid: Size): void {
    const direct = inputs.every((input) => input.tensor !== output.tensor);
    const target = direct
      ? output
      : { ...output, tensor: this.scratch('aside', volume(output.size)), offset: 0 };
    this.commands.push({ kind: 'dispatch', kernel, inputs, output: target, grid });
    if (!direct) this.copy(target, output);
  }

  /** Runs a kernel over a flat grid whose results are `outputs`, one after the other, and copies each to its place. */
  dispatchAll(kernel: Kernel, inputs: readonly View[], outputs: readonly Matrix[]): void {
    const length = outputs.reduce((sum, output) => sum + output.length, 0);
    const tensor = this.scratch('aside', length);
    this.dispatch(kernel, inputs, { tensor, offset: 0, size: [length] }, [length]);
    let offset = 0;
    for (const output of outputs) {
      this.copy({ tensor, offset, size: [output.length] }, view1d(output));
      offset += output.length;
    }
  }

  copy(from: View, to: View): void {
    if (from.tensor === to.tensor) {
      const aside = { ...from, tensor: this.scratch('aside', volume(from.size)), offset: 0 };
      this.copy(from, aside);
      this.copy(aside, to);
    } else this.commands.push({ kind: 'copy', from, to });
  }

  clear(view: View): void {
    this.commands.push({ kind: 'clear', view });
  }

  /** At least `length` elements, the same memory for every use of `slot`: its content is good until the next use. */
  scratch(slot: string, length: number): Tensor {
    let tensor = this.#scratch.get(slot);
    if (!tensor || tensor.length < length) {
      tensor = { name: `scratch ${slot}`, kind: 'temporary', type: 'f32', length };
      this.#scratch.set(slot, tensor);
    }
    return tensor;
  }
}
