/** What runs commands: the two executors of this folder. */
import type { Command, View } from './commands.ts';

/** A list of commands made ready. */
export interface Replayable {
  /** Runs the commands once; resolves when there is room for more work. */
  run(): Promise<void>;
}

/** Memory for tensors, which come into being, as zeros, when first named; and kernels that work on it. */
export interface Executor {
  /** Makes `commands` of the program `name` ready. */
  prepare(name: string, commands: readonly Command[]): Replayable;
  /** Copies `values`, as many as the view has elements. */
  write(target: View, values: ArrayLike<number>): void;
  /** A copy of the view's elements, after everything submitted before. */
  read(source: View): Promise<Float32Array>;
  /** Bytes of tensor memory held now. */
  memoryBytes(): number;
  close(): Promise<void>;
}
