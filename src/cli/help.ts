/** The head of a command's help: what people type. */
export function examples(...lines: string[]): string {
  return `Examples:\n${lines.map((line) => `  $ ${line}\n`).join('')}`;
}
