// ZFS for the lab's guests: the kernel's module, which Debian has as source alone, and the programs. Both lie in a
// directory that is laid over a guest's root; the machine itself gets neither.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { unpackContrib } from "./contrib-packages.mjs";
import { run } from "./run.mjs";

/** Many times what it takes: a busy machine must not make an hour of work vain. */
const BUILD_TIMEOUT_MS = 60 * 60_000;
const PACKAGES = [
  ...["zfs-dkms", "zfsutils-linux"],
  ...["libnvpair3linux", "libuutil3linux", "libzfs4linux", "libzpool5linux"],
];

/**
 * Builds it unless it is there: some minutes, once for each version of Debian's kernel, kept in .lab/. Never fails: a
 * suite without ZFS names itself in the closing summary.
 *
 * @param {string} root the project's directory
 */
export async function prepareZfs(root) {
  const kernel = buildableKernel();
  if (kernel === undefined) return;
  const cache = join(root, ".lab");
  const finished = join(cache, `zfs-${kernel}`);
  if (existsSync(finished)) return;
  process.stdout.write(`Building ZFS for the lab's kernel ${kernel} (some minutes, once) …\n`);
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, "building-zfs-"));
  try {
    await buildZfs(kernel, work);
    renameSync(join(work, "layer"), finished);
  } catch (error) {
    process.stdout.write(`ZFS could not be built: ${error instanceof Error ? error.message : error}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The newest kernel of Debian's whose headers are there too; the lab boots the newest (lanes/qemu-kernel.ts). */
function buildableKernel() {
  if (!existsSync("/lib/modules") || !existsSync("/usr/bin/gcc") || !existsSync("/usr/bin/make")) return undefined;
  return readdirSync("/lib/modules")
    .filter((version) => version.endsWith("-amd64") && !version.includes("cloud"))
    .filter((version) => existsSync(`/boot/vmlinuz-${version}`) && existsSync(`/lib/modules/${version}/build`))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
}

/**
 * @param {string} kernel
 * @param {string} work an empty directory; the result is `work`/layer
 */
async function buildZfs(kernel, work) {
  const layer = join(work, "layer");
  for (const directory of ["bin", "lib", "sbin"]) {
    mkdirSync(join(layer, "usr", directory), { recursive: true });
    symlinkSync(`usr/${directory}`, join(layer, directory));
  }
  const archives = join(work, "packages");
  mkdirSync(archives);
  await unpackContrib(PACKAGES, archives, layer);

  const sources = readdirSync(join(layer, "usr/src")).filter((name) => name.startsWith("zfs-"));
  const source = join(work, "source");
  cpSync(join(layer, "usr/src", sources[0] ?? ""), source, { recursive: true });
  const headers = `/lib/modules/${kernel}`;
  await step(source, "./configure", [
    ...["--quiet", "--prefix=/usr", "--with-config=kernel"],
    ...[`--with-linux=${existsSync(`${headers}/source`) ? `${headers}/source` : `${headers}/build`}`],
    `--with-linux-obj=${headers}/build`,
  ]);
  await step(source, "make", [`-j${availableParallelism()}`, "--silent"]);

  const modules = join(layer, "usr/lib/modules", kernel, "extra");
  mkdirSync(modules, { recursive: true });
  const built = readdirSync(join(source, "module"), { recursive: true, encoding: "utf8" });
  for (const file of built.filter((name) => name.endsWith(".ko"))) {
    cpSync(join(source, "module", file), join(modules, basename(file)));
  }
  // Symbols for debuggers are nine tenths of them, and a guest would read them each time.
  await step(modules, "strip", ["--strip-debug", ...readdirSync(modules)]);
  if (!existsSync(join(modules, "zfs.ko"))) throw new Error("make ended well, but made no zfs.ko");
  for (const unwanted of ["src", "share"]) rmSync(join(layer, "usr", unwanted), { recursive: true, force: true });
}

/**
 * @param {string} cwd
 * @param {string} program
 * @param {readonly string[]} args
 */
async function step(cwd, program, args) {
  const { status, output, timedOut } = await run(program, args, { cwd, timeoutMs: BUILD_TIMEOUT_MS, quiet: true });
  if (status === 0) return;
  const how = timedOut ? `did not end in ${BUILD_TIMEOUT_MS / 60_000} minutes` : `ended with status ${status}`;
  throw new Error(`${program} ${how}:\n${output.trimEnd().split("\n").slice(-20).join("\n")}`);
}
