/** Engines, opened for people: what takes a while is shown. */
import type { Engine } from '../engine/engine.ts';
import { type EngineOptions, openEngine as open } from '../engine/open.ts';
import { waiting } from './terminal/wait.ts';

/** See `openEngine` of engine/open.ts. */
export function openEngine(device: string, { threads, weights }: EngineOptions = {}): Promise<Engine> {
  return open(device, { threads, weights, show: waiting });
}
