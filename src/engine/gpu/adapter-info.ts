/** What WebGPU says of an adapter, in the words of the engine contract. */
import type { AdapterDescription } from '../engine.ts';

/** The part of `GPUAdapterInfo` that tells adapters apart; a field that the driver does not fill is ''. */
export type AdapterInfo = Pick<
  GPUAdapterInfo,
  'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'
>;

export type AdapterLimits = Pick<GPUSupportedLimits, 'maxBufferSize' | 'maxStorageBufferBindingSize'>;

/** Names of programs that compute on the processor what a GPU would: Mesa's, Chrome's and Microsoft's. */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|software|\bwarp\b|basic render/i;

/** Whether the adapter is a program, not a GPU. Some of them do not say so themselves, but all have a name. */
export function isSoftware({ isFallbackAdapter, ...names }: AdapterInfo): boolean {
  const { vendor, architecture, device, description } = names;
  return isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(' '));
}

/** What Dawn speaks to adapters on `platform`. */
export function backendOf(platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'Metal';
  return platform === 'win32' ? 'D3D12' : 'Vulkan';
}

export function describeAdapter(
  info: AdapterInfo,
  limits: AdapterLimits,
  platform = process.platform,
): AdapterDescription {
  const { vendor, architecture, device, description } = info;
  // WebGPU writes names with hyphens in place of all that is no letter or digit, at the end too.
  const name = device.replace(/-+$/, '') || [vendor, architecture].filter(Boolean).join(' ');
  return {
    name: name || 'unnamed adapter',
    driver: description || 'unnamed driver',
    backend: backendOf(platform),
    hardware: !isSoftware(info),
    maxBufferBytes: limits.maxBufferSize,
    maxBindingBytes: limits.maxStorageBufferBindingSize,
  };
}
