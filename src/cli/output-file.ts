/** Files that a command writes beside its output: tried before the work is done, there when it is done. */
import { CharloomError } from '../errors.ts';
import { checkDestination, PartFile } from '../text/part-file.ts';

/**
 * Opens a file that may be there already: it is replaced by `moveTo`, and kept by `discard`.
 * @param flag the option that names it
 * @throws CharloomError USAGE for what is no name of a file; as `checkDestination` and `PartFile.create`
 */
export async function openOutput(path: string, flag: string): Promise<PartFile> {
  if (path === '' || path === '-') {
    throw new CharloomError('USAGE', `${flag} '${path}' is not a file name`, 'it is written to a file');
  }
  await checkDestination(path, true);
  return PartFile.create(path);
}
