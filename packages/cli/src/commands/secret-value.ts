import { readFile } from "node:fs/promises";
import { askForLine } from "../ask.js";
import { UsageError } from "../exit-status.js";
import { attempt } from "../failure.js";
import { withLocalFile } from "../local-file.js";
import { command, type ValuesOf } from "./command.js";
import { flag, optionalText } from "./parameters.js";
import { findSecret, secretParameter } from "./secret-document.js";

export const secretGetValue = command({
  name: "secret-get-value",
  summary: "output a secret value",
  parameters: { secret: secretParameter, plain: flag("get value without converting to base64") },
  async run(context, { secret: uuid, plain }) {
    await context.withConnection(async (connection) => {
      const secret = await findSecret(connection, uuid, context);
      const value = Buffer.from(await secret.value(context.call));
      const base64 = value.toString("base64");
      if (!context.isText) return context.printResult({ uuid: secret.uuid, base64 }, () => "");
      // Without a line end, as virsh prints it: with --quiet there is nothing but the value.
      context.surroundings.stdout.write(plain ? value : base64);
    });
  },
});

const valueParameters = {
  secret: secretParameter,
  file: optionalText("read secret from file", { completes: "files", isNamedOnly: true }),
  plain: flag("read the secret from file without converting from base64"),
  interactive: flag("read the secret from the terminal"),
  base64: optionalText("base64-encoded secret value, which other users can see while the command runs"),
} as const;

export const secretSetValue = command({
  name: "secret-set-value",
  summary: "set a secret value",
  parameters: valueParameters,
  async run(context, values) {
    refuseContradictions(values);
    const { file, plain, base64 } = values;
    if (base64 !== null) {
      context.surroundings.stderr.write("cistern: Passing secret value as command-line argument is insecure!\n");
    }
    await context.withConnection(async (connection) => {
      const secret = await findSecret(connection, values.secret, context);
      const value =
        base64 !== null
          ? Buffer.from(base64, "base64")
          : file === null
            ? Buffer.from(await askForLine(context.surroundings, "Enter new value for secret:", { isShown: false }))
            : await readValue(file, plain);
      await attempt("Failed to set secret value", () => secret.setValue(value, context.call));
      context.printDone("Secret value set", { uuid: secret.uuid });
    });
  },
});

function refuseContradictions({ file, base64, interactive, plain }: ValuesOf<typeof valueParameters>): void {
  const ways = [file !== null && "--file", base64 !== null && "--base64", interactive && "--interactive"];
  const [first, second] = ways.filter((way) => way !== false);
  if (first === undefined) throw new UsageError("Input secret value is missing");
  if (second !== undefined) throw new UsageError(`Options ${first} and ${second} are mutually exclusive`);
  if (plain && file === null) throw new UsageError("--plain needs --file");
}

async function readValue(file: string, isPlain: boolean): Promise<Buffer> {
  const content = await withLocalFile("read", file, () => readFile(file));
  return isPlain ? content : Buffer.from(content.toString("latin1"), "base64");
}
