/**
 * The settings of a training run and where they come from: a preset, then a configuration file, then options;
 * the later one wins.
 */
import { type Command, Option } from 'commander';
import { parseJsonObject } from '../checkpoint/json.ts';
import { CharloomError } from '../errors.ts';
import { checkFields, choice, type Origin, shown } from '../fields.ts';
import { ACTIVATIONS, CELLS, checkModelConfig, type ModelConfig } from '../model/config.ts';
import { LOSSES } from '../model/loss.ts';
import { readSettings } from '../text/source.ts';
import { UNITS } from '../text/symbol-reader.ts';
import { checkTrainingConfig, OPTIMIZERS, SCHEDULES, type TrainingConfig } from '../training/config.ts';
import { PRESETS } from '../training/presets.ts';
import { checkTextSettings, type TextSettings } from '../training/run-config.ts';
import { flagOf, numberOption, OPTION_ORIGIN } from './options.ts';

export interface RunSettings {
  readonly preset: string;
  readonly text: TextSettings;
  readonly model: Omit<ModelConfig, 'vocabulary'>;
  readonly training: TrainingConfig;
}

const BUDGETS = ['epochs', 'steps', 'minutes'] as const;

const TEXT_DEFAULTS: TextSettings = { unit: 'character', minCount: 1, split: '90/5/5' };

/** Budgets, also options of `resume`. */
export const budgetOptions = (): Option[] => [
  numberOption('--epochs <n>', 'stop after this many passes over the training text'),
  numberOption('--steps <n>', 'stop after this many training steps'),
  numberOption('--minutes <n>', 'stop after this much training time'),
];

/** Every option that is a setting; its name in camel case is the setting's name. */
const groups: readonly (readonly [heading: string, options: () => Option[]])[] = [
  [
    'Model:',
    () => [
      new Option('--cell <name>', 'recurrent cell').choices(CELLS),
      new Option('--activation <name>', 'f of the textbook RNN').choices(ACTIVATIONS),
      numberOption('--layers <n>', 'stacked recurrent layers'),
      numberOption('--hidden <n>', 'hidden units per layer'),
      numberOption('--embedding <n>', 'width of the learned embedding; 0 = one-hot input'),
      numberOption('--dropout <p>', 'dropout on the non-recurrent connections'),
    ],
  ],
  [
    'Text:',
    () => [
      new Option('--unit <name>', 'what a symbol is').choices(UNITS),
      numberOption('--min-count <n>', 'symbols seen fewer than n times become the unknown symbol'),
      new Option('--split <t/v/t>', 'training/validation/test in percent, contiguous'),
    ],
  ],
  [
    'Budget (whichever ends first; options replace all budgets of the preset or configuration):',
    budgetOptions,
  ],
  [
    'Optimization:',
    () => [
      numberOption('--batch-size <B>', 'parallel streams of text'),
      numberOption('--sequence-length <T>', 'steps of truncated backpropagation through time'),
      new Option('--loss <name>', 'training loss').choices(LOSSES),
      new Option('--optimizer <name>', 'optimizer (sgd has momentum 0.9)').choices(OPTIMIZERS),
      numberOption('--learning-rate <rate>', 'peak learning rate'),
      new Option('--schedule <name>', 'learning rate over the budget').choices(SCHEDULES),
      numberOption('--warmup <steps>', 'steps of linear warm-up'),
      numberOption('--decay-rate <factor>', 'schedule step: factor per epoch'),
      numberOption('--decay-after <epochs>', 'schedule step: epochs before the first decay'),
      numberOption('--clip-norm <norm>', 'clip the gradient to this global norm; 0 = off'),
      numberOption(
        '--weight-decay <rate>',
        'weight decay, not on biases (decoupled with adamw; 0 with another optimizer, unless given beside it)',
      ),
      numberOption('--reset-probability <p>', 'chance per stream and step to start from the zero state'),
    ],
  ],
  [
    'Reporting and saving:',
    () => [
      numberOption('--eval-every <steps>', 'evaluate on the validation text; 0 = never'),
      numberOption('--sample-every <steps>', 'show generated text; 0 = never'),
      numberOption('--checkpoint-every <steps>', 'save; 0 = only at the end and at a new best'),
      numberOption(
        '--rollbacks <n>',
        'after a divergence, return to the last save with half the learning rate, at most n times',
      ),
    ],
  ],
  ['Reproducibility:', () => [numberOption('--seed <n>', 'seed of everything that is random')]],
];

const SETTINGS_HEADING = 'Settings (the defaults above are those of preset default):';

/** Adds all settings to a command as options. */
export function addSettingOptions(command: Command): void {
  for (const [heading, options] of groups) {
    for (const option of options()) command.addOption(withDefault(option).helpGroup(heading));
  }
  command.addOption(
    new Option('--preset <name>', 'settings to start from')
      .choices(Object.keys(PRESETS))
      .helpGroup(SETTINGS_HEADING),
  );
  command.addOption(
    new Option('--config <file>', "JSON file of settings, or a run's config.json").helpGroup(
      SETTINGS_HEADING,
    ),
  );
}

/** Says in the help what the preset `default` has; the value itself comes from whatever preset is chosen. */
function withDefault(option: Option): Option {
  const settings: ParsedOptions = { ...TEXT_DEFAULTS, ...PRESETS.default!.settings };
  const value = settings[option.attributeName()];
  const isUnused = value === 0 && (BUDGETS as readonly string[]).includes(option.attributeName());
  if (!isUnused) option.description += ` (default: ${value})`;
  return option;
}

const SETTING_NAMES = new Set(
  groups.flatMap(([, options]) => options().map((option) => option.attributeName())),
);

