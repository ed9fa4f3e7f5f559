/**
 * Unrolls loops while AssemblyScript compiles the kernels, which neither its optimizer nor V8 does: a loop
 *
 *     for (let step: usize = 0; condition; step = (step + 1) % unroll(16)) { body }
 *
 * becomes one whose turn is 16 times the body, the condition between them. `step` is a constant in each, so it may stand
 * where WebAssembly wants one, as in the offset of a load. The body may `break`, but not `continue`.
 */
import { CommonFlags, Node, NodeKind, Token } from 'assemblyscript';
import { Transform } from 'assemblyscript/transform';

export default class Unroll extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) {
      for (const statement of source.statements) {
        if (statement.kind === NodeKind.FunctionDeclaration && statement.body) unrollWithin(statement.body);
      }
    }
  }
}

/** Unrolls what there is in blocks and loops; what a condition guards is left as it is. */
function unrollWithin(statement) {
  if (statement.kind === NodeKind.Block) {
    statement.statements = statement.statements.map((inner) => {
      unrollWithin(inner);
      const times = inner.kind === NodeKind.For ? timesOf(inner.incrementor) : 0;
      return times > 0 ? unrolled(inner, times) : inner;
    });
  } else if (statement.body) {
    unrollWithin(statement.body);
  }
}

/** 16 in `step = (step + 1) % unroll(16)`; 0 in anything else. */
function timesOf(incrementor) {
  const call = incrementor?.right?.right;
  return call?.kind === NodeKind.Call && call.expression.text === 'unroll' ? Number(call.args[0].value) : 0;
}

function unrolled(loop, times) {
  const { condition, body, range } = loop;
  const [{ name, type }] = loop.initializer.declarations;
  const turn = [];
  for (let i = 0; i < times; i++) {
    const value = Node.createIntegerLiteralExpression(globalThis.i64_new(i), range);
    const declaration = Node.createVariableDeclaration(name, null, CommonFlags.Const, type, value, range);
    const step = Node.createVariableStatement(null, [declaration], range);
    turn.push(Node.createBlockStatement([step, body], range));
    if (i === times - 1) break;
    const done = Node.createUnaryPrefixExpression(Token.Exclamation, condition, range);
    turn.push(Node.createIfStatement(done, Node.createBreakStatement(null, range), null, range));
  }
  const repeated = Node.createDoStatement(Node.createBlockStatement(turn, range), condition, range);
  return Node.createIfStatement(condition, repeated, null, range);
}
