/** Which of several engines is the fastest for the work at hand: tried, not guessed. */
import type { Engine } from '../engine/engine.ts';

/** An engine that may be taken. */
export interface Candidate {
  /** As `devices` lists it. */
  readonly name: string;
  /** Another candidate, earlier in the list: this one is needed only where that one cannot be opened. */
  readonly substituteFor?: string;
  open(): Promise<Engine>;
}

/** What came of a candidate. */
export interface Trial {
  readonly engine: string;
  /** Of the trial; null if there was none or it failed. */
  readonly charactersPerSecond: number | null;
  /** Why it cannot be taken; null if it can. */
  readonly reason: string | null;
}

export interface Choice {
  /** The fastest, newly opened: nothing of its trial is in its memory. */
  readonly engine: Engine;
  /** In the order of the candidates; none of a substitute that was not needed. */
  readonly trials: readonly Trial[];
}

/**
 * Opens the candidates, tries each and takes the fastest. One that cannot be opened or fails in its trial is out, with
 * the reason. Where only one can be opened there is nothing to compare, and no trial. All others are closed.
 *
 * @param trial returns the characters per second of an engine
 * @throws the signal's reason when it is aborted; the last candidate's error if all of them fail
 */
export async function fastestEngine(
  candidates: readonly Candidate[],
  trial: (engine: Engine) => Promise<number>,
  signal: AbortSignal,
): Promise<Choice> {
  const trials = new Map<Candidate, Trial>();
  const opened = new Map<Candidate, Engine>();
  let failure: unknown;
  const fail = (candidate: Candidate, error: unknown): void => {
    signal.throwIfAborted();
    failure = error;
    const reason = error instanceof Error ? error.message : String(error);
    trials.set(candidate, { engine: candidate.name, charactersPerSecond: null, reason });
  };
  const choice = (engine: Engine): Choice => ({ engine, trials: [...trials.values()] });

  let best: { candidate: Candidate; charactersPerSecond: number } | undefined;
  try {
    for (const candidate of candidates) {
      if ([...opened.keys()].some(({ name }) => name === candidate.substituteFor)) continue;
      try {
        opened.set(candidate, await candidate.open());
        trials.set(candidate, { engine: candidate.name, charactersPerSecond: null, reason: null });
      } catch (error) {
        fail(candidate, error);
      }
    }
    const [only] = opened;
    if (only && opened.size === 1) {
      opened.clear();
      return choice(only[1]);
    }
    for (const [candidate, engine] of opened) {
      try {
        const charactersPerSecond = await trial(engine);
        trials.set(candidate, { engine: candidate.name, charactersPerSecond, reason: null });
        if (!best || charactersPerSecond > best.charactersPerSecond)
          best = { candidate, charactersPerSecond };
      } catch (error) {
        fail(candidate, error);
      }
      opened.delete(candidate);
      await closeAnyway(engine);
    }
  } finally {
    for (const engine of opened.values()) await closeAnyway(engine);
  }
  if (!best) throw failure;
  return choice(await best.candidate.open());
}

/** A device that was lost may refuse even to be closed; it is not needed any more. */
export async function closeAnyway(engine: Engine): Promise<void> {
  await engine.close().catch(() => {});
}
