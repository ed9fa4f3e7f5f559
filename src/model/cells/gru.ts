/**
 * The GRU (Cho et al. 2014) in the reset-after form of cuDNN and PyTorch. Gates in the order r, z, n:
 *
 *     r, z = σ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
 *     n = tanh(W_in x_t + b_in + r ⊙ (W_hn h_{t-1} + b_hn))
 *     h_t = (1 − z) ⊙ n + z ⊙ h_{t-1}
 *
 * Reset-after multiplies by r after the product with W_hn, so all three gates come from one matrix product.
 */
import type { Cell } from './cell.ts';

export const gru: Cell = {
  gates: 3,
  states: ['hidden'],

  unroll({ recorder, T, B, H, hiddenWeight, hiddenBias, states: [hidden] }) {
    const allInputGates = recorder.temporary('inputGates', T * B, 3 * H);
    const allHiddenGates = recorder.temporary('hiddenGates', T * B, 3 * H);
    return {
      inputGates: allInputGates,

      forward(t) {
        const hiddenGates = allHiddenGates.slice(t * B, B);
        const previousHidden = hidden!.slice(t * B, B);
        recorder.add('matmul', {
          out: hiddenGates,
          a: previousHidden,
          b: hiddenWeight,
          transposeB: true,
          bias: hiddenBias,
        });
        recorder.add('gruForward', {
          inputGates: allInputGates.slice(t * B, B),
          hiddenGates,
          previousHidden,
          hidden: hidden!.slice((t + 1) * B, B),
        });
      },

      startBackward(hiddenGradient) {
        return {
          // Gradients take the place of the gates, which nothing needs after their own backward step.
          inputGates: allInputGates,
          hiddenGates: allHiddenGates,
          initialStates: [hiddenGradient.slice(0, B)],

          backward(t) {
            const inputGates = allInputGates.slice(t * B, B);
            const hiddenGates = allHiddenGates.slice(t * B, B);
            const previousHiddenGradient = hiddenGradient.slice(t * B, B);
            recorder.add('gruBackward', {
              inputGates,
              hiddenGates,
              previousHidden: hidden!.slice(t * B, B),
              hiddenGradient: hiddenGradient.slice((t + 1) * B, B),
              previousHiddenGradient,
              inputGatesGradient: inputGates,
              hiddenGatesGradient: hiddenGates,
            });
            recorder.add('matmul', {
              out: previousHiddenGradient,
              a: hiddenGates,
              b: hiddenWeight,
              accumulate: true,
            });
          },
        };
      },
    };
  },
};
