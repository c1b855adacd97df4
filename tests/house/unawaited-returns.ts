import { relative } from "node:path";
import ts from "typescript";

/**
 * Promises that a function returns without waiting for them, although something is put away at its end ("await using", "using",
 * "finally"): it is put away while they are at work, and their failure is heard by nobody meanwhile. Each as "file:line text".
 */
export function unawaitedReturns(program: ts.Program, root: string, isOurs: (file: string) => boolean): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const source of program.getSourceFiles()) {
    if (source.isDeclarationFile || !isOurs(source.fileName)) continue;
    const visit = (node: ts.Node, putsAway: boolean): void => {
      if (ts.isFunctionLike(node)) putsAway = false;
      if (ts.isTryStatement(node) && node.finallyBlock !== undefined) {
        visit(node.tryBlock, true);
        if (node.catchClause !== undefined) visit(node.catchClause, true);
        visit(node.finallyBlock, putsAway);
        return;
      }
      if (putsAway && ts.isReturnStatement(node) && node.expression !== undefined) {
        if (givesPromise(checker, node.expression)) {
          const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
          found.push(`${relative(root, source.fileName)}:${line} ${node.getText(source).split("\n")[0]}`);
        }
      }
      ts.forEachChild(node, (child) => {
        // What comes before it in its block is over by then.
        if (isUsing(child)) putsAway = true;
        visit(child, putsAway);
      });
    };
    visit(source, false);
  }
  return found;
}

function isUsing(statement: ts.Node): boolean {
  if (!ts.isVariableStatement(statement)) return false;
  const kind = statement.declarationList.flags & ts.NodeFlags.BlockScoped;
  return kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing;
}

/** A promise that was kept for longer is somebody else's to hear. */
function givesPromise(checker: ts.TypeChecker, expression: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(expression)) return givesPromise(checker, expression.expression);
  if (ts.isConditionalExpression(expression)) {
    return givesPromise(checker, expression.whenTrue) || givesPromise(checker, expression.whenFalse);
  }
  if (!ts.isCallExpression(expression)) return false;
  return checker.getPropertyOfType(checker.getTypeAtLocation(expression), "then") !== undefined;
}
