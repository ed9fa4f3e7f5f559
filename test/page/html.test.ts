import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Html, html } from '../../src/page/html.ts';

describe('a template of markup', () => {
  it('escapes what is text, in elements and in attributes', () => {
    const evil = `"><script>alert('1')</script>&amp;`;
    assert.equal(
      html`<b title="${evil}">${evil}</b>`.markup,
      '<b title="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;">' +
        '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;</b>',
    );
  });

  it('leaves markup alone, also in lists, and writes nothing for undefined', () => {
    const item = (text: string) => html`<li>${text}</li>`;
    assert.equal(
      html`<ul>${['<', '漢'].map(item)}${undefined}${0}</ul>`.markup,
      '<ul><li>&lt;</li><li>漢</li>0</ul>',
    );
    assert.equal(html`${new Html('<hr>')}`.markup, '<hr>');
  });

  it('has no NUL, which ends a document for some readers', () => {
    assert.equal(html`a${'\0'}b`.markup, 'a\ufffdb');
  });
});
