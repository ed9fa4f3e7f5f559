/**
 * Finds out what WebGPU runs on, in a process of its own. A driver that crashes or hangs then takes nothing with
 * it, and what Dawn and the drivers print where something is missing does not reach the user's terminal.
 */
import { execFile } from 'node:child_process';
import { CharloomError } from '../../errors.ts';
import type { AdapterDescription } from '../engine.ts';
import { type AdapterInfo, type AdapterLimits, backendOf, describeAdapter } from './adapter-info.ts';

const MILLISECONDS = 30_000;

/** What the other process prints, as JSON. */
type Finding =
  | { readonly loading: string } // the package cannot be loaded: why
  | { readonly opening: string } // there is an adapter, but no device of it: why
  | { readonly info: AdapterInfo; readonly limits: AdapterLimits }
  | null; // there is no adapter

// Properties of WebGPU objects are getters of a prototype, which JSON does not see.
const SCRIPT = `
import { writeSync } from 'node:fs';
const finding = await (async () => {
  let create;
  try { ({ create } = await import(process.argv[1])); } catch (error) { return { loading: error.message }; }
  const adapter = await create([]).requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) return null;
  try { (await adapter.requestDevice()).destroy(); } catch (error) { return { opening: error.message }; }
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  return {
    info: { vendor, architecture, device, description, isFallbackAdapter },
    limits: { maxBufferSize, maxStorageBufferBindingSize },
  };
})();
writeSync(1, '\\n' + JSON.stringify(finding)); // drivers may have printed something before
process.exit();
`;

/** What there is does not change while charloom runs. */
let found: Promise<AdapterDescription> | undefined;

/** The adapter, looked for once in a process. Loads nothing of gpu.js. @throws as `probeAdapter` */
export function findAdapter(): Promise<AdapterDescription> {
  found ??= probeAdapter();
  return found;
}

/** @throws CharloomError UNAVAILABLE if the adapter computes in software; as `findAdapter` */
export async function requireHardware(): Promise<void> {
  const { name, hardware } = await findAdapter();
  if (hardware) return;
  throw unavailable(
    'GPU',
    `there is only ${name}, which computes in software`,
    "install the GPU's driver; --device gpu.js:webgpu takes the adapter in software, --device cpu the fast engine",
  );
}

/**
 * The adapter that a device would be opened on: hardware if there is any.
 * @param module the package `webgpu`
 * @throws CharloomError UNAVAILABLE if there is none, or it cannot be used: says why and what to install
 */
export async function probeAdapter(module = 'webgpu'): Promise<AdapterDescription> {
  const finding = await find(module);
  if (!finding) {
    const backend = backendOf(process.platform);
    throw unavailable('WebGPU', `there is no ${backend} adapter`, INSTALL[backend]!);
  }
  if ('loading' in finding) {
    throw unavailable(
      'WebGPU',
      `the package webgpu cannot be loaded: ${firstLine(finding.loading)}`,
      'it has builds for Linux (glibc 2.34 or newer), macOS and Windows; there, install charloom again',
    );
  }
  if ('opening' in finding) {
    throw unavailable('WebGPU', `the adapter cannot be opened: ${firstLine(finding.opening)}`, UPDATE);
  }
  return describeAdapter(finding.info, finding.limits);
}

const UPDATE = "install a newer driver for the GPU; 'charloom devices' says what else there is";

const INSTALL: Readonly<Record<string, string>> = {
  Vulkan:
    "install the GPU's driver and Vulkan (libvulkan1); in software, Mesa's lavapipe 25 or newer (mesa-vulkan-drivers)",
  Metal: 'WebGPU needs a Mac with Metal',
  D3D12: "install the GPU's driver, with Direct3D 12",
};

async function find(module: string): Promise<Finding> {
  let url: string;
  try {
    url = import.meta.resolve(module); // the other process would look for it from the working folder
  } catch (error) {
    return { loading: (error as Error).message };
  }
  const args = ['--input-type=module', '--eval', SCRIPT, url];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: MILLISECONDS }, (error, stdout) => {
      if (!error) return resolve(JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)));
      const how = error.killed ? `did not answer in ${MILLISECONDS / 1000} s` : `crashed (${ending(error)})`;
      reject(unavailable('WebGPU', `the driver ${how} when it was tried out`, UPDATE));
    });
  });
}

const ending = ({ signal, code }: { signal?: NodeJS.Signals | null; code?: unknown }): string =>
  signal ?? `exit status ${code}`;

export const firstLine = (text: string): string => text.split('\n', 1)[0]!;

const unavailable = (missing: string, why: string, hint: string): CharloomError =>
  new CharloomError('UNAVAILABLE', `no ${missing}: ${why}`, hint);
