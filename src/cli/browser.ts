/** Opening a page in the browser of the user. */
import { spawn } from 'node:child_process';

/** What opens an address on this system; the address is the last argument. */
function opener(): readonly [command: string, ...args: string[]] {
  if (process.platform === 'darwin') return ['open'];
  if (process.platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  return ['xdg-open'];
}

/** Whether there is a screen for a browser, as far as one can tell. */
export function hasScreen(): boolean {
  const { DISPLAY, WAYLAND_DISPLAY, SSH_CONNECTION } = process.env;
  if (process.platform === 'darwin' || process.platform === 'win32') return !SSH_CONNECTION;
  return Boolean(DISPLAY || WAYLAND_DISPLAY);
}

/** Asks the system to open `url`. @returns undefined, or why it does not */
export function openBrowser(url: string): Promise<string | undefined> {
  const [command, ...args] = opener();
  return new Promise((resolve) => {
    const child = spawn(command, [...args, url], { detached: true, stdio: 'ignore' });
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? `there is no ${command}` : error.message);
    });
    child.once('exit', (status) =>
      resolve(status === 0 ? undefined : `${command} failed (status ${status})`),
    );
    child.unref();
  });
}
