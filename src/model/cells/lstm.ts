/**
 * The LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000). Gates in the order
 * i, f, g, o:
 *
 *     i, f, o = σ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),   g = tanh(the same form)
 *     c_t = f ⊙ c_{t-1} + i ⊙ g
 *     h_t = o ⊙ tanh(c_t)
 *
 * Beside the path through W_hh the gradient has a direct one back, along c, on which it is multiplied by f only; the network
 * can keep f near 1. That is the cure for the vanishing gradient (docs/gradients.md has measurements).
 */
import type { Cell } from './cell.ts';

export const lstm: Cell = {
  gates: 4,
  states: ['hidden', 'cell'],

  unroll({ recorder, T, B, H, hiddenWeight, hiddenBias, states: [hidden, cell] }) {
    const allGates = recorder.temporary('gates', T * B, 4 * H);
    return {
      inputGates: allGates,

      forward(t) {
        const gates = allGates.slice(t * B, B);
        recorder.add('matmul', {
          out: gates,
          a: hidden!.slice(t * B, B),
          b: hiddenWeight,
          transposeB: true,
          accumulate: true,
          bias: hiddenBias,
        });
        recorder.add('lstmForward', {
          gates,
          previousCell: cell!.slice(t * B, B),
          cell: cell!.slice((t + 1) * B, B),
          hidden: hidden!.slice((t + 1) * B, B),
        });
      },

      startBackward(hiddenGradient) {
        const cellGradient = recorder.temporary('cellGradient', B, H);
        recorder.add('fill', { out: cellGradient, value: 0 });
        return {
          // The gradients take the place of the gates, which nothing needs after their own backward step.
          inputGates: allGates,
          hiddenGates: allGates,
          initialStates: [hiddenGradient.slice(0, B), cellGradient],

          backward(t) {
            const gates = allGates.slice(t * B, B);
            recorder.add('lstmBackward', {
              gates,
              previousCell: cell!.slice(t * B, B),
              cell: cell!.slice((t + 1) * B, B),
              hiddenGradient: hiddenGradient.slice((t + 1) * B, B),
              cellGradient,
              gatesGradient: gates,
            });
            recorder.add('matmul', {
              out: hiddenGradient.slice(t * B, B),
              a: gates,
              b: hiddenWeight,
              accumulate: true,
            });
          },
        };
      },
    };
  },
};
