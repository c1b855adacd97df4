import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NamespaceMount } from "../support/mount-namespace.js";

const QEMU_IMG = "/usr/bin/qemu-img";
const ATTEMPTS = 100;

/**
 * qemu-img for libvirtd, which does not fail by chance: before it makes a key it measures how fast this machine derives one, and where
 * the kernel counts a thread's time in ticks, that sees no time at all in a third of the calls and gives up within milliseconds.
 * The real program is then called again, which takes that it is given real paths: one that fails removes what it was to write. Only
 * its complaints are held back until it ends; what it writes goes where it would.
 */
export async function measuringQemuImg(root: string): Promise<NamespaceMount> {
  const real = join(root, "qemu-img-real");
  const from = join(root, "qemu-img");
  await copyFile(QEMU_IMG, real);
  const script = `#!/bin/bash
exec {output}>&1
for attempt in {1..${ATTEMPTS}}; do
  complaint=$(exec -a qemu-img '${real}' "$@" 2>&1 >&$output {output}>&-)
  status=$?
  [[ $complaint == *"Unable to get accurate CPU usage"* ]] || break
done
[[ -z $complaint ]] || printf '%s\\n' "$complaint" >&2
exit $status
`;
  await writeFile(from, script, { mode: 0o755 });
  return { kind: "file", from, onto: QEMU_IMG };
}
