import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { html } from '../../src/page/html.ts';
import { renderPage } from '../../src/page/page.ts';

describe('a page', () => {
  const page = renderPage({
    title: '<runs>',
    client: 'base',
    data: { text: '</script><script>alert(1)</script>' },
    body: html`<h1>${'<runs>'}</h1>`,
  });

  it('allows its own style by digest and nothing from elsewhere', () => {
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll('&#39;', "'");
    const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1]!;
    const digest = createHash('sha256').update(style).digest('base64');
    assert.equal(
      policy,
      `default-src 'none'; style-src 'sha256-${digest}'; img-src data:; base-uri 'none'; form-action 'none'`,
    );
    assert.doesNotMatch(page, /https?:\/\//);
  });

  it('shows its title as text, and data cannot end its element', () => {
    assert.match(page, /<title>&lt;runs&gt;<\/title>/);
    const data = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(page)![1]!;
    assert.deepEqual(JSON.parse(data), { text: '</script><script>alert(1)</script>' });
  });

  it('says so when its style has not been built', () => {
    assert.throws(() => renderPage({ title: '', client: 'nonesuch', body: html`` }), {
      code: 'UNAVAILABLE',
      hint: 'run `npm run build:pages`',
    });
  });
});
