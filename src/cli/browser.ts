/** Opening a page in the browser of the user. */
import { spawn } from 'node:child_process';

/** A program that has not failed by then has the page; it may well run until the user closes it. */
const PATIENCE_MILLISECONDS = 3000;

/** What opens an address or a file on this system, which is its last argument. */
function opener(): readonly [program: string, ...args: string[]] {
  if (process.platform === 'darwin') return ['open'];
  // `start` is a command of the shell, which would take the name apart; this is what it calls.
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}

/** Whether there is a screen for a browser, as far as one can tell. */
export function hasScreen(): boolean {
  const { DISPLAY, WAYLAND_DISPLAY, SSH_CONNECTION } = process.env;
  if (process.platform === 'darwin' || process.platform === 'win32') return !SSH_CONNECTION;
  return Boolean(DISPLAY || WAYLAND_DISPLAY);
}

/**
 * Asks the system to open a page; does not wait until the user has seen it.
 * @param page an address, or the absolute path of a file
 * @returns undefined, or why it does not
 */
export function openBrowser(page: string): Promise<string | undefined> {
  const [program, ...args] = opener();
  return new Promise((resolve) => {
    const child = spawn(program, [...args, page], { detached: true, stdio: 'ignore' });
    const end = (problem?: string): void => {
      clearTimeout(timer);
      resolve(problem);
    };
    const timer = setTimeout(end, PATIENCE_MILLISECONDS);
    child.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ENOENT' ? `there is no ${program}` : error.message),
    );
    child.once('exit', (status) => end(status === 0 ? undefined : `${program} failed (status ${status})`));
    child.unref();
  });
}
