/** Expressions that kernels share, as text. */

/** σ(x) = 1 / (1 + e⁻ˣ); where e⁻ˣ is infinite, 0. */
export const sigmoid = (x: string): string => `(1 / (1 + Math.exp(-(${x}))))`;

/** tanh(x) = 2σ(2x) − 1, exact to a float's last place beside 1; the built-in one is NaN for large x on some drivers. */
export const tanh = (x: string): string => `(2 / (1 + Math.exp(-2 * (${x}))) - 1)`;

/**
 * Statements that declare `name` = ln(1 + x) for a variable x ≥ 0: 2 artanh(x / (2 + x)) as a series where
 * 1 + x would lose the digits of x.
 */
export const log1p = (name: string, x: string): string => `
      let ${name} = Math.log(1 + ${x});
      if (${x} < 0.5) {
        const q = ${x} / (2 + ${x});
        const qq = q * q;
        ${name} = 2 * q * (1 + qq * (1 / 3 + qq * (1 / 5 + qq * (1 / 7 + qq / 9))));
      }`;
