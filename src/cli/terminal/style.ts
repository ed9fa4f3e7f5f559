/** Colour, the only module that knows chalk. */
import { Chalk, type ChalkInstance } from 'chalk';

/** Whether stderr is a terminal that may be painted on: the condition for colour and for animation. */
export const isLive = (): boolean =>
  process.stderr.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** Styles for what is written to `stream`: none unless it and stderr are terminals and NO_COLOR is unset. */
export function styled(stream: NodeJS.WriteStream): ChalkInstance {
  return new Chalk(isLive() && stream.isTTY ? {} : { level: 0 });
}
