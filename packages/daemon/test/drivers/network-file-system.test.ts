import { readFileSync } from "node:fs";
import type { PoolDocument, VolumeDocument } from "@cistern/documents";
import { ErrorDomain, LibvirtError } from "@cistern/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asOwner } from "../../dist/drivers/netfs/as-owner.js";
import { networkFileSystemDriver } from "../../dist/drivers/network-file-system.js";
import type { Command, CommandResult, Host, Identity } from "../../dist/host/host.js";
import { HostError } from "../../dist/host/index.js";
import { pool, volume } from "./documents.js";
import { errorOf, Laboratory } from "./laboratory.js";
import { standIn } from "./stand-in.js";

let laboratory: Laboratory;
beforeEach(() => {
  laboratory = new Laboratory();
});
afterEach(() => laboratory.close());

function poolAt(source: Partial<PoolDocument["source"]>, owner: number | null = null): PoolDocument {
  const plain = pool("netfs", laboratory.path("images"));
  const permissions = { mode: null, owner, group: owner, label: null };
  return { ...plain, source: { ...plain.source, ...source }, target: { ...plain.target, permissions } };
}

/** A host that answers for programs, and remembers what was run. */
function answering(answer: (command: Command) => Partial<CommandResult> | HostError): { host: Host; ran: string[] } {
  const ran: string[] = [];
  const host = standIn(laboratory.host, {
    run: async (command) => {
      const line = [command.program, ...command.args].join(" ");
      ran.push(line);
      const result = answer(command);
      if (result instanceof HostError) throw result;
      return { line, exitStatus: 0, signal: null, stdout: "", stderr: "", ...result };
    },
  });
  return { host, ran };
}

const recorded = (name: string) => readFileSync(new URL(`../tools/recorded/${name}`, import.meta.url), "utf8");
const absent = new HostError("ENOENT", 2, "not there");
const late = new HostError("ETIMEDOUT", 110, "did not end");

describe("what is mounted", () => {
  test.each([
    [{ format: "nfs", directory: "/exp", protocolVersion: "4.1" }, ",nfsvers=4.1 -t nfs srv:/exp"],
    [{ format: "auto", directory: "/exp" }, " srv:/exp"],
    [{ format: null, directory: "/exp" }, " srv:/exp"],
    [{ format: "glusterfs", directory: "gv0" }, ",direct-io-mode=1 -t glusterfs srv:gv0"],
    [{ format: "cifs", directory: "/share" }, ",guest -t cifs //srv/share"],
  ])("%j: %s", async (source, line) => {
    const { host, ran } = answering(() => ({}));
    const document = poolAt({ hosts: [{ name: "srv", port: 0 }], ...source });
    await networkFileSystemDriver.start?.(document, host, laboratory.poolContext);
    expect(ran).toEqual([`mount -o nodev,nosuid,noexec${line} ${laboratory.path("images")}`]);
  });

  test.each([
    [{ hosts: [] }, "67/18 unsupported configuration: Expected exactly 1 host for the storage pool"],
    [{ hosts: [{ name: "", port: 0 }] }, "1/18 internal error: missing source host"],
    [{ hosts: [{ name: "srv", port: 0 }] }, "1/18 internal error: missing source path"],
    [
      { hosts: [{ name: "-oloop", port: 0 }], directory: "/x" },
      "67/18 unsupported configuration: '-oloop' is not the name of a host",
    ],
  ])("%j is refused", async (source, error) => {
    const started = networkFileSystemDriver.start?.(poolAt(source), laboratory.host, laboratory.poolContext);
    expect(await errorOf(started ?? Promise.reject())).toBe(error);
  });
});

