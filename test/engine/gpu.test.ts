/** The gpu.js engines beyond the contract: what they rely on in gpu.js, and what happens when a device fails. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, it } from 'node:test';
import { GPU } from 'gpu.js';
import { declare, type Engine } from '../../src/engine/engine.ts';
import { kernel } from '../../src/engine/gpu/commands.ts';
import { compile } from '../../src/engine/gpu/compile.ts';
import { GpuEngine } from '../../src/engine/gpu/gpu-engine.ts';
import { argument, settings } from '../../src/engine/gpu/portable.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { CharloomError } from '../../src/errors.ts';
import { withEngine } from '../engines.ts';
import { withDevice } from './gpu-device.ts';

const require = createRequire(import.meta.url);
const sum = kernel(
  'sum',
  'function (first, second) { return first[this.thread.y][this.thread.x] + second[this.thread.x]; }',
);

describe('gpu.js', () => {
  it('is the version that is pinned, exactly', () => {
    const { dependencies } = require('../../package.json');
    assert.match(dependencies['gpu.js'], /^\d+\.\d+\.\d+$/);
    assert.equal(require('gpu.js/package.json').version, dependencies['gpu.js']);
  });

  it('writes WGSL with the bindings and uniforms that the encoder fills', () => {
    // Translation comes before the device: it is enough that there might be one.
    const host = globalThis as { navigator?: object };
    const navigator = Object.getOwnPropertyDescriptor(host, 'navigator');
    const value = { gpu: { requestAdapter: async () => null } };
    Object.defineProperty(host, 'navigator', { value, configurable: true });
    const shortcut = new GPU({ mode: 'webgpu' }).createKernel(sum.source, {
      ...settings(sum),
      output: [1, 1],
      pipeline: true,
    });
    const { kernel: built } = shortcut as unknown as {
      kernel: {
        build(...samples: unknown[]): Promise<void>;
        compiledSource: string;
        paramsLayout: { byteLength: number; arrayArgs: { dimsOffset: number }[] };
        componentCount: number;
        workgroupSize: number[];
      };
    };
    built.build(...[1, 2].map(() => argument(new Float32Array(1), [1]))).catch(() => {});
    delete host.navigator;
    if (navigator) Object.defineProperty(host, 'navigator', navigator);
    const wgsl = built.compiledSource.replace(/\s+/g, ' ');
    const params =
      /struct Params \{ outputX : u32, outputY : u32, outputZ : u32, dispatchWidth : u32, user_first_dims : vec4<u32>, user_second_dims : vec4<u32>, \}/;
    assert.match(wgsl, params);
    assert.match(wgsl, /@binding\(0\) var<uniform> params : Params;/);
    assert.match(wgsl, /@binding\(1\) var<storage, read> user_first : array<f32>;/);
    assert.match(wgsl, /@binding\(2\) var<storage, read> user_second : array<f32>;/);
    assert.match(wgsl, /@binding\(3\) var<storage, read_write> result : array<f32>;/);
    assert.deepEqual(
      built.paramsLayout.arrayArgs.map(({ dimsOffset }) => dimsOffset),
      [16, 32],
    );
    assert.equal(built.paramsLayout.byteLength, 48);
    assert.equal(built.componentCount, 1);
    assert.deepEqual(built.workgroupSize, [8, 8, 1]);
  });

  it('makes a pipeline, a layout and the workgroups of a grid', (t) =>
    withDevice(t, async () => {
      const gpu = new GPU({ mode: 'webgpu' });
      const compiled = await compile(gpu, sum, 2, 2);
      assert.equal(compiled.pipeline.constructor.name, 'GPUComputePipeline');
      assert.equal(compiled.layout.constructor.name, 'GPUBindGroupLayout');
      const { groups, uniforms } = compiled.dispatch([17, 9], [[17, 9], [17]]);
      assert.deepEqual(groups, [3, 2, 1]);
      assert.deepEqual([...uniforms], [17, 9, 1, 0, 17, 9, 1, 153, 17, 1, 1, 17]);
      // A flat grid of more workgroups than a dimension may have goes on in the next.
      const flat = await compile(gpu, { ...sum, source: 'function (a) { return a[this.thread.x]; }' }, 1, 1);
      const long = flat.dispatch([64 * 100_000], [[64 * 100_000]]);
      assert.ok(long.groups[0] <= 65_535 && long.groups[0] * long.groups[1] >= 100_000);
      assert.equal(long.uniforms[3], long.groups[0] * 64);
      await gpu.destroy();
    }));

  it('refuses a kernel that returns another number of values than it says', (t) =>
    withDevice(t, async () => {
      const gpu = new GPU({ mode: 'webgpu' });
      await assert.rejects(compile(gpu, { ...sum, components: 4 }, 2, 2), /returns 1 values, not 4/);
      await gpu.destroy();
    }));
});

/** counter += step, each replay. */
function counting(engine: Engine, length = 6) {
  const [counter, step] = [declare('counter', 'state', 1, length), declare('step', 'input', 1, 1)];
  const [total, rates] = [declare('norm', 'state', 1, 1), declare('rates', 'input', 1, 3)];
  const ones = declare('ones', 'input', 1, length);
  const recorder = new Recorder('counting');
  recorder.add('matmul', { out: counter, a: step, b: ones, accumulate: true });
  recorder.add('norm', { out: total, input: counter });
  engine.write(ones, new Float32Array(length).fill(1));
  return { counter, step, total, rates, executable: engine.prepare(recorder.finish()) };
}

