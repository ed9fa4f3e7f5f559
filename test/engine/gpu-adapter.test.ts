/** WebGPU in Node: which adapter, what its device can do, and what happens when there is none or it fails. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { acquireDevice } from '../../src/engine/gpu/adapter.ts';
import { type AdapterInfo, describeAdapter, isSoftware } from '../../src/engine/gpu/adapter-info.ts';
import { probeAdapter, requireHardware } from '../../src/engine/gpu/probe.ts';
import { CharloomError } from '../../src/errors.ts';
import { withDevice } from './gpu-device.ts';

/** As a driver describes itself; what is not said is ''. */
const info = (given: Partial<AdapterInfo>): AdapterInfo => ({
  vendor: '',
  architecture: '',
  device: '',
  description: '',
  isFallbackAdapter: false,
  ...given,
});
const limits = { maxBufferSize: 2 ** 31, maxStorageBufferBindingSize: 2 ** 27 };

describe('an adapter', () => {
  const lavapipe = { vendor: 'mesa', architecture: 'software', device: 'llvmpipe-llvm-15-0-6-256-bits-' };
  const software: [title: string, info: AdapterInfo][] = [
    ['lavapipe, which says so', info({ ...lavapipe, isFallbackAdapter: true })],
    ['lavapipe, if it did not say so', info(lavapipe)],
    ['lavapipe by its driver alone', info({ description: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)' })],
    ['SwiftShader', info({ vendor: 'google', architecture: 'swiftshader' })],
    ['WARP', info({ vendor: 'microsoft', device: 'Microsoft Basic Render Driver' })],
    ['WARP by its name', info({ description: 'Direct3D 12 WARP 1.0' })],
  ];
  for (const [title, given] of software) {
    it(`is software: ${title}`, () => assert.equal(isSoftware(given), true));
  }

  const hardware: [title: string, info: AdapterInfo][] = [
    [
      'NVIDIA',
      info({
        vendor: 'nvidia',
        architecture: 'ada',
        device: 'nvidia-geforce-rtx-4090',
        description: 'NVIDIA: 550',
      }),
    ],
    ['AMD with Mesa', info({ vendor: 'amd', architecture: 'rdna-3', description: 'radv: Mesa 25.0.7' })],
    ['Intel', info({ vendor: 'intel', architecture: 'xe-2-lpg', device: 'intel-r--arc-tm--graphics--lnl-' })],
    ['Apple', info({ vendor: 'apple', architecture: 'metal-3', device: 'apple-m3' })],
    ['a name with "warp" in it', info({ device: 'Warpdrive 9' })],
    ['one that says nothing', info({})],
  ];
  for (const [title, given] of hardware) {
    it(`is hardware: ${title}`, () => assert.equal(isSoftware(given), false));
  }

  it('is named by its device, else by its kind, and has the limits of its memory', () => {
    assert.deepEqual(
      describeAdapter(info({ ...lavapipe, description: 'llvmpipe: Mesa 25' }), limits, 'linux'),
      {
        name: 'llvmpipe-llvm-15-0-6-256-bits',
        driver: 'llvmpipe: Mesa 25',
        backend: 'Vulkan',
        hardware: false,
        maxBufferBytes: 2 ** 31,
        maxBindingBytes: 2 ** 27,
      },
    );
    const nameless = describeAdapter(info({ vendor: 'apple', architecture: 'metal-3' }), limits, 'darwin');
    assert.deepEqual([nameless.name, nameless.backend], ['apple metal-3', 'Metal']);
  });
});

describe('the probe', () => {
  const fails = (module: string, message: RegExp, hint: RegExp) =>
    assert.rejects(probeAdapter(module), (error) => {
      assert.ok(error instanceof CharloomError);
      assert.equal(error.code, 'UNAVAILABLE');
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      assert.ok(!`${error.message}${error.hint}`.includes('\n'), 'each is one line');
      return true;
    });
  const module = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;

  it('hears of the adapter whatever the driver prints', async () => {
    const code = `console.log('Info: welcome'); console.error('Warning: beware'); export const create = () => ({
      requestAdapter: async () => ({
        requestDevice: async () => ({ destroy() {} }),
        info: ${JSON.stringify(info({ device: 'some-gpu', description: 'some driver' }))},
        limits: ${JSON.stringify(limits)},
      }),
    })`;
    const { name, hardware, maxBufferBytes } = await probeAdapter(module(code));
    assert.deepEqual([name, hardware, maxBufferBytes], ['some-gpu', true, limits.maxBufferSize]);
  });

  it('says that the package is not there', () =>
    fails('no-such-package', /cannot be loaded: .*no-such-package/, /install/));

  it('says why the package cannot be loaded, in one line', () =>
    fails(
      module("throw new Error('libc.so.6: version GLIBC_2.34 not found\\nand more')"),
      /cannot be loaded: libc\.so\.6: version GLIBC_2\.34 not found$/,
      /glibc 2\.34/,
    ));

  it('says that there is no adapter, and what to install', () =>
    fails(
      module('export const create = () => ({ requestAdapter: async () => null })'),
      /there is no \w+ adapter$/,
      /install|Mac/,
    ));

  it('says why the adapter cannot be opened', () =>
    fails(
      module(`export const create = () => ({ requestAdapter: async () => ({
        requestDevice: async () => { throw new Error('out of device memory') },
      }) })`),
      /cannot be opened: out of device memory$/,
      /driver/,
    ));

  it('outlives a driver that crashes', () =>
    fails(module("process.kill(process.pid, 'SIGSEGV'); for (;;);"), /crashed \(SIGSEGV\)/, /driver/));
});

/** Until what the device has to say has been heard. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('the device', () => {
  it('is opened with the limits of its adapter, as far as the kernels need them', (t) =>
    withDevice(t, async ({ device, adapter, assertWorking }) => {
      const { name, driver, hardware } = adapter;
      t.diagnostic(`WebGPU runs on ${name}, ${hardware ? 'hardware' : 'software'} (${driver})`);
      assertWorking();
      assert.equal(device.limits.maxBufferSize, adapter.maxBufferBytes);
      assert.equal(device.limits.maxStorageBufferBindingSize, adapter.maxBindingBytes);
      const { maxStorageBuffersPerShaderStage: bindings } = device.limits;
      assert.ok(bindings >= 8 && bindings <= 16, `${bindings} bindings`);
      assert.deepEqual(await probeAdapter(), adapter, 'the one that was looked at is the one that is opened');
    }));

  it('is shared, lives until its last release, and can be had again', (t) =>
    withDevice(t, async (first) => {
      const second = await acquireDevice();
      assert.equal(second.device, first.device);
      await first.release();
      await first.release(); // counts once
      await settled();
      second.assertWorking();
      const [, third] = await Promise.all([
        second.release(),
        acquireDevice(), // while the other one is destroyed
      ]);
      assert.notEqual(third.device, first.device);
      await settled();
      third.assertWorking();
      first.assertWorking(); // a release is no loss
      await third.release();
    }));

  it('is refused where hardware is required and it is software', (t) =>
    withDevice(t, async ({ adapter }) => {
      if (adapter.hardware) return t.skip('this machine has a GPU');
      await assert.rejects(requireHardware(), (error) => {
        assert.ok(error instanceof CharloomError);
        assert.equal(error.code, 'UNAVAILABLE');
        assert.ok(error.message.includes(adapter.name), error.message);
        assert.match(error.hint, /--device gpu\.js:webgpu/);
        return true;
      });
    }));

  it('when it is lost then it names itself and how to go on, prints nothing, and can be had again', async (t) => {
    const printed = t.mock.method(console, 'error', () => {});
    await withDevice(t, async ({ device, adapter, assertWorking }) => {
      const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ });
      const mapped = buffer.mapAsync(GPUMapMode.READ);
      device.destroy();
      await assert.rejects(mapped);
      assert.throws(assertWorking, (error) => {
        assert.ok(error instanceof CharloomError);
        assert.equal(error.code, 'IO');
        assert.ok(error.message.includes(adapter.name) && error.message.includes('lost'), error.message);
        assert.match(error.hint, /charloom resume/);
        return true;
      });
    });
    await withDevice(t, async ({ assertWorking }) => assertWorking());
    assert.deepEqual(printed.mock.calls, []);
  });

  it('when it refuses a command then that is a defect, and nothing is printed', async (t) => {
    const printed = t.mock.method(console, 'error', () => {});
    await withDevice(t, async ({ device, adapter, assertWorking }) => {
      device.createBuffer({ size: adapter.maxBufferBytes + 4, usage: GPUBufferUsage.STORAGE });
      await settled();
      assert.throws(
        assertWorking,
        (error) => !(error instanceof CharloomError) && /Buffer size/.test(String(error)),
      );
    });
    assert.deepEqual(printed.mock.calls, []);
  });

  for (const [title, end] of [
    ['after its release', 'await gpu.release();'],
    ['without a release', ''],
    ['by process.exit, with work in flight', 'work(); process.exit();'],
  ]) {
    it(`the process ends at once and well ${title}`, (t) =>
      withDevice(t, async () => {
        const adapter = new URL('../../src/engine/gpu/adapter.ts', import.meta.url);
        const code = `const { acquireDevice } = await import(${JSON.stringify(adapter.href)});
          const gpu = await acquireDevice();
          const work = () => {
            const buffers = [0, 1].map(() => gpu.device.createBuffer({ size: 1 << 26, usage: 12 }));
            for (let i = 0; i < 20; i++) {
              const encoder = gpu.device.createCommandEncoder();
              encoder.copyBufferToBuffer(buffers[0], 0, buffers[1], 0, 1 << 26);
              gpu.device.queue.submit([encoder.finish()]);
            }
          };
          ${end}`;
        const { status, signal, stdout } = spawnSync(
          process.execPath,
          ['--import', 'tsx', '--input-type=module', '--eval', code],
          { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8', timeout: 20_000 },
        );
        assert.deepEqual({ status, signal, stdout }, { status: 0, signal: null, stdout: '' });
      }));
  }
});