describe("discovery", () => {
  const discover = (host: Host, name = "srv") => {
    const { source } = poolAt({ hosts: [{ name, port: 0 }] });
    const found = networkFileSystemDriver.discover?.(source, host, new AbortController().signal);
    return found ?? Promise.reject();
  };

  test("exports of NFS, then volumes of gluster", async () => {
    const { host, ran } = answering(({ program }) => ({
      stdout: recorded(program === "gluster" ? "gluster/volumes.xml" : "showmount/exports.txt"),
    }));
    expect((await discover(host)).map(({ format, directory }) => `${format} ${directory}`)).toEqual([
      ...["nfs /b dir", "nfs /seen", "nfs /squashed", "nfs /open"],
      ...["glusterfs gv0", "glusterfs gv1"],
    ]);
    expect(ran).toHaveLength(2);
  });

  test("one way is enough; an export that no document can hold costs only itself", async () => {
    const { host } = answering(({ program }) => (program === "gluster" ? absent : { stdout: "/a *\n/b/ *\n/c *\n" }));
    expect((await discover(host)).map(({ directory }) => directory)).toEqual(["/a", "/c"]);
  });

  test.each([
    ["both ways find nothing", () => ({}), "9/18 operation failed: no storage pools were found on host 'srv'"],
    ["both fail", () => ({ exitStatus: 1 }), "9/18 operation failed: no storage pools were found on host 'srv'"],
    ["neither is installed", () => absent, "9/18 operation failed: no storage pools were found on host 'srv'"],
    ["nobody answers in time", () => late, "38/18 cannot ask host 'srv': Connection timed out"],
  ])("%s", async (_, answer, error) => {
    expect(await errorOf(discover(answering(answer).host))).toBe(error);
  });

  test("a name that would be an option is asked of nobody", async () => {
    const { host, ran } = answering(() => ({}));
    expect(await errorOf(discover(host, "-x"))).toBe("8/18 invalid argument: '-x' is not the name of a host");
    expect(ran).toEqual([]);
  });
});

describe("as the owner", () => {
  const refused = (errno: number) => LibvirtError.system(ErrorDomain.STORAGE, errno, "cannot");
  const said = LibvirtError.of(1, ErrorDomain.NONE, "Child process (qemu-img) …: Could not open: Permission denied");

  /** Whom the work was tried as, and its outcome; it succeeds as `who`. */
  async function triedAs(who: number | null, error: LibvirtError, of: VolumeDocument | null, poolOwner: number | null) {
    const tried: string[] = [];
    const hostOf = (identity: Identity | null): Host =>
      standIn(laboratory.host, {
        as: async (_, other) => hostOf(other),
        letGo: async () => void tried.push(identity === null ? "root" : `${identity.owner}:${identity.group}`),
      });
    const work = async (host: Host) => {
      await host.letGo?.("");
      if (tried.at(-1)?.split(":")[0] !== String(who)) throw error;
      return "done";
    };
    const outcome = await asOwner(poolAt({}, poolOwner), of, hostOf(null), work).catch((thrown: unknown) => thrown);
    return { tried, outcome };
  }

  test("whoever is not refused is asked once, as root", async () => {
    expect(await triedAs(null, refused(2), volume("v", { owner: 7 }), 8)).toEqual({
      tried: ["root"],
      outcome: refused(2),
    });
  });

  test.each([
    ["EACCES", refused(13)],
    ["EPERM", refused(1)],
    ["a program's words", said],
  ])("%s: the volume's owner, then the pool's", async (_, error) => {
    const of = volume("v", { owner: 7, group: 9 });
    expect(await triedAs(7, error, of, 8)).toEqual({ tried: ["root", "7:9"], outcome: "done" });
    expect(await triedAs(8, error, of, 8)).toEqual({ tried: ["root", "7:9", "8:8"], outcome: "done" });
    expect(await triedAs(null, error, of, 8)).toEqual({ tried: ["root", "7:9", "8:8"], outcome: error });
  });

  test("nobody is asked twice, root not again, and nobody where no owner is known", async () => {
    expect((await triedAs(null, refused(13), volume("v", { owner: 7, group: 7 }), 7)).tried).toEqual(["root", "7:7"]);
    expect((await triedAs(null, refused(13), volume("v", { owner: 0 }), null)).tried).toEqual(["root"]);
    expect((await triedAs(null, refused(13), null, null)).tried).toEqual(["root"]);
  });

  test("what goes wrong for another reason stands", async () => {
    const tried: string[] = [];
    const host = standIn(laboratory.host, { as: async () => laboratory.host });
    const outcome = asOwner(poolAt({}, 7), null, host, async () => {
      tried.push("");
      throw tried.length === 1 ? refused(13) : refused(28);
    });
    await expect(outcome).rejects.toMatchObject({ int1: 28 });
    expect(tried).toHaveLength(2);
  });

  test("local storage has no other users: the refusal stands", async () => {
    const work = () => Promise.reject(refused(13));
    await expect(asOwner(poolAt({}, 7), null, laboratory.host, work)).rejects.toMatchObject({ int1: 13 });
  });
});
