/** Copies a text. @throws Error if the browser does not let the page do that */
export async function copy(text: string): Promise<void> {
  try {
    return await navigator.clipboard.writeText(text);
  } catch {
    // Browsers that give files no clipboard still copy what is selected.
    const area = document.createElement('textarea');
    area.value = text;
    const focused = document.activeElement as HTMLElement | null;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    focused?.focus();
    if (!done) throw new Error('the browser does not let this page copy');
  }
}
