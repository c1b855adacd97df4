import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FLUSHES } from "../support/flushes.js";
import { Tracing } from "../support/strace.js";
import { prepared, type Row, type Stage } from "./row.js";
import type { Sides } from "./sides.js";

/** What each daemon, and what it runs, flushes during one operation of each row: the promise behind the times. */
export async function flushesOf(rows: readonly Row[], sides: Sides): Promise<string> {
  const lines: string[] = [];
  for (const row of rows) {
    lines.push(row.name);
    for (const stage of [sides.cisternd, sides.libvirtd]) {
      lines.push(`  ${stage.name.padEnd(8)}  ${await flushes(row, stage)}`);
    }
  }
  return lines.join("\n");
}

async function flushes(row: Row, stage: Stage): Promise<string> {
  const work = await mkdtemp(join(tmpdir(), "cistern-flushes-"));
  const ready = await prepared(row, stage);
  try {
    const tracing = await Tracing.attach(stage.pid, join(work, "trace"), { calls: FLUSHES });
    // Turns of their own: a table of the same run would use the first ones.
    await ready.run(1_000_000).finally(() => tracing.detach());
    const counts = new Map<string, number>();
    for (const { line } of await tracing.calls()) {
      const what = shown(line);
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    const all = [...counts].map(([what, count]) => (count === 1 ? what : `${count} × ${what}`));
    return all.length === 0 ? "nothing" : all.join(", ");
  } finally {
    await ready.end();
    await rm(work, { recursive: true, force: true });
  }
}

/** "fdatasync(11</tmp/pool/v>) = 0" as "fdatasync v" */
function shown(line: string): string {
  const [, call = line, path] = /^(\w+)\((?:\d+<([^>]*)>)?/.exec(line) ?? [];
  return path === undefined ? call : `${call} ${basename(path)}`;
}
