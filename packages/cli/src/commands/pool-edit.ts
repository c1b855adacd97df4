import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeUtf8, encodeUtf8 } from "@cistern/protocol";
import { attempt, Failure } from "../failure.js";
import { findPool } from "../lookup.js";
import { printable } from "../output/text.js";
import type { Surroundings } from "../surroundings.js";
import { command } from "./command.js";
import { poolParameter } from "./parameters.js";

export const poolEdit = command({
  name: "pool-edit",
  summary: "edit XML configuration for a storage pool",
  parameters: { pool: poolParameter },
  async run(context, { pool: name }) {
    await context.withConnection(async (connection) => {
      const pool = await findPool(connection, name, context.call);
      const inactive = await pool.isPersistent(context.call);
      const before = await pool.xml({ inactive }, context.call);
      const after = await edit(before, context.surroundings, async (xml) => {
        await attempt(`Failed to define pool ${pool.name}`, () => connection.definePool(xml, {}, context.call));
      });
      const what = after === before ? "not changed" : "edited";
      const text = `Pool ${printable(pool.name)} XML configuration ${what}.`;
      context.printDone(text, { pool: pool.name, uuid: pool.uuid, changed: after !== before });
    });
  },
});

/** Lets the user change a document and hands on what was changed. What is refused stays in its file, to be mended. */
async function edit(
  xml: string,
  { environment }: Surroundings,
  use: (changed: string) => Promise<void>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "cistern-edit-"));
  const file = join(directory, "pool.xml");
  let isKept = false;
  try {
    await writeFile(file, encodeUtf8(xml), { mode: 0o600 });
    await runEditor(environment["VISUAL"] || environment["EDITOR"] || "vi", file);
    const changed = decodeUtf8(await readFile(file));
    if (changed === xml) return xml;
    isKept = true;
    await use(changed);
    isKept = false;
    return changed;
  } catch (error) {
    throw isKept ? new Failure(error, { hint: `what was edited is in ${file}; cistern pool-define takes it` }) : error;
  } finally {
    if (!isKept) await rm(directory, { recursive: true });
  }
}

/** The variable may have arguments of the editor's, so a shell takes it apart. */
async function runEditor(editor: string, file: string): Promise<void> {
  const child = spawn("/bin/sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" });
  const [status] = (await once(child, "exit")) as [number | null];
  if (status !== 0) throw new Error(`the editor "${editor}" ended with status ${status ?? "of a signal"}`);
}
