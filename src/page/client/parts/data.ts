/** What the page was made with; see `renderPage`. */
export function pageData<T>(): T {
  return JSON.parse(document.getElementById('data')!.textContent!) as T;
}
