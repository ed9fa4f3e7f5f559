/** Gives the document the colours of a scale. */
import type { Scale } from '../../scale.ts';

/** @param selector what has the colours of a level */
export function adoptColours({ light, dark }: Scale, selector: (level: number) => string): void {
  const rules = (swatches: Scale['light']): string =>
    swatches
      .map(({ background, text }, level) => {
        return `${selector(level)} { background-color: ${background}; color: ${text}; }`;
      })
      .join('\n');
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${rules(light)}\n@media (prefers-color-scheme: dark) {\n${rules(dark)}\n}`);
  document.adoptedStyleSheets.push(sheet);
}