describe('the engine gpu.js:webgpu', () => {
  it('when replays are in flight then a read gives what the last of them left', (t) =>
    withEngine(t, 'gpu.js:webgpu', async (engine) => {
      const { counter, step, executable } = counting(engine);
      const runs = [];
      for (let i = 1; i <= 20; i++) {
        engine.write(step, [i]);
        runs.push(executable.run());
        if (i === 1) await runs[0]; // the first compiles the kernels
      }
      assert.equal((await engine.read(counter))[5], 210);
      await Promise.all(runs);
    }));

  it('keeps its buffers and its memory over hundreds of replays and reads', (t) =>
    withDevice(t, async ({ device }) => {
      let live = 0;
      const createBuffer = device.createBuffer.bind(device);
      t.mock.method(device, 'createBuffer', (descriptor: GPUBufferDescriptor) => {
        const buffer = createBuffer(descriptor);
        const destroy = buffer.destroy.bind(buffer);
        live++;
        buffer.destroy = () => {
          live--;
          return destroy();
        };
        return buffer;
      });
      const engine = await GpuEngine.open('webgpu');
      const { counter, step, executable } = counting(engine, 4096);
      engine.write(step, [1]);
      await executable.run();
      await engine.read(counter);
      const [buffers, bytes] = [live, engine.memoryBytes()];
      assert.ok(buffers > 0 && bytes > 4096 * 4);
      for (let i = 1; i < 300; i++) {
        await executable.run();
        if (i % 10 === 0) assert.equal((await engine.read(counter))[4095], i + 1);
      }
      assert.deepEqual([live, engine.memoryBytes()], [buffers, bytes]);
      await engine.close();
      assert.equal(live, 0, 'closing frees them');
    }));

  it('when a tensor is larger than the adapter allows then it says which, and how large', (t) =>
    withDevice(t, async ({ device }) => {
      const engine = await GpuEngine.open('webgpu');
      const huge = declare('embedded', 'state', 1, device.limits.maxStorageBufferBindingSize / 4 + 1);
      const limit = String(device.limits.maxStorageBufferBindingSize);
      const says = (error: unknown) =>
        error instanceof CharloomError &&
        error.code === 'UNAVAILABLE' &&
        error.message.startsWith('embedded needs ') &&
        error.message.includes(limit);
      const recorder = new Recorder('huge');
      recorder.add('fill', { out: huge, value: 1 });
      assert.throws(() => engine.prepare(recorder.finish()), says);
      await engine.close();
    }));

  it('when two are open then neither disturbs the other, and closing one leaves the other at work', async (t) => {
    await withEngine(t, 'gpu.js:webgpu', async (engine) => {
      const other = await GpuEngine.open('webgpu');
      const [mine, others] = [counting(engine), counting(other)];
      engine.write(mine.step, [1]);
      other.write(others.step, [10]);
      await Promise.all([mine.executable.run(), others.executable.run(), mine.executable.run()]);
      assert.equal((await other.read(others.counter))[0], 10);
      await other.close();
      await mine.executable.run();
      assert.equal((await engine.read(mine.counter))[0], 3);
    });
  });

  it('when the device is lost while it works then what waits for it fails, and nothing else does', (t) =>
    withDevice(t, async ({ device }) => {
      const engine = await GpuEngine.open('webgpu');
      const { counter, step, executable } = counting(engine, 400_000);
      engine.write(step, [1]);
      await executable.run();
      const waiting = [executable.run(), executable.run(), executable.run(), engine.read(counter)];
      device.destroy();
      const read = (await Promise.allSettled(waiting)).at(-1)!;
      assert.ok(read.status === 'rejected' && read.reason instanceof CharloomError, 'no numbers');
      await assert.rejects(executable.run(), CharloomError);
      await engine.close(); // a rejection that nobody handles would fail this test
    }));

  it('when the device is lost then replays and reads fail with how to go on, and a new engine works', async (t) => {
    await withDevice(t, async ({ device }) => {
      const engine = await GpuEngine.open('webgpu');
      const { counter, step, executable } = counting(engine);
      engine.write(step, [1]);
      await executable.run();
      device.destroy(); // as a driver would that crashed
      await device.lost;
      const lost = (error: unknown) =>
        error instanceof CharloomError && error.code === 'IO' && /resume/.test(error.hint ?? '');
      await assert.rejects(executable.run(), lost);
      await assert.rejects(engine.read(counter), lost);
      await engine.close();
    });
    await withDevice(t, async () => {
      const engine = await GpuEngine.open('webgpu');
      const { counter, step, executable } = counting(engine);
      engine.write(step, [2]);
      await executable.run();
      assert.equal((await engine.read(counter))[0], 2);
      await engine.close();
    });
  });
});

