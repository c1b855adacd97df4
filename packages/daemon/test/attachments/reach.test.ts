import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { missing } from "../../../../tests/support/requirements.js";
import { findHypervisorUser, type HypervisorUser, parseConfiguration } from "../../dist/attachments/hypervisor-user.js";
import { allows, Reach } from "../../dist/attachments/reach.js";
import { Storage } from "../volumes/storage.js";

const NOBODY: HypervisorUser = {
  name: "nobody",
  userId: 65534,
  groupName: "nogroup",
  groupIds: [65534, 4242],
  takesOwnership: false,
};

describe("the kernel's rule", () => {
  it.each([
    ["an owner is judged by the owner's bits alone", { mode: 0o077, owner: 65534, group: 0 }, false],
    ["any of the groups will do", { mode: 0o070, owner: 0, group: 4242 }, true],
    ["a member of the group is not one of the others", { mode: 0o707, owner: 0, group: 4242 }, false],
    ["everybody else is judged by the last bits", { mode: 0o004, owner: 0, group: 0 }, true],
  ])("%s", (_rule, facts, expected) => {
    expect(allows(facts, NOBODY, "read")).toBe(expected);
  });
});

describe("libvirt's configuration", () => {
  it("says as whom guests run", () => {
    const text = '#user = "root"\nuser = "libvirt-qemu"\n group = "+107"\ndynamic_ownership = 0\n';
    expect(parseConfiguration(text)).toEqual({ user: "libvirt-qemu", group: "107", takesOwnership: false });
    expect(parseConfiguration("")).toEqual({ user: null, group: null, takesOwnership: true });
  });

  it("is overruled by what is asked for", async () => {
    const storage = await Storage.open();
    try {
      const { host } = storage.laboratory;
      const user = await findHypervisorUser({ user: "nobody", group: "0" }, host);
      expect(user).toMatchObject({ name: "nobody", userId: 65534, groupName: "0" });
      expect(user.groupIds[0]).toBe(0);
      await expect(findHypervisorUser({ user: "no-such-user", group: null }, host)).rejects.toMatchObject({ code: 8 });
    } finally {
      await storage.close();
    }
  });
});

const unable = missing({ root: true, programs: ["setpriv"] });
describe("reach", () => {
  let storage: Storage;
  beforeEach(async (context) => {
    context.skip(unable !== null, unable ?? "");
    storage = await Storage.open();
    chmodSync(storage.path(), 0o755);
    writeFileSync(`${storage.directory("p")}/a`, "bytes");
    chmodSync(storage.path("p"), 0o755);
    chmodSync(storage.path("p", "a"), 0o600);
    await storage.started("p");
  });
  afterEach(async () => {
    if (unable === null) await storage.close();
  });

  const faults = (user: HypervisorUser) =>
    new Reach(user, storage.backends.hostAt).faultsOf([storage.volumes.resolve({ pool: "p", name: "a" })]);

  it("asks for the file's bits where libvirt does not hand files over", async () => {
    expect(await faults({ ...NOBODY, takesOwnership: true })).toEqual([]);
    const path = storage.path("p", "a");
    expect(await faults(NOBODY)).toEqual([
      {
        path,
        volumes: ["p/a"],
        detail: `user 'nobody' may not read and write '${path}' (mode 0600, owner 0, group 0)`,
        command: `setfacl -m u:nobody:rw ${path}`,
      },
    ]);
    chownSync(path, NOBODY.userId, 0);
    expect(await faults(NOBODY)).toEqual([]);
  });

  it("asks for every directory above", async () => {
    const user = { ...NOBODY, takesOwnership: true };
    chmodSync(storage.path("p"), 0o700);
    expect(await faults(user)).toMatchObject([
      { path: storage.path("p"), command: `setfacl -m u:nobody:x ${storage.path("p")}` },
    ]);
    expect(await faults({ ...user, userId: 0 })).toEqual([]);
    chmodSync(storage.path("p"), 0o711);
    expect(await faults(user)).toEqual([]);
  });

  it("asks the kernel where a symlink leads through what the path does not name", async () => {
    const user = { ...NOBODY, takesOwnership: true };
    mkdirSync(storage.path("hidden", "images"), { recursive: true });
    writeFileSync(storage.path("hidden", "images", "b"), "bytes");
    symlinkSync(storage.path("hidden", "images"), storage.path("way"));
    await storage.started("linked", storage.path("way"));
    const linked = () =>
      new Reach(user, storage.backends.hostAt).faultsOf([storage.volumes.resolve({ pool: "linked", name: "b" })]);
    expect(await linked()).toEqual([]);
    chmodSync(storage.path("hidden"), 0o700);
    expect(await linked()).toMatchObject([{ path: storage.path("way"), command: `namei -l ${storage.path("way")}` }]);
  });

  it("tells of a file that is gone", async () => {
    rmSync(storage.path("p", "a"));
    expect(await faults(NOBODY)).toMatchObject([{ path: storage.path("p", "a") }]);
  });
});
