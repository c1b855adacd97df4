import { relative } from "node:path";
import ts from "typescript";

/**
 * Promises that are returned as they are where the function has something left to do: behind a `using`, in a `try` with a
 * `catch` or a `finally`. What they use is closed while they are under way, a `catch` around them sees nothing, and one
 * that fails before the closing is done is a rejection that nobody handles. `return await` is meant there.
 *
 * `files`: how many were looked at; `found`: `path:line: statement`, the path from the project's directory.
 */
export function unawaitedReturns(configurationPath: string): { files: number; found: string[] } {
  const { fileNames, options, projectReferences } = readConfiguration(configurationPath);
  const program = ts.createProgram({
    rootNames: fileNames,
    options: { ...options, noEmit: true },
    ...(projectReferences === undefined ? {} : { projectReferences }),
  });
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const name of fileNames) {
    const file = program.getSourceFile(name);
    if (file === undefined) throw new Error(`${name} of ${configurationPath} was not read`);
    const visit = (node: ts.Node): void => {
      if (ts.isReturnStatement(node) && node.expression !== undefined && hasWorkLeft(node)) {
        if (isPromise(checker.getTypeAtLocation(node.expression))) {
          const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
          found.push(`${relative(configurationPath, name)}:${line}: ${node.getText(file)}`);
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return { files: fileNames.length, found };
}

function readConfiguration(path: string): ts.ParsedCommandLine {
  const host: ts.ParseConfigFileHost = {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
      throw new Error(`${path} cannot be read: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
    },
  };
  const parsed = ts.getParsedCommandLineOfConfigFile(path, {}, host);
  if (parsed === undefined) throw new Error(`${path} cannot be read`);
  return parsed;
}

function hasWorkLeft(statement: ts.ReturnStatement): boolean {
  for (let node: ts.Node = statement; !ts.isSourceFile(node) && !ts.isFunctionLike(node.parent); node = node.parent) {
    const { parent } = node;
    if (ts.isTryStatement(parent)) {
      if (node === parent.tryBlock) return true;
      if (node === parent.catchClause && parent.finallyBlock !== undefined) return true;
    }
    if ((ts.isBlock(parent) || ts.isCaseOrDefaultClause(parent)) && isBehindUsing(node, parent.statements)) return true;
  }
  return false;
}

function isBehindUsing(node: ts.Node, statements: readonly ts.Statement[]): boolean {
  return statements.some((statement) => {
    if (statement.pos >= node.pos || !ts.isVariableStatement(statement)) return false;
    const kind = statement.declarationList.flags & ts.NodeFlags.BlockScoped;
    return kind === ts.NodeFlags.Using || kind === ts.NodeFlags.AwaitUsing;
  });
}

function isPromise(type: ts.Type): boolean {
  const types = type.isUnion() ? type.types : [type];
  return types.some((each) => each.getProperty("then") !== undefined);
}
