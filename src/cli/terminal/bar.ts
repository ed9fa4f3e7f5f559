/** Work of known length on stderr: a bar on a terminal, redrawn in place; elsewhere a plain line now and then. */
import { count, progress } from './format.ts';
import { note } from './output.ts';
import { isLive, styled } from './style.ts';

/** From one state that is shown to the next: of what is redrawn in place, and of plain lines. */
export const REDRAW_MILLISECONDS = 100;
export const PLAIN_LINE_MILLISECONDS = 5000;
const BAR_WIDTH = 24;

export class ProgressBar {
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #amount: (value: number) => string;
  readonly #live = isLive();
  readonly #style = styled(process.stderr);
  readonly #started = performance.now();
  #shown = performance.now();
  #drawn = false;

  /**
   * @param label what is being done
   * @param total undefined where it is not known
   * @param amount how an amount is written; default: a plain count
   */
  constructor(label: string, total: number | undefined, amount: (value: number) => string = count) {
    this.#label = label;
    this.#total = total;
    this.#amount = amount;
  }

  /** To be called often: it is shown only now and then. */
  update(done: number, total = this.#total): void {
    const now = performance.now();
    const interval = this.#live ? REDRAW_MILLISECONDS : PLAIN_LINE_MILLISECONDS;
    if (now - this.#shown < interval) return;
    this.#shown = now;
    const figures = progress(done, total, (now - this.#started) / 1000, this.#amount);
    if (!this.#live) {
      note(`${this.#label}  ${figures.join('  ')}`);
      return;
    }
    const line = `${this.#label}  ${this.#bar(done, total)}${figures.join(this.#style.dim(' · '))}`;
    // Without wrapping, a narrow terminal cuts the line, and it stays one.
    process.stderr.write(`\r\x1b[2K\x1b[?7l${line}\x1b[?7h`);
    this.#drawn = true;
  }

  /** Takes the bar off the screen. */
  close(): void {
    if (this.#drawn) process.stderr.write('\r\x1b[2K');
    this.#drawn = false;
  }

  #bar(done: number, total: number | undefined): string {
    if (total === undefined) return '';
    return `${barOf(Math.min(1, done / total), this.#style)}  `;
  }
}

/** A bar for a fraction in [0, 1], and its percentage. */
export function barOf(fraction: number, style: ReturnType<typeof styled>): string {
  const columns = Math.round(fraction * BAR_WIDTH);
  const bar = style.cyan('━'.repeat(columns)) + style.dim('─'.repeat(BAR_WIDTH - columns));
  return `${bar}${`${Math.floor(100 * fraction)}%`.padStart(4)}`;
}

/** Has `work` show a bar, which vanishes when it is done, or has failed. */
export async function withBar<T>(bar: ProgressBar, work: (bar: ProgressBar) => Promise<T>): Promise<T> {
  try {
    return await work(bar);
  } finally {
    bar.close();
  }
}