/** Options as commander parsed them. */
export type ParsedOptions = Readonly<Record<string, unknown>>;

/** What a run takes from the trained model that it starts from: what fixes the shapes and the meaning of its weights. */
export type InheritedSettings = Omit<RunSettings['model'], 'dropout'> & Pick<TextSettings, 'unit'>;

/**
 * Puts preset, configuration file and options together and checks every setting.
 * @param inherited settings that the model of `--init-from` brings: instead of what preset and file say, and no option may
 *   say anything else
 * @throws CharloomError USAGE for a wrong value, NO_INPUT or BAD_DATA for a wrong configuration file
 */
export async function settingsFrom(
  options: ParsedOptions,
  inherited?: InheritedSettings,
): Promise<RunSettings> {
  const file = typeof options.config === 'string' ? await readConfigFile(options.config) : {};
  const given = Object.fromEntries(
    Object.entries(options).filter(([name, value]) => SETTING_NAMES.has(name) && value !== undefined),
  );
  const fileOrigin: Origin = { code: 'BAD_DATA', field: (name) => `--config ${options.config}: ${name}` };
  const { preset } = checkFields<Pick<RunSettings, 'preset'>>(
    { preset: options.preset ?? file.preset ?? 'default' },
    { preset: choice(Object.keys(PRESETS)) },
    fileOrigin,
  );
  const fromFile = overlay({ ...TEXT_DEFAULTS, ...PRESETS[preset]!.settings }, file);
  // What is wrong in the file is said of the file, before options hide or inherit it.
  checkSettings(fromFile, fileOrigin);
  for (const [name, value] of Object.entries(inherited ?? {})) {
    if ((given[name] ?? value) === value) continue;
    throw new CharloomError(
      'USAGE',
      `${flagOf(name)} is ${shown(given[name])}, but the model of --init-from has ${shown(value)}`,
      'leave it out: that comes with the model',
    );
  }
  const settings = checkSettings({ ...overlay(fromFile, given), ...inherited }, OPTION_ORIGIN);
  requireBudget(settings.training);
  refuseIdle(given, settings);
  return { preset, ...settings };
}

/** @throws CharloomError USAGE for an option of the command line that changes nothing: who gives it expects otherwise */
function refuseIdle(given: ParsedOptions, { model, training }: Omit<RunSettings, 'preset'>): void {
  const idle = (name: string, because: string, hint: string): void => {
    if (given[name] === undefined) return;
    throw new CharloomError('USAGE', `${flagOf(name)} changes nothing: ${because}`, hint);
  };
  if (model.cell !== 'rnn') idle('activation', `the cell is ${model.cell}`, 'it is for --cell rnn');
  if (training.schedule !== 'step') {
    for (const name of ['decayRate', 'decayAfter']) {
      idle(name, `the schedule is ${training.schedule}`, 'add --schedule step');
    }
  }
}

function checkSettings(settings: ParsedOptions, origin: Origin): Omit<RunSettings, 'preset'> {
  const { vocabulary: _, ...model } = checkModelConfig({ ...settings, vocabulary: 2 }, origin);
  const training = checkTrainingConfig(settings, origin);
  return { model, training, text: checkTextSettings(settings, origin) };
}

/** `settings`, and what `own` says instead. */
function overlay(settings: ParsedOptions, own: ParsedOptions): ParsedOptions {
  return { ...replaceDecay(replaceBudgets(settings, own), own), ...own };
}

/** `settings` with the budgets of `own`, if it has any: one budget replaces all, whichever kind they are. */
export function replaceBudgets(settings: ParsedOptions, own: ParsedOptions): ParsedOptions {
  if (BUDGETS.every((name) => own[name] === undefined)) return settings;
  return { ...settings, ...Object.fromEntries(BUDGETS.map((name) => [name, own[name] ?? 0])) };
}

/**
 * `settings` without weight decay if `own` has another optimizer and says nothing of it: what is decoupled for AdamW is a part
 * of the gradient for others, where the same number means something else.
 */
function replaceDecay(settings: ParsedOptions, own: ParsedOptions): ParsedOptions {
  const { optimizer = settings.optimizer, weightDecay } = own;
  const keeps = optimizer === settings.optimizer || weightDecay !== undefined;
  return keeps ? settings : { ...settings, weightDecay: 0 };
}

/** @throws CharloomError USAGE for a wrong value, and if there is no budget */
export function checkTraining(settings: ParsedOptions): TrainingConfig {
  const training = checkTrainingConfig(settings, OPTION_ORIGIN);
  requireBudget(training);
  return training;
}

function requireBudget(training: TrainingConfig): void {
  if (BUDGETS.some((name) => training[name] > 0)) return;
  throw new CharloomError('USAGE', 'there is no budget', 'give --epochs, --steps or --minutes');
}

/** A flat object of settings; the parts of a run's config.json are flattened. */
async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  const value = parseJsonObject(await readSettings(path), `--config ${path}`);
  const isRun = Object.hasOwn(value, 'training') && Object.hasOwn(value, 'model');
  const parts = isRun
    ? [
        ...['model', 'training', 'text'].map((part): unknown => Reflect.get(value, part)),
        { preset: Reflect.get(value, 'preset') },
      ]
    : [value];
  const settings = Object.fromEntries(parts.flatMap((part) => Object.entries(part ?? {})));
  if (isRun) delete settings.vocabulary;
  for (const name of Object.keys(settings)) {
    if (name !== 'preset' && !SETTING_NAMES.has(name)) {
      throw new CharloomError(
        'BAD_DATA',
        `--config ${path}: there is no setting '${name}'`,
        `settings are named like the options, in camel case: ${[...SETTING_NAMES].join(', ')}`,
      );
    }
  }
  return settings;
}
