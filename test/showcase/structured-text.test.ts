import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scoreReber, scoreSine, trainReber, trainSine } from './structured-text.ts';

test('when an LSTM has read embedded Reber strings, at least 99% of its next symbols on unseen ones are legal', async () => {
  const trained = await trainReber(300_000, { cell: 'lstm', steps: 1500 });
  const score = await scoreReber(trained, 300);
  assert.equal(score.strings, 300);
  assert.ok(score.legal >= 0.99, `legal: ${score.legal}`);
  assert.ok(score.remembered >= 0.99, `second symbol remembered: ${score.remembered}`);
});

test('when it has hardly been trained, it does not know the grammar: the measure can fail', async () => {
  const score = await scoreReber(await trainReber(300_000, { cell: 'lstm', steps: 20 }), 50);
  assert.ok(score.legal < 0.9, `legal: ${score.legal}`);
});

test('when an LSTM has read a sine wave in digits, it continues one of another phase for four periods', async () => {
  const error = await scoreSine(await trainSine(100_000, { cell: 'lstm', steps: 1500 }), 100);
  assert.ok(error < 5, `root mean squared error ${error} of an amplitude of 49.5`);
});
