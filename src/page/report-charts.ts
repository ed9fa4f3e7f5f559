/** The charts of a report: in the page as it is made, and again in the browser, with another width or other axes. */
import type { ThinnedCurve } from '../analysis/thinning.ts';
import type { ScaleKind } from './axis-scale.ts';
import type { Chart, Mark, Series } from './chart.ts';

/** What the charts need of a run; JSON. */
export interface ChartedRun {
  readonly name: string;
  /** What training minimises: of `mse` the loss is no cross-entropy, and stands beside no validation. */
  readonly loss: 'cross-entropy' | 'mse';
  readonly training: Charted & {
    readonly loss: ThinnedCurve;
    readonly learningRate: ThinnedCurve;
    readonly gradientNorm: ThinnedCurve;
  };
  readonly validation: Charted & { readonly crossEntropy: ThinnedCurve };
  readonly rollbacks: readonly {
    readonly step: number;
    readonly minutes: number;
    readonly divergedAt: number;
  }[];
}

interface Charted {
  readonly steps: readonly number[];
  readonly minutes?: readonly number[] | undefined;
}

/** What the reader can choose. */
export interface ChartChoice {
  readonly against: 'steps' | 'minutes';
  readonly lossScale: ScaleKind;
}

export const FIRST_CHOICE: ChartChoice = { against: 'steps', lossScale: 'linear' };

/** Of so few values each is shown as a point. */
const MOST_POINTS = 60;

/** Whether all runs can be drawn against minutes. */
export function areTimed(runs: readonly ChartedRun[]): boolean {
  return runs.every(({ training }) => training.minutes !== undefined);
}

/** The charts of a report by the identifier of the element that each is in: those of all runs together, then those of each. */
export function reportCharts(
  runs: readonly ChartedRun[],
  choice: ChartChoice = FIRST_CHOICE,
): Map<string, Chart> {
  const charts = new Map<string, Chart>();
  if (runs.length > 1) {
    for (const [id, chart] of Object.entries(comparison(runs, choice))) charts.set(`all-${id}`, chart);
  }
  for (const [i, run] of runs.entries()) {
    for (const [id, chart] of Object.entries(chartsOf(run, choice))) charts.set(`run-${i + 1}-${id}`, chart);
  }
  return charts;
}

function comparison(runs: readonly ChartedRun[], choice: ChartChoice): Record<string, Chart> {
  const x = { label: xLabel(choice), include: [0] };
  const evaluated = runs.some(({ validation }) => validation.steps.length > 0);
  // Squared errors and cross-entropies have no axis in common.
  const losses = new Set(runs.map(({ loss }) => loss));
  return {
    ...(evaluated && {
      validation: {
        title: 'Validation loss of all runs',
        x,
        y: { label: 'nats per character', scale: choice.lossScale },
        legend: true,
        series: runs.map((run, look) => ({ ...validationOf(run, choice), name: run.name, look })),
      },
    }),
    ...(losses.size === 1 && {
      training: {
        title: 'Training loss of all runs, each point the mean of a hundredth of its run',
        x,
        y: { label: lossLabel(runs[0]!), scale: choice.lossScale },
        legend: true,
        series: runs.map((run, look) => ({
          ...coarser(along(run.training, choice), run.training.loss.mean),
          name: run.name,
          look,
        })),
      },
    }),
  };
}

function chartsOf(run: ChartedRun, choice: ChartChoice): Record<string, Chart> {
  const x = { label: xLabel(choice), include: [0] };
  const marks = run.rollbacks.map(
    (rollback): Mark => ({
      x: rollback[choice.against === 'steps' ? 'step' : 'minutes'],
      label: `diverged at ${rollback.divergedAt}, back`,
    }),
  );
  const training: Series = { ...trainingOf(run, run.training.loss, choice), name: 'training', look: 0 };
  const validation: Series[] =
    run.validation.steps.length > 0 ? [{ ...validationOf(run, choice), name: 'validation', look: 1 }] : [];
  const together = run.loss === 'cross-entropy';
  const loss = (title: string, label: string, series: readonly Series[]): Chart => ({
    title,
    x,
    y: { label, scale: choice.lossScale },
    legend: true,
    series,
    marks,
  });
  return {
    loss: loss(
      validation.length > 0 && together ? 'Training and validation loss' : 'Training loss',
      lossLabel(run),
      together ? [training, ...validation] : [training],
    ),
    ...(!together &&
      validation.length > 0 && { validation: loss('Validation loss', 'nats per character', validation) }),
    gradient: {
      title: 'Norm of the gradient, before clipping',
      x,
      y: { label: 'gradient norm', scale: 'log' },
      series: [{ ...trainingOf(run, run.training.gradientNorm, choice), name: 'gradient norm', look: 2 }],
      marks,
      height: 220,
    },
    rate: {
      title: 'Learning rate',
      x,
      y: { label: 'learning rate', include: [0] },
      series: [{ ...trainingOf(run, run.training.learningRate, choice), name: 'learning rate', look: 3 }],
      marks,
      height: 200,
    },
  };
}

const xLabel = ({ against }: ChartChoice): string => (against === 'steps' ? 'steps' : 'minutes of training');
const lossLabel = ({ loss }: ChartedRun): string => (loss === 'mse' ? 'squared error' : 'nats per character');

function trainingOf(
  { training }: ChartedRun,
  curve: ThinnedCurve,
  choice: ChartChoice,
): Omit<Series, 'name'> {
  return { x: along(training, choice), y: curve.mean, band: curve };
}

function validationOf({ validation }: ChartedRun, choice: ChartChoice): Omit<Series, 'name'> {
  const { crossEntropy, steps } = validation;
  return {
    x: along(validation, choice),
    y: crossEntropy.mean,
    band: crossEntropy,
    points: steps.length <= MOST_POINTS,
  };
}

function along({ steps, minutes }: Charted, { against }: ChartChoice): readonly number[] {
  return against === 'minutes' && minutes ? minutes : steps;
}

/** So many means of neighbours: noise of several runs over one another hides them all. */
const COMPARED_POINTS = 100;

function coarser(x: readonly number[], y: readonly number[]): Pick<Series, 'x' | 'y'> {
  const size = Math.ceil(x.length / COMPARED_POINTS);
  const means = (values: readonly number[]): number[] =>
    Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
      const part = values.slice(i * size, (i + 1) * size).filter(Number.isFinite);
      return part.reduce((a, b) => a + b, 0) / part.length;
    });
  return { x: means(x), y: means(y) };
}
