/** Markup in which all that is not markup is escaped: what a text, a name or a model says cannot become a tag. */

/** Markup. */
export class Html {
  readonly markup: string;

  /** @param markup taken as it is: never what a file, a model or a user says */
  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What can stand in a template: text and numbers are escaped, markup stays, of lists every part, nothing for undefined. */
export type Content = string | number | Html | undefined | readonly Content[];

/** A template of markup: html`<b title="${title}">${text}</b>`. Values stand in text or in quoted attributes. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  let markup = strings[0]!;
  values.forEach((value, i) => {
    markup += render(value) + strings[i + 1]!;
  });
  return new Html(markup);
}

function render(value: Content): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.markup;
  if (typeof value === 'object') return value.map(render).join('');
  return escapeHtml(`${value}`);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it must stand between tags and in quoted attributes. NUL, which no document may hold, becomes U+FFFD. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!).replaceAll('\0', '\ufffd');
}
