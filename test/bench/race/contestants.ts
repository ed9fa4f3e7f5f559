/** Who races, whether they are installed here, and which program of theirs does a workload. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { whyMissing } from '../../engines.ts';
import type { Command } from './contestant-process.ts';
import { WORKLOADS, type Workload } from './workloads.ts';

/**
 * charloom with nothing to install; charloom's native engine; charloom again, drawing one text where the other draws
 * several; PyTorch at its fastest; other JavaScript libraries; native code, and what else there is to compare with.
 */
export type Role = 'charloom' | 'native' | 'one text' | 'pytorch' | 'javascript' | 'other';

export interface Contestant {
  readonly name: string;
  readonly role: Role;
  /** Why it is not installed here; null if it is. */
  readonly missing: string | null;
  /** Whether it takes part in a few rounds only: it needs seconds for a step, or is there for information. */
  readonly brief: boolean;
  /** What does the workload; null if it cannot, or there is nothing to compare. */
  readonly command: (name: string, workload: Workload) => Command | null;
}

export interface ContestantOptions {
  /** Where setup.sh has put the peers. */
  readonly peers: string;
  /** charloom's engine and its threads. */
  readonly engine: string;
  readonly threads: number;
}

const file = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Variables that some machines set and that halve OpenBLAS. */
const BLAS_VARIABLES = ['OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE'];
/** The settings with which PyTorch is fastest on this processor, as setup.sh has found them: NAME=VALUE lines. */
const TUNED = 'pytorch-tuned.env';
export const PYTHON = '/usr/bin/python3';

const PYTORCH_SCRIPTS = {
  training: file('../peers/pytorch_train.py'),
  sampling: file('../peers/pytorch_sample.py'),
  evaluation: file('../peers/pytorch_evaluate.py'),
};

/** All contestants, in the order in which they take turns and stand in the tables. */
export async function findContestants(options: ContestantOptions): Promise<Contestant[]> {
  return [
    ...charloom(options, (await whyMissing('native')) || null),
    ...(await pytorch(options.peers)),
    packageContestant(options.peers, 'onnxruntime-node', 'onnxruntime.mjs', {
      label: 'ONNX Runtime',
      role: 'other',
      kinds: ['sampling', 'evaluation'],
    }),
    packageContestant(options.peers, '@tensorflow/tfjs', 'tensorflow.mjs', {
      label: 'TensorFlow.js, wasm',
      kinds: ['training', 'sampling', 'evaluation'],
    }),
    packageContestant(options.peers, '@jax-js/jax', 'jax.mjs', {
      label: 'jax-js, wasm',
      kinds: ['training'],
    }),
    packageContestant(options.peers, 'brain.js', 'brain.mjs', {
      label: 'brain.js',
      kinds: ['training', 'sampling'],
    }),
  ];
}

/** The command of charloom's own contestant; `work` is a workload, or a product (see charloom.mjs). */
export function charloomCommand(engine: string, threads: number, work: object): Command {
  return {
    program: process.execPath,
    arguments: [file('charloom.mjs'), engine, String(threads), JSON.stringify(work)],
    environment: process.env,
  };
}

function charloom({ engine, threads }: ContestantOptions, noNative: string | null): Contestant[] {
  const common = { missing: null, brief: false };
  return [
    {
      ...common,
      name: `charloom, ${engine}`,
      role: 'charloom',
      command: (_, workload) => charloomCommand(engine, threads, workload),
    },
    {
      ...common,
      name: 'charloom, native',
      role: 'native',
      missing: noNative,
      command: (_, workload) => charloomCommand('native', threads, workload),
    },
    {
      ...common,
      name: 'charloom, native, bf16 weights',
      role: 'other',
      missing: noNative,
      command: (_, workload) =>
        workload.kind !== 'training' && single(workload)
          ? charloomCommand('native,bf16', threads, workload)
          : null,
    },
    {
      ...common,
      name: 'charloom, one text',
      role: 'one text',
      command: (name) => (name === 'S1x32' ? charloomCommand(engine, threads, WORKLOADS.S1!) : null),
    },
  ];
}

async function pytorch(peers: string): Promise<Contestant[]> {
  let version = '';
  let missing: string | null = null;
  try {
    const print = ['-c', 'import torch; print(torch.__version__)'];
    version = ` ${(await promisify(execFile)(PYTHON, print)).stdout.trim()}`;
  } catch {
    missing = `${PYTHON} cannot import torch`;
  }
  const tuned = path.join(peers, TUNED);
  const command = (environment: NodeJS.ProcessEnv, ...flags: string[]): Contestant['command'] => {
    return (_, workload) => {
      if (!single(workload)) return null;
      const script = PYTORCH_SCRIPTS[workload.kind];
      return { program: PYTHON, arguments: [script, JSON.stringify(workload), ...flags], environment };
    };
  };
  return [
    {
      name: `PyTorch${version}, tuned`,
      role: 'pytorch',
      missing: missing ?? (existsSync(tuned) ? null : `there is no ${tuned}`),
      brief: false,
      command: command(existsSync(tuned) ? tunedEnvironment(peers) : installedEnvironment()),
    },
    {
      name: `PyTorch${version}, as installed`,
      role: 'other',
      missing,
      brief: true,
      command: command(installedEnvironment(), '--as-installed'),
    },
  ];
}

/** For PyTorch as it is installed. */
function installedEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  for (const variable of BLAS_VARIABLES) delete environment[variable];
  return environment;
}

/** For PyTorch with the settings that setup.sh has left in `peers`. @throws Error if there are none */
export function tunedEnvironment(peers: string): NodeJS.ProcessEnv {
  return { ...installedEnvironment(), ...variables(readFileSync(path.join(peers, TUNED), 'utf8')) };
}

/** NAME=VALUE lines. */
export function variables(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/^([A-Z_0-9]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  );
}

interface PackageContestant {
  readonly label: string;
  readonly role?: Role;
  readonly kinds: readonly Workload['kind'][];
}

/** A contestant that is an npm package below `peers`, and whose script is in test/bench/peers. */
function packageContestant(
  peers: string,
  packageName: string,
  script: string,
  { label, role = 'javascript', kinds }: PackageContestant,
): Contestant {
  const manifest = path.join(peers, 'node_modules', packageName, 'package.json');
  const installed = existsSync(manifest);
  const version = installed ? ` ${JSON.parse(readFileSync(manifest, 'utf8')).version}` : '';
  return {
    name: label.replace(/(,|$)/, `${version}$1`),
    role,
    missing: installed ? null : `there is no ${packageName} in ${peers}`,
    brief: role === 'javascript',
    command: (_, workload) =>
      kinds.includes(workload.kind) && single(workload)
        ? {
            program: process.execPath,
            arguments: [file(`../peers/${script}`), path.resolve(peers), JSON.stringify(workload)],
            environment: process.env,
          }
        : null,
  };
}

/** Several texts side by side are drawn by charloom only. */
function single(workload: Workload): boolean {
  return workload.kind !== 'sampling' || workload.streams === 1;
}
