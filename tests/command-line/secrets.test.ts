import { writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { cisterndUnavailable } from "../support/cisternd.js";
import { missing } from "../support/requirements.js";
import { CISTERN } from "./cistern.js";
import { stage } from "./stage.js";
import { Terminal, terminalRequirements } from "./terminal.js";

const UUID = "aaaabbbb-cccc-dddd-eeee-ffff00001111";

describe("secrets", () => {
  const own = stage({
    unavailable: cisterndUnavailable() ?? missing(terminalRequirements) ?? undefined,
    async prepare({ path, cistern }) {
      await writeFile(path("secret.xml"), document(UUID, "<usage type='ceph'><name>used</name></usage>"));
      await cistern(["secret-define", path("secret.xml")]);
    },
  });

  async function done(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await own.cistern(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  }

  const value = () => done("-q", "secret-get-value", UUID, "--plain");

  it("are listed by what they are", async () => {
    const secrets = [
      ["aaaaaaaa-0000-4000-8000-000000000001", " ephemeral='yes' private='no'"],
      ["aaaaaaaa-0000-4000-8000-000000000002", " ephemeral='no' private='yes'"],
    ] as const;
    for (const [uuid, attributes] of secrets) {
      await writeFile(own.path("other.xml"), document(uuid, "", attributes));
      await done("secret-define", own.path("other.xml"), "--validate");
    }
    const listed = async (...options: string[]) =>
      [...(await done("-q", "secret-list", ...options)).matchAll(/([0-9a-f]) {2,}(\S.*)$/gm)].map(
        ([, , usage]) => usage,
      );
    const uuids = async (...options: string[]) =>
      (JSON.parse(await done("--output", "json", "secret-list", ...options)) as { uuid: string }[]).map(
        ({ uuid }) => uuid,
      );
    const [ephemeral, hidden] = secrets.map(([uuid]) => uuid);
    expect(await listed()).toEqual(["Unused", "Unused", "ceph used"]);
    expect(await uuids("--ephemeral")).toEqual([ephemeral]);
    expect(await uuids("--no-ephemeral")).toEqual([hidden, UUID]);
    expect(await uuids("--private")).toEqual([hidden]);
    expect(await uuids("--no-private")).toEqual([ephemeral, UUID]);
    expect(await own.cistern(["secret-get-value", hidden ?? ""])).toMatchObject({ status: 1, stdout: "" });
    for (const [uuid] of secrets) await done("secret-undefine", uuid.toUpperCase());
  });

  it("that the schema does not know are refused where that is asked for", async () => {
    await writeFile(own.path("odd.xml"), document("aaaaaaaa-0000-4000-8000-000000000003", "<odd/>"));
    expect(await own.cistern(["secret-define", own.path("odd.xml"), "--validate"])).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("Failed to set attributes from"),
    });
  });

  it("take their value from a file, from the command line with a warning, and from standard input", async () => {
    await writeFile(own.path("value"), Buffer.from([0, 255, 10]));
    await done("secret-set-value", UUID, "--file", own.path("value"), "--plain");
    expect(await done("-q", "secret-get-value", UUID)).toBe("AP8K");
    expect(JSON.parse(await done("--output", "json", "secret-get-value", UUID))).toEqual({
      uuid: UUID,
      base64: "AP8K",
    });
    expect(await own.cistern(["secret-set-value", UUID, "--base64", "aGFsbG8="])).toEqual({
      status: 0,
      stdout: "Secret value set\n\n",
      stderr: "cistern: Passing secret value as command-line argument is insecure!\n",
    });
    expect(await value()).toBe("hallo");
    const stdin = Readable.from(["from a pipe\n", "and no more\n"]);
    expect((await own.cistern(["secret-set-value", UUID, "--interactive"], { stdin })).status).toBe(0);
    expect(await value()).toBe("from a pipe");
    expect(await own.cistern(["secret-set-value", UUID, "--interactive"], { stdin: Readable.from([]) })).toEqual({
      status: 1,
      stdout: "",
      stderr: "cistern: no value was given\n",
    });
  });

  it("ask for their value on a terminal, which does not show it", async () => {
    const { status, shown } = await atTerminal("t0p secret\r");
    expect({ status, isShown: shown.includes("t0p") }).toEqual({ status: 0, isShown: false });
    expect(await value()).toBe("t0p secret");
  });

  it("are left as they are by Ctrl-C", async () => {
    await done("secret-set-value", UUID, "--file", own.path("value"), "--plain");
    const { status, shown } = await atTerminal("half\u0003");
    expect({ status, isShown: shown.includes("half") }).toEqual({ status: 130, isShown: false });
    expect(await done("-q", "secret-get-value", UUID)).toBe("AP8K");
  });

  /** Types once it is asked for the value. */
  async function atTerminal(typed: string): Promise<{ status: number | null; shown: string }> {
    const command = `'${process.execPath}' '${CISTERN}' secret-set-value ${UUID} --interactive`;
    await using terminal = new Terminal(command, { environment: { ...process.env, CISTERN_URI: own.socket } });
    await terminal.shows(["Enter new value for secret:"]);
    terminal.press(typed);
    return { status: await terminal.status(), shown: terminal.screen };
  }

  it("tell of a new value and of their end while somebody waits", async () => {
    const words = ["secret-event", "--event", "all", "--loop", "--count", "2", "--secret", UUID];
    const watching = own.cistern(words);
    let hasEnded = false;
    void watching.then(() => {
      hasEnded = true;
    });
    // Nothing tells from outside when the subscription stands.
    for (let round = 0; !hasEnded && round < 100; round++) {
      await own.cistern(["secret-set-value", UUID, "--file", own.path("value"), "--plain"]);
    }
    expect(await watching).toMatchObject({
      status: 0,
      stdout: `${`event 'value-changed' for secret ${UUID}\n`.repeat(2)}events received: 2\n\n`,
    });
  });
});

function document(uuid: string, inside: string, attributes = ""): string {
  return `<secret${attributes}><uuid>${uuid}</uuid>${inside}</secret>`;
}
