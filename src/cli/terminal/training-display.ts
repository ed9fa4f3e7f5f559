/**
 * A training run on stderr: on a terminal a status block that is redrawn in place, elsewhere a plain line
 * every few seconds. Evaluations, samples and warnings scroll by above it.
 */
import type { StepEvent, TrainingEvent } from '../../training/events.ts';
import { barOf, PLAIN_LINE_MILLISECONDS, REDRAW_MILLISECONDS } from './bar.ts';
import { count, duration, sparkline } from './format.ts';
import { note } from './output.ts';
import { printable } from './printable.ts';
import { isLive, styled } from './style.ts';

const SPARKLINE_WIDTH = 40;
/** Losses kept for the sparkline; halved by pairwise means when full, so that it always spans the run. */
const MAX_LOSSES = 4096;

export class TrainingDisplay {
  readonly #live = isLive();
  readonly #style = styled(process.stderr);
  #losses: number[] = [];
  #perEntry = 1;
  #sum = 0;
  #summed = 0;
  #validation: number | undefined;
  #speed = 0;
  #shown = 0;
  #drawnLines = 0;

  /** Shows one event. */
  show(event: TrainingEvent): void {
    const style = this.#style;
    switch (event.event) {
      case 'step':
        this.#step(event);
        break;
      case 'eval': {
        this.#validation = event.crossEntropy;
        const figures = `${event.crossEntropy.toFixed(4)} nats, ${event.bitsPerCharacter.toFixed(3)} bits/character, perplexity ${event.perplexity.toFixed(2)}`;
        this.#line(
          `step ${event.step}  ${style.cyan(event.split)} ${figures}${event.best ? style.green('  best so far') : ''}`,
        );
        break;
      }
      case 'sample':
        this.#line(
          `${style.dim(`── sample at step ${event.step} ──`)}\n${printable(event.text)}\n${style.dim('──')}`,
        );
        break;
      case 'warning':
        this.#line(`${style.yellow('warning:')} ${event.message}`);
        break;
      case 'rollback': {
        const { step, divergedAt, reason, learningRateFactor } = event;
        this.#line(
          `${style.yellow('diverged')} at step ${divergedAt} (${reason}): back to step ${step}, with ${learningRateFactor} of the learning rate`,
        );
        break;
      }
      case 'checkpoint':
      case 'done':
        break;
    }
  }

  /** Takes the status block off the screen; what was printed above it stays. */
  close(): void {
    this.#erase();
  }

  #step(event: StepEvent): void {
    this.#remember(event.loss);
    this.#speed =
      this.#speed === 0 ? event.charactersPerSecond : 0.95 * this.#speed + 0.05 * event.charactersPerSecond;
    const now = performance.now();
    if (this.#shown > 0 && now - this.#shown < (this.#live ? REDRAW_MILLISECONDS : PLAIN_LINE_MILLISECONDS))
      return;
    this.#shown = now;
    const progress = [`${count(this.#speed)} characters/s`, `${duration(event.secondsLeft)} left`];
    const figures = [
      `step ${event.step}`,
      `epoch ${event.epoch.toFixed(2)}`,
      `loss ${event.loss.toFixed(3)}`,
      ...(this.#validation === undefined ? [] : [`validation ${this.#validation.toFixed(3)}`]),
    ];
    if (!this.#live) {
      note([...figures, ...progress].join('  '));
      return;
    }
    const style = this.#style;
    const dot = style.dim(' · ');
    this.#erase();
    this.#draw([
      `${barOf(event.progress, style)}  ${progress.join(dot)}`,
      figures.join(dot),
      `${style.dim('loss')} ${style.magenta(sparkline(this.#losses, SPARKLINE_WIDTH))}`,
    ]);
  }

  #remember(loss: number): void {
    this.#sum += loss;
    if (++this.#summed < this.#perEntry) return;
    this.#losses.push(this.#sum / this.#summed);
    this.#sum = 0;
    this.#summed = 0;
    if (this.#losses.length < MAX_LOSSES) return;
    this.#losses = Array.from(
      { length: MAX_LOSSES / 2 },
      (_, i) => (this.#losses[2 * i]! + this.#losses[2 * i + 1]!) / 2,
    );
    this.#perEntry *= 2;
  }

  #line(text: string): void {
    this.#erase();
    note(text);
  }

  #draw(lines: readonly string[]): void {
    // Without wrapping, a narrow terminal cuts the lines, and their number stays known.
    process.stderr.write(`\x1b[?7l${lines.join('\n')}\n\x1b[?7h`);
    this.#drawnLines = lines.length;
  }

  #erase(): void {
    if (this.#drawnLines === 0) return;
    // What is typed meanwhile (^C) is echoed on the line below: back to the first column, too.
    process.stderr.write(`\r\x1b[${this.#drawnLines}A\x1b[0J`);
    this.#drawnLines = 0;
  }
}
