/**
 * One contestant at one workload: a process of its own that works when it is told to.
 *
 * It builds its model, warms up and prints `{"ready":true,"form":...}`; for every line `go SECONDS` it works for about
 * so long and prints `{"amount":...,"seconds":...}`; when its input ends it prints `{"peakMemoryBytes":...}` and exits.
 * Each is one line of JSON; lines that are none come from libraries that print, and are skipped. In between it waits
 * for its input, so that it takes nothing from the others.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Command {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}

/** What a contestant prints: one of these. */
interface Answer {
  readonly ready?: true;
  readonly form?: string;
  readonly amount?: number;
  readonly seconds?: number;
  readonly peakMemoryBytes?: number;
}

/** Characters of standard error that are kept, to say why a contestant failed. */
const ERROR_TAIL = 4000;

export class ContestantProcess {
  readonly #child: ChildProcess;
  readonly #limitSeconds: number;
  /** Answers that nobody has asked for yet, and whoever asked for one that is not there yet. */
  readonly #answers: Answer[] = [];
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;
  #errors = '';
  #form = '';

  private constructor({ program, arguments: list, environment }: Command, limitSeconds: number) {
    this.#limitSeconds = limitSeconds;
    this.#child = spawn(program, list, { env: environment, stdio: 'pipe' });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-ERROR_TAIL);
    });
    // A contestant that has ended cannot be written to; its end says why.
    this.#child.stdin!.on('error', () => {});
    this.#child.on('error', (error) => this.#fail(error));
    this.#child.on('close', (status, signal) => this.#fail(new Error(this.#ended(status, signal))));
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#take(line));
  }

  /**
   * @param limitSeconds for getting ready and for every answer
   * @throws Error if it does not get ready, with its last words
   */
  static async start(command: Command, limitSeconds: number): Promise<ContestantProcess> {
    const contestant = new ContestantProcess(command, limitSeconds);
    const { form } = await contestant.#expect('ready');
    contestant.#form = form ?? '';
    return contestant;
  }

  /** Which of several ways of doing the work it has found to be the fastest, or what it leaves out; may be empty. */
  get form(): string {
    return this.#form;
  }

  /** @returns amount of work per second @throws Error if there is no answer */
  async go(seconds: number): Promise<number> {
    this.#child.stdin!.write(`go ${seconds}\n`);
    const answer = await this.#expect('amount');
    return answer.amount! / answer.seconds!;
  }

  /** Ends it. @returns the most memory it had, in bytes @throws Error if there is no answer */
  async finish(): Promise<number> {
    this.#child.stdin!.end();
    return (await this.#expect('peakMemoryBytes')).peakMemoryBytes!;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #expect(field: keyof Answer): Promise<Answer> {
    const answer = await this.#next();
    if (answer[field] === undefined) {
      this.kill();
      throw new Error(`answered ${JSON.stringify(answer)}, not '${field}'`);
    }
    return answer;
  }

  #next(): Promise<Answer> {
    const answer = this.#answers.shift();
    if (answer) return Promise.resolve(answer);
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`no answer within ${this.#limitSeconds} s`));
        this.kill();
      }, 1000 * this.#limitSeconds);
      this.#waiting = {
        resolve: (found) => {
          clearTimeout(timer);
          resolve(found);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #take(line: string): void {
    if (!line.startsWith('{')) return;
    let answer: Answer;
    try {
      answer = JSON.parse(line) as Answer;
    } catch {
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(answer);
    else this.#answers.push(answer);
  }

  /** The first failure counts: what comes after it follows from it. */
  #fail(error: Error): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#failure);
  }

  #ended(status: number | null, signal: string | null): string {
    const how = signal ? `ended by ${signal}` : `ended with status ${status}`;
    const lines = this.#errors.trim().split('\n');
    // The line that names the error, where there is one: Node prints its version last, Python the error.
    const last = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1)!;
    return [how, last.trim()].filter(Boolean).join(': ');
  }
}
