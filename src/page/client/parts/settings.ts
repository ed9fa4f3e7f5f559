/** The settings of a page: what its sliders and fields say. */
import type { SamplingOptions } from '../../../inference/sampling-options.ts';

/** Characters a second, from left to right. */
const PACES = [5, 10, 20, 40, 100, 400, Number.POSITIVE_INFINITY];

export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A field of a number; what is not one, or out of its range, is put right when the field is left. */
class NumberField {
  readonly input: HTMLInputElement;
  #value: number;

  constructor(id: string) {
    this.input = element(id);
    this.#value = this.input.valueAsNumber;
    this.input.addEventListener('input', () => {
      if (this.input.validity.valid && !Number.isNaN(this.input.valueAsNumber)) {
        this.#value = this.input.valueAsNumber;
      }
    });
    this.input.addEventListener('change', () => {
      const value = Math.round(this.input.valueAsNumber);
      if (!Number.isNaN(value))
        this.value = Math.min(Number(this.input.max), Math.max(Number(this.input.min), value));
      else this.value = this.#value;
    });
  }

  get value(): number {
    return this.#value;
  }

  set value(value: number) {
    this.#value = value;
    this.input.value = String(value);
  }
}

export class Settings {
  readonly seed = new NumberField('seed');
  readonly length = new NumberField('length');
  readonly topK = new NumberField('top-k');
  readonly layer = new NumberField('layer');
  readonly neuron = new NumberField('neuron');
  readonly #temperature = slider('temperature', (value) => value.toFixed(2));
  readonly #topP = slider('top-p', (value) => value.toFixed(2));
  readonly #minP = slider('min-p', (value) => value.toFixed(2));
  readonly #pace = slider('pace', (value) => {
    const pace = PACES[value]!;
    return Number.isFinite(pace) ? `${pace} a second` : 'as fast as it can';
  });

  constructor() {
    this.drawSeed();
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.#pace.value = this.#pace.max;
      this.#pace.dispatchEvent(new Event('input'));
    }
  }

  get sampling(): SamplingOptions {
    return {
      temperature: this.#temperature.valueAsNumber,
      topK: this.topK.value,
      topP: this.#topP.valueAsNumber,
      minP: this.#minP.valueAsNumber,
    };
  }

  /** Characters a second. */
  get pace(): number {
    return PACES[this.#pace.valueAsNumber]!;
  }

  /** Which colours the text has. */
  get colours(): string {
    return document.querySelector<HTMLInputElement>('input[name="colours"]:checked')!.value;
  }

  /** Another seed: one that people can remember. */
  drawSeed(): void {
    this.seed.value = crypto.getRandomValues(new Uint32Array(1))[0]! % 1_000_000;
  }
}

/** A slider whose value stands beside it. */
function slider(id: string, format: (value: number) => string): HTMLInputElement {
  const input = element<HTMLInputElement>(id);
  const output = element(`${id}-value`);
  const show = (): void => {
    const text = format(input.valueAsNumber);
    output.textContent = text;
    input.setAttribute('aria-valuetext', text);
  };
  input.addEventListener('input', show);
  show();
  return input;
}
