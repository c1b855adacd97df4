import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { missing } from "../support/requirements.js";
import { RootedDaemon } from "../support/rooted-daemon.js";
import { runCistern } from "./cistern.js";
import { InteractiveShell, SHELLS, type Shell, shellRequirements } from "./interactive-shell.js";

const unavailable = cisterndUnavailable() ?? missing(shellRequirements) ?? undefined;

/** What docs/reference/cistern.md tells each shell's users to have in their settings. */
const INSTALL: Readonly<Record<Shell, string>> = {
  bash: "source <(cistern completion bash)",
  zsh: "autoload -Uz compinit; compinit; source <(cistern completion zsh)",
  fish: "cistern completion fish | source",
};

/** What shells find by themselves where it lies below the home directory. */
const FILES = {
  zsh: {
    directory: ".zfunc",
    file: "_cistern",
    start: "fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit",
  },
  fish: {
    directory: ".config/fish/completions",
    file: "cistern.fish",
    start: "set -p fish_complete_path ~/.config/fish/completions",
  },
} as const;

let root: string;
let daemon: RootedDaemon;

beforeAll(async () => {
  if (unavailable !== undefined) return;
  root = await mkdtemp(join(tmpdir(), "sh-"));
  daemon = await RootedDaemon.prepare(join(root, "d"));
  await daemon.start();
  const cistern = (...args: string[]) => runCistern(["--root", daemon.root, ...args]);
  for (const name of ["images", "isos", "my pool's", "a:b"]) {
    await cistern("pool-create-as", name, "dir", "--target", join(root, name), "--build");
  }
  for (const name of ["disk a.raw", "Größe ß.img", "w:x@y=z", 'q"[*]\\$b', "~tilde"]) {
    await cistern("vol-create-as", "images", name, "1M");
  }
  await cistern("vol-create-as", "isos", "install.iso", "1M");
  await writeFile(join(root, "a file.iso"), "");
});
beforeEach(({ skip }) => {
  if (unavailable !== undefined) skip(unavailable);
});
afterAll(async () => {
  if (unavailable !== undefined) return;
  await daemon.stop();
  await rm(root, { recursive: true, force: true });
});

const [SOCKET, ROOT] = ["$SOCKET", "$ROOT"];

/** What is typed before Tab, and the words that cistern is given then. */
const LINES: readonly (readonly [typed: string, words: readonly string[]])[] = [
  ["pool-sta", ["pool-start"]],
  ["pool-list --out", ["pool-list", "--output"]],
  ["pool-list --output j", ["pool-list", "--output", "json"]],
  ["pool-list --output=j", ["pool-list", "--output=json"]],
  ["pool-start im", ["pool-start", "images"]],
  ["pool-start my", ["pool-start", "my pool's"]],
  ["pool-start my\\ ", ["pool-start", "my pool's"]],
  ["pool-start 'my", ["pool-start", "my pool's"]],
  ['pool-start "my p', ["pool-start", "my pool's"]],
  ["pool-start a", ["pool-start", "a:b"]],
  ["pool-start a:", ["pool-start", "a:b"]],
  ["vol-info Gr", ["vol-info", "Größe ß.img"]],
  ["vol-info Größe\\ ß", ["vol-info", "Größe ß.img"]],
  ["vol-info w:x@", ["vol-info", "w:x@y=z"]],
  ["vol-info q", ["vol-info", 'q"[*]\\$b']],
  ["vol-info '~t", ["vol-info", "~tilde"]],
  ["vol-info \\~t", ["vol-info", "~tilde"]],
  ["vol-info --pool im", ["vol-info", "--pool", "images"]],
  ["vol-info --pool=im", ["vol-info", "--pool=images"]],
  ["vol-info --pool isos ", ["vol-info", "--pool", "isos", "install.iso"]],
  ['vol-info --pool "isos" ', ["vol-info", "--pool", "isos", "install.iso"]],
  ["vol-info disk\\ a.raw im", ["vol-info", "disk a.raw", "images"]],
  ["explain images/d", ["explain", "images/disk a.raw"]],
  ["vol-upload install.iso a", ["vol-upload", "install.iso", "a file.iso"]],
  ["--root=a", ["--root=a file.iso"]],
];

/** How each shell is made to list: bash wants to be asked twice, and fish's list needs a better terminal. */
const LISTED: Readonly<Record<Shell, string>> = {
  bash: "cistern pool-start i\t\t",
  zsh: "cistern pool-start i\t",
  fish: "complete -C 'cistern pool-start i'; cistern ready\r",
};

/** What names the daemon where CISTERN_URI does not. */
const NAMED_DAEMONS = [
  `--root ${ROOT}`,
  `--root=${ROOT}`,
  "--root ~/../d",
  `-c ${SOCKET}`,
  `-c${SOCKET}`,
  `-c "storage+unix:///system?socket=${SOCKET}"`,
];

describe.each(SHELLS)("Tab in %s", (name) => {
  let home: string;
  let shell: InteractiveShell;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    home = join(root, name);
    await mkdir(home);
    await writeFile(join(home, "a file.iso"), "");
    shell = await InteractiveShell.start(name, home, INSTALL[name], { CISTERN_URI: daemon.socket });
  });
  afterAll(() => shell?.[Symbol.asyncDispose]());

  it.each(LINES)("completes: cistern %s", async (typed, words) => {
    expect(await shell.complete(`cistern ${typed}\t`)).toEqual(words);
  });

  it("lists what may be meant", async () => {
    expect(await shell.shows(LISTED[name], ["images", "isos"])).not.toContain("my pool");
  });
});

describe.each(SHELLS)("Tab in %s without CISTERN_URI", (name) => {
  let home: string;
  let shell: InteractiveShell;

  beforeAll(async () => {
    if (unavailable !== undefined) return;
    home = join(root, `${name}-alone`);
    await mkdir(home);
    shell = await InteractiveShell.start(name, home, INSTALL[name], { CISTERN_URI: "/nowhere" });
  });
  afterAll(() => shell?.[Symbol.asyncDispose]());

  it.each(NAMED_DAEMONS)("asks the daemon of %s", async (named) => {
    const options = named.replace(ROOT, daemon.root).replace(SOCKET, daemon.socket);
    const words = await shell.complete(`cistern ${options} pool-start im\t`);
    expect(words.slice(-2)).toEqual(["pool-start", "images"]);
  });

  it("adds nothing where no daemon answers", async () => {
    expect(await shell.complete("cistern pool-start im\t")).toEqual(["pool-start", "im"]);
  });
});

describe.each(["zsh", "fish"] as const)("Completion that lies as a file where %s looks for it", (name) => {
  it("is found", async () => {
    const home = join(root, `${name}-file`);
    const { directory, file, start } = FILES[name];
    await mkdir(join(home, directory), { recursive: true });
    await writeFile(join(home, directory, file), (await runCistern(["completion", name])).stdout);
    await using shell = await InteractiveShell.start(name, home, start, { CISTERN_URI: daemon.socket });
    expect(await shell.complete("cistern pool-start im\t")).toEqual(["pool-start", "images"]);
  });
});