describe('any engine of gpu.js', () => {
  it('refuses wrong lengths, temporaries, integers to read, and work after it was closed', async () => {
    const engine = await GpuEngine.open('cpu');
    assert.throws(() => engine.write(declare('x', 'input', 2, 3), [1, 2]), /x takes 6 values, not 2/);
    assert.throws(() => engine.write(declare('t', 'temporary', 1, 1), [1]), /t is temporary/);
    await assert.rejects(engine.read(declare('t', 'temporary', 1, 1)), /t is temporary/);
    await assert.rejects(engine.read(declare('ids', 'input', 1, 1, 'i32')), /ids holds integers/);
    const { executable } = counting(engine);
    await engine.close();
    await engine.close();
    await assert.rejects(executable.run(), /closed/);
  });

  it('two at once do not disturb each other', async () => {
    const engines = [await GpuEngine.open('cpu'), await GpuEngine.open('webasm')];
    const counters = engines.map((engine) => counting(engine));
    for (const [i, { step, executable }] of counters.entries()) {
      engines[i]!.write(step, [i + 1]);
      await executable.run();
    }
    await counters[0]!.executable.run();
    const values = [];
    for (const [i, { counter }] of counters.entries()) values.push((await engines[i]!.read(counter))[0]);
    assert.deepEqual(values, [2, 2]);
    for (const engine of engines) await engine.close();
  });

  for (const mode of ['cpu', 'webasm'] as const) {
    it(`lets timers have their turn during a long replay: ${mode}`, async () => {
      const engine = await GpuEngine.open(mode);
      const a = declare('a', 'input', 200, 200);
      const recorder = new Recorder('long');
      for (let i = 0; i < 60; i++) {
        recorder.add('matmul', { out: declare(`out ${i}`, 'state', 200, 200), a, b: a });
      }
      let ticks = 0;
      const timer = setInterval(() => ticks++, 1);
      await engine.prepare(recorder.finish()).run();
      clearInterval(timer);
      assert.ok(ticks > 0);
      await engine.close();
    });
  }
});
