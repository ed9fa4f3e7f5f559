/** What the compiler of programs has to know of those who walk its lists. */
export interface Target {
  /** How many walk a list. */
  readonly threads: number;
  /** Bytes that addresses count. */
  readonly addressBytes: number;
  /** Columns of the panels into which the right operand of a product is packed. */
  readonly panelColumns: number;
  /** Whether panels of weights, which a program only reads, hold bfloat16 numbers. */
  readonly halves: boolean;
  /** Rows of the tile of sums that a product keeps in registers. */
  readonly tileRows: number;
  /** A product of fewer rows takes as long as one of so many: what takes time then is reading the other operand. */
  readonly leastRows: number;
  /** What one thread does while threads wait for each other, in multiplications and additions: about a microsecond's worth. */
  readonly barrierWork: number;
}
