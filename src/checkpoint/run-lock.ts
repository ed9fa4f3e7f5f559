/**
 * One process at a time may write to a run folder. Its lock is the file `lock`, which names the process; a
 * lock whose process is gone (killed, power loss) is taken over.
 *
 * Every step is atomic. A lock comes into being with its content, by a hard link: never empty, never twice.
 * Two processes that find the same dead lock must not both replace it, so that right is claimed first, as
 * the file `lock.ID` with the ID of the dead lock, made in the same way. If the claimant itself dies before
 * it is done, the right to its claim is claimed as `lock.CLAIM-ID`, and so on. IDs are never used again, so
 * a claim that comes too late does no harm: the lock has another ID by then.
 */
import { randomUUID } from 'node:crypto';
import {
  constants,
  copyFileSync,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CharloomError } from '../errors.ts';
import { asWriteError } from '../system-errors.ts';
import { temporaryName } from './atomic-write.ts';
import { parseJsonObject } from './json.ts';

export const LOCK = 'lock';
/** Rounds in which another process got in between; in practice one or two. */
const MAX_ATTEMPTS = 100;

interface Owner {
  readonly id: string;
  readonly pid: number;
  readonly hostname: string;
  /** When the process started, in words of the system; '' where it does not tell. */
  readonly started: string;
}

/** A held lock. */
export interface RunLock {
  /** Gives the lock back; may be called twice, and while the process exits. */
  release(): void;
}

/**
 * Locks an existing run folder for this process.
 * @throws CharloomError BUSY if a living process holds it, CANNOT_CREATE or IO if the file cannot be made
 */
export function lockRun(dir: string): RunLock {
  const self: Owner = {
    id: randomUUID(),
    pid: process.pid,
    hostname: hostname(),
    started: startOf(process.pid),
  };
  const content = join(dir, temporaryName(LOCK));
  try {
    writeFileSync(content, `${JSON.stringify(self)}\n`, { flag: 'wx' });
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (tryLock(dir, content)) {
        removeClaims(dir);
        return { release: () => release(dir, self) };
      }
    }
    throw new CharloomError('BUSY', `${dir} is in use: other processes keep locking it`);
  } catch (error) {
    throw asWriteError(error, join(dir, LOCK));
  } finally {
    rmSync(content, { force: true });
  }
}

/**
 * @param content a file that names this process
 * @returns whether the lock is ours; false: it changed meanwhile, look again
 * @throws CharloomError BUSY
 */
function tryLock(dir: string, content: string): boolean {
  const lock = join(dir, LOCK);
  if (createFrom(content, lock)) return true;
  const dead = readDeadOwner(dir, lock);
  if (!dead) return false;
  const claim = claimRightOf(dir, dead, content);
  if (!claim) return false;
  // From here on nobody else may replace this dead lock. But did somebody before the claim was ours?
  if (readOwner(lock)?.id !== dead.id) {
    rmSync(claim, { force: true });
    return false;
  }
  renameSync(content, lock);
  return true;
}

/** Claims what only one process may do about a dead owner. @returns the file of the claim */
function claimRightOf(dir: string, dead: Owner, content: string): string | undefined {
  const claim = join(dir, `${LOCK}.${dead.id}`);
  if (createFrom(content, claim)) return claim;
  const deadClaimant = readDeadOwner(dir, claim);
  return deadClaimant && claimRightOf(dir, deadClaimant, content);
}

/** Makes a file with this content unless it exists. @returns whether it did not */
function createFrom(content: string, path: string): boolean {
  try {
    linkSync(content, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error;
  }
  // No hard links on this file system. A process that sees the file half copied takes it for a living lock.
  try {
    copyFileSync(content, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * The owner that a lock or claim names, if it is dead; undefined if there is no such file any more.
 * @throws CharloomError BUSY if it lives, or if nobody can tell
 */
function readDeadOwner(dir: string, path: string): Owner | undefined {
  let owner: Owner | undefined;
  try {
    owner = readOwner(path);
  } catch (error) {
    if (!(error instanceof CharloomError)) throw error;
    throw new CharloomError('BUSY', `${dir} is locked, by a file that cannot be read`, ifNobody(path), {
      cause: error,
    });
  }
  if (!owner) return undefined;
  if (owner.hostname !== hostname()) {
    const who = `process ${owner.pid} on ${JSON.stringify(owner.hostname.slice(0, 80))}`;
    throw new CharloomError('BUSY', `${dir} is in use by ${who}`, ifNobody(path));
  }
  if (isAlive(owner)) {
    throw new CharloomError(
      'BUSY',
      `${dir} is in use by process ${owner.pid}`,
      'wait until it ends, or stop it',
    );
  }
  return owner;
}

const ifNobody = (path: string) => `if no process uses the folder, delete ${path}`;

/** @throws CharloomError BAD_DATA if the file is not of the form that `lockRun` writes */
function readOwner(path: string): Owner | undefined {
  let bytes: Uint8Array;
  try {
    // A named pipe would be waited for, a device read for ever.
    if (!statSync(path).isFile()) throw new CharloomError('BAD_DATA', `${path} is not a file`);
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const { id, pid, hostname, started } = parseJsonObject(bytes, path);
  const valid =
    typeof id === 'string' &&
    /^[0-9a-f-]{36}$/.test(id) && // it becomes part of a file name
    typeof pid === 'number' &&
    Number.isSafeInteger(pid) &&
    pid > 0 && // 0 and below would mean groups of processes
    typeof hostname === 'string' &&
    typeof started === 'string';
  if (!valid) throw new CharloomError('BAD_DATA', `${path} is not a lock`);
  return { id, pid, hostname, started };
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // The number of a dead process is given to a new one in time: compare what else is known.
  const startedNow = startOf(pid);
  return startedNow === started || startedNow === '' || started === '';
}

/** Linux: the boot and the clock tick since then at which a process started; '' where the system does not tell. */
function startOf(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The fields after the name of the program, which stands in parentheses and may hold anything.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return 'ended, but not yet waited for by its parent';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`;
  } catch {
    return '';
  }
}

function release(dir: string, self: Owner): void {
  const lock = join(dir, LOCK);
  try {
    // Somebody may have deleted it by hand, and somebody else have locked the folder since.
    if (readOwner(lock)?.id === self.id) rmSync(lock, { force: true });
  } catch {
    // A lock that stays is taken over by the next process.
  }
}

/** Claims on locks that are gone: those of processes that were killed during a takeover. */
function removeClaims(dir: string): void {
  for (const name of readdirSync(dir)) {
    if (/^lock\.[0-9a-f-]{36}$/.test(name)) rmSync(join(dir, name), { force: true });
  }
}
