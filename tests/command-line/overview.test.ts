import { describe, expect, it } from "vitest";
import { BOTH_DAEMONS, stage } from "./stage.js";

describe.each(BOTH_DAEMONS)("cistern alone, with $name", ({ unavailable, open, isCistern }) => {
  const own = stage({ unavailable, open });

  async function done(args: readonly string[], columns?: number): Promise<string> {
    const { status, stdout, stderr } = await own.cistern(args, { columns });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  it("tells how to begin where there is nothing", async () => {
    const whose = isCistern ? "cisternd" : "libvirt's daemon";
    expect(await done([])).toBe(
      `${whose} at ${own.socket}\n\nThere are no pools.\n\n` +
        "Next: cistern pool-define-as images dir --target /var/lib/cistern/images\n",
    );
  });

  it.each([80, 120])("shows pools, what needs attention and what to type, on %i columns", async (columns) => {
    await done(["pool-create-as", `good${columns}`, "dir", "--target", own.path("good"), "--build"]);
    await done(["pool-define-as", `down${columns}`, "dir", "--target", own.path("down")]);
    await done(["pool-autostart", `down${columns}`]);
    const screen = await done([], columns);
    expect(screen).toMatch(new RegExp(`^ down${columns} +should run +-$`, "m"));
    const bar = `\\[#* *\\] {2}\\d+\\.\\d\\d .iB of \\d+\\.\\d\\d .iB \\(\\d+ %\\)`;
    expect(screen).toMatch(new RegExp(`^ good${columns} +running +${bar}$`, "m"));
    expect(screen).toContain(` ! pool down${columns} should run and does not\n   cistern pool-start down${columns}\n`);
    expect(screen).toMatch(new RegExp(`\n\nNext: cistern pool-start down${columns}\n$`));
    const lines = screen.split("\n");
    expect(lines.length).toBeLessThan(24);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    const { pools } = JSON.parse(await done(["--output", "json"])) as { pools: { name: string }[] };
    expect(pools.map(({ name }) => name)).toEqual([`down${columns}`, `good${columns}`]);
    await done(["pool-undefine", `down${columns}`]);
    await done(["pool-destroy", `good${columns}`]);
  });

  // A libvirtd has no jobs.
  if (!isCistern) return;

  it("shows what is under way, and what failed until it went well", async () => {
    await done(["pool-create-as", "p", "dir", "--target", own.path("p"), "--build"]);
    await done(["vol-create-as", "p", "large", "8G", "--allocation", "0"]);
    expect((await own.cistern(["vol-create-as", "p", "x", "1M", "--prealloc-metadata"])).status).toBe(1);
    expect(await done([])).toMatch(/^ ! create volume 'x' of pool 'p': failed, .*\n {3}cistern job-info \d+$/m);
    await done(["vol-create-as", "p", "x", "1M"]);
    const screen = await done([]);
    expect(screen).not.toContain("attention");
    expect(screen).toMatch(/\nNext: cistern vol-list p\n$/);
    const controller = new AbortController();
    await done(["vol-create-as", "p", "full", "2G"]);
    const wiping = own.cistern(["vol-wipe", "full", "p", "--algorithm", "random"], {
      signal: controller.signal,
    });
    await expect
      .poll(() => done([]), { timeout: 20_000, interval: 50 })
      .toMatch(/^ \d+ {2}wipe volume 'full' of pool 'p' {2}\[#* *\] {2}\d+ %.*$/m);
    expect(await done([])).toMatch(/\nNext: cistern job-watch \d+\n$/);
    controller.abort();
    expect(await wiping).toMatchObject({
      status: 130,
      stderr: expect.stringMatching(/^cistern: .*operation aborted.*\nhint: the volume is partly overwritten\n$/s),
    });
    expect((await own.cistern(["jobs", "--all", "--output", "json"])).stdout).toMatch(/"cancelled"/);
  });
});
