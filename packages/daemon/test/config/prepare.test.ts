import { spawnSync } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ConfigurationError,
  findPlaces,
  type Places,
  parseCommandLine,
  prepareDirectories,
} from "../../dist/config/index.js";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "cistern-prepare-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const below = (directory: string): Places =>
  findPlaces(parseCommandLine(["--root", directory], "/"), { userId: 0, homeDirectory: "/", environment: {} });
const modeOf = async (path: string) => ((await stat(path)).mode & 0o7777).toString(8);

describe("preparing the places", () => {
  it("makes what is missing, private where it matters, whatever the umask says", async () => {
    const umask = process.umask(0o077);
    try {
      expect(await prepareDirectories(below(join(root, "a/b")))).toEqual([]);
    } finally {
      process.umask(umask);
    }
    const modes: Record<string, string> = {};
    for (const name of ["etc", "etc/storage", "etc/secrets", "run", "run/storage", "run/private", "var"]) {
      modes[name] = await modeOf(join(root, "a/b", name));
    }
    expect(modes).toEqual({
      etc: "755",
      "etc/storage": "700",
      "etc/secrets": "700",
      run: "755",
      "run/storage": "700",
      "run/private": "700",
      var: "700",
    });
  });

  it("keeps a user's own places to the user", async () => {
    const surroundings = { userId: 1000, homeDirectory: root, environment: { XDG_RUNTIME_DIR: join(root, "run") } };
    await prepareDirectories(findPlaces(parseCommandLine([], "/"), surroundings));
    expect(await modeOf(join(root, "run/cistern"))).toBe("700");
    expect(await modeOf(join(root, ".config/cistern"))).toBe("700");
  });

  it("leaves the mode of what exists, and says so when others may look at secrets", async () => {
    await mkdir(join(root, "etc/secrets"), { recursive: true });
    await chmod(join(root, "etc/secrets"), 0o750);
    await mkdir(join(root, "run/storage"), { recursive: true });
    await chmod(join(root, "run/storage"), 0o755);
    expect(await prepareDirectories(below(root))).toEqual([
      `The secrets directory '${root}/etc/secrets' has mode 0750: other users may look into it; 0700 is right.`,
    ]);
    expect(await modeOf(join(root, "etc/secrets"))).toBe("750");
    expect(await modeOf(join(root, "run/storage"))).toBe("755");
  });

  it("names the directory that is none", async () => {
    await mkdir(join(root, "etc"));
    await writeFile(join(root, "etc/secrets"), "");
    await expect(prepareDirectories(below(root))).rejects.toThrow(ConfigurationError);
    await expect(prepareDirectories(below(root))).rejects.toThrow(
      `The daemon keeps secrets in '${root}/etc/secrets', but that is not a directory.`,
    );
  });

  it("names the directory it cannot make", async () => {
    await writeFile(join(root, "file"), "");
    await expect(prepareDirectories(below(join(root, "file")))).rejects.toThrow(
      `The daemon keeps its configuration in '${root}/file/etc', which it cannot make: a component of the path is not a directory.`,
    );
  });

  it("says before acting that a user may not write there", async (context) => {
    context.skip(process.getuid?.() !== 0, "needs root to become another user");
    const program = `
      import { findPlaces, parseCommandLine, prepareDirectories } from ${JSON.stringify(fileURLToPath(new URL("../../dist/config/index.js", import.meta.url)))};
      process.setgid(65534); process.setuid(65534);
      const places = findPlaces(parseCommandLine(["--root", ${JSON.stringify(root)}], "/"), { userId: 65534, homeDirectory: "/", environment: {} });
      await prepareDirectories(places).catch((error) => console.log(error.message));`;
    await chmod(root, 0o755);
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(stdout).toBe(
      `The daemon keeps its configuration in '${root}/etc', which it cannot make: permission denied. ` +
        "Choose a directory of your own for --root, or run the daemon as its owner.\n",
    );
    await expect(lstat(join(root, "etc"))).rejects.toThrow("ENOENT");
  });
});
