/**
 * Unrolls loops while AssemblyScript compiles the kernels, which neither its optimizer nor V8 does: a loop
 *
 *     const TURN: usize = 16;
 *     for (let step: usize = 0; condition; step = (step + 1) % unroll(TURN)) { body }
 *
 * becomes one whose turn is 16 times the body, the condition between them. (The constant is of the same file.) `step` is a
 * constant in each, so it may stand where WebAssembly wants one, as in the offset of a load. The body may `break`, but not `continue`.
 */
import { CommonFlags, Node, NodeKind, Token } from 'assemblyscript';
import { Transform } from 'assemblyscript/transform';

export default class Unroll extends Transform {
  afterParse(parser) {
    for (const { statements } of parser.sources) {
      const constants = constantsOf(statements);
      for (const statement of statements) {
        if (statement.kind === NodeKind.FunctionDeclaration && statement.body) {
          unrollWithin(statement.body, constants);
        }
      }
    }
  }
}

/** The numbers that are constants of a file, by name. */
function constantsOf(statements) {
  const declarations = statements.flatMap((statement) => statement.declarations ?? []);
  return new Map(declarations.map(({ name, initializer }) => [name.text, Number(initializer?.value)]));
}

/** Unrolls what there is in blocks and loops; what a condition guards is left as it is. */
function unrollWithin(statement, constants) {
  if (statement.kind === NodeKind.Block) {
    statement.statements = statement.statements.map((inner) => {
      unrollWithin(inner, constants);
      const times = inner.kind === NodeKind.For ? timesOf(inner.incrementor, constants) : 0;
      return times > 0 ? unrolled(inner, times) : inner;
    });
  } else if (statement.body) {
    unrollWithin(statement.body, constants);
  }
}

/** The value of TURN in `step = (step + 1) % unroll(TURN)`; 0 in anything else. */
function timesOf(incrementor, constants) {
  const call = incrementor?.right?.right;
  if (call?.kind !== NodeKind.Call || call.expression.text !== 'unroll') return 0;
  const times = constants.get(call.args[0].text);
  if (!(times > 0)) throw new Error(`unroll(${call.args[0].text}): no such constant in this file`);
  return times;
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
