/**
 * The textbook RNN (Elman 1990): h_t = f(W_hh h_{t-1} + b_hh + W_xh x_t + b_xh), f = tanh or ReLU.
 *
 * Its gradient through time is a product of T factors diag(f′) W_hh, which vanishes or explodes with T
 * (Bengio et al. 1994): the reason for the other two cells.
 */
import type { Activation } from '../config.ts';
import type { Cell } from './cell.ts';

export const rnn = (activation: Activation): Cell => ({
  gates: 1,
  states: ['hidden'],

  unroll({ recorder, T, B, H, hiddenWeight, hiddenBias, states: [hidden] }) {
    const preactivations = recorder.temporary('preactivations', T * B, H);
    return {
      inputGates: preactivations,

      forward(t) {
        const preactivation = preactivations.slice(t * B, B);
        recorder.add('matmul', {
          out: preactivation,
          a: hidden!.slice(t * B, B),
          b: hiddenWeight,
          transposeB: true,
          accumulate: true,
          bias: hiddenBias,
        });
        recorder.add('rnnForward', { hidden: hidden!.slice((t + 1) * B, B), preactivation, activation });
      },

      startBackward(hiddenGradient) {
        const gradients = recorder.temporary('preactivationGradients', T * B, H);
        return {
          inputGates: gradients,
          hiddenGates: gradients,
          initialStates: [hiddenGradient.slice(0, B)],

          backward(t) {
            const preactivationGradient = gradients.slice(t * B, B);
            recorder.add('rnnBackward', {
              preactivationGradient,
              hidden: hidden!.slice((t + 1) * B, B),
              hiddenGradient: hiddenGradient.slice((t + 1) * B, B),
              activation,
            });
            recorder.add('matmul', {
              out: hiddenGradient.slice(t * B, B),
              a: preactivationGradient,
              b: hiddenWeight,
              accumulate: true,
            });
          },
        };
      },
    };
  },
});
