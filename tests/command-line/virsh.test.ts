import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { cisterndUnavailable, prepareCisternd } from "../support/cisternd.js";
import { libvirtdUnavailable, prepareLibvirtd } from "../support/libvirtd.js";
import { mountNamespacesUnavailable } from "../support/mount-namespace.js";
import { type Ended, runCistern } from "./cistern.js";
import { inNamespace, stage } from "./stage.js";

const DEADLINE_MS = 20_000;

interface Result {
  readonly line: string;
  readonly succeeded: boolean;
  readonly stdout: string;
}

const daemons = [
  {
    name: "cisternd",
    prepare: prepareCisternd,
    unavailable: libvirtdUnavailable() ?? cisterndUnavailable() ?? mountNamespacesUnavailable(),
  },
  { name: "libvirtd", prepare: prepareLibvirtd, unavailable: libvirtdUnavailable() },
];

/**
 * Commands as people type them, each script from nothing to nothing, so that it can be run twice on one daemon. $ROOT is a
 * directory, $P the UUID of pool "p", $S that of a secret.
 */
const SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  "a pool's life": [
    "pool-list",
    "pool-list --all",
    "pool-define-as p dir --target $ROOT/p",
    "pool-define-as --name p2 --type dir --target $ROOT/p2 --print-xml",
    "pool-define-as p2 dir - - - - $ROOT/p2 --print-xml",
    "pool-define-as p3",
    "pool-define-as p4 nosuch --target /x",
    "pool-define-as größe-日本 dir --target $ROOT/größe",
    "pool-list --all",
    "pool-list --all --details",
    "pool-info p",
    "pool-uuid p",
    "pool-name $P",
    "pool-name --pool $P",
    "pool-info nosuch",
    "pool-info p extra",
    "pool-start p",
    "pool-build p",
    "pool-start --pool p",
    "pool-start p --build",
    "pool-list",
    "pool-list --details",
    "pool-list --all --details",
    "pool-list --name",
    "pool-list --uuid",
    "pool-list --all --name --uuid",
    "pool-list --inactive",
    "pool-list --autostart",
    "pool-list --all --no-autostart",
    "pool-list --persistent --transient",
    "pool-list --transient",
    "pool-list --type dir",
    "pool-list --all --type fs,netfs",
    "pool-list --type nosuch",
    "-q pool-list --all",
    "-q pool-refresh p",
    "pool-info p",
    "pool-info --bytes p",
    "pool-dumpxml größe-日本",
    "pool-dumpxml p --inactive",
    "pool-dumpxml p --xpath //target/path",
    "pool-dumpxml p --xpath //name/text()",
    "pool-dumpxml p --xpath //@unit",
    "pool-dumpxml p --xpath //target --wrap",
    "pool-autostart p",
    "pool-list --autostart",
    "pool-autostart p --disable",
    "pool-refresh p",
    "pool-refresh $P",
    "pool-undefine p",
    "pool-destroy p",
    "pool-destroy p",
    "pool-build p --overwrite --no-overwrite",
    "pool-delete p",
    "pool-undefine p",
    "pool-undefine größe-日本",
    "pool-create-as t dir --target $ROOT/t --build",
    "pool-list --transient --details",
    "pool-destroy t",
    "pool-create $ROOT/pool.xml --build",
    "pool-destroy file",
    "pool-define $ROOT/pool.xml --validate",
    "pool-undefine file",
    "pool-define $ROOT/nosuch.xml",
    "pool-capabilities",
    "pool-event --list",
    "pool-event --event refresh --timeout 1",
    "pool-event",
    "find-storage-pool-sources-as netfs",
    "find-storage-pool-sources nosuch",
  ],
  "documents of pools": [
    "pool-define-as x iscsi --source-host h --source-path /a --source-dev iqn --source-name n --target /dev/disk --print-xml",
    "pool-define-as x iscsi h /a iqn n /dev/disk fmt chap user usage --print-xml",
    "pool-define-as x rbd --source-host h --auth-type ceph --auth-username u --secret-uuid q --print-xml",
    "pool-define-as x rbd --auth-type ceph --auth-username u --secret-uuid q --secret-usage q --print-xml",
    "pool-define-as x scsi --adapter-name scsi_host1 --print-xml",
    "pool-define-as x scsi --adapter-name a --adapter-wwnn a --adapter-wwpn b --adapter-parent c --adapter-parent-wwnn d --print-xml",
    "pool-define-as x scsi --adapter-wwnn a --adapter-wwpn b --adapter-parent-wwnn d --adapter-parent-wwpn e --print-xml",
    "pool-define-as x scsi --adapter-wwnn a --adapter-wwpn b --adapter-parent-fabric-wwn f --print-xml",
    "pool-define-as x scsi --adapter-wwnn a --print-xml",
    "pool-define-as x netfs --source-protocol-ver 3 --print-xml",
    "pool-define-as x netfs --source-host h --source-path /a --source-format nfs --source-protocol-ver 3 --print-xml",
    "pool-define-as x iscsi-direct --source-initiator i --print-xml",
    "pool-create-as x logical --source-dev /dev/a --source-name vg --target /dev/vg --print-xml",
  ],
  "a secret's life": [
    "secret-list",
    "secret-define $ROOT/secret.xml",
    "secret-define $ROOT/nosuch.xml",
    "secret-list",
    "-q secret-list",
    "secret-list --no-private --no-ephemeral",
    "secret-list --private",
    "secret-dumpxml $S",
    "secret-dumpxml $S --xpath //name",
    "secret-get-value $S",
    "secret-set-value $S --base64 aGFsbG8=",
    "secret-set-value $S",
    "secret-set-value $S --file $ROOT/value --plain --base64 x",
    "secret-get-value $S",
    "secret-set-value $S --file $ROOT/value --plain",
    "secret-get-value $S --plain",
    "-q secret-get-value --secret $S",
    "secret-set-value --secret $S --file $ROOT/value",
    "secret-get-value $S",
    "secret-dumpxml nosuch",
    "secret-undefine 11111111-2222-3333-4444-555555555555",
    "secret-event --list",
    "secret-event --event value-changed --timeout 1",
    "secret-event",
    "secret-undefine $S",
    "secret-list",
  ],
  "a volume's life": [
    "pool-create-as p dir --target $ROOT/p --build",
    "vol-list p",
    "vol-create-as p a.raw 10M",
    "vol-create-as p a.raw 10M",
    "vol-create-as p thin.raw 10MB --allocation 0",
    "vol-create-as p größe-日本 1K 0 raw",
    "vol-create-as p B.qcow2 10M --format qcow2 --backing-vol a.raw --backing-vol-format raw",
    "vol-create-as p c 10M --format qcow2 --backing-vol a.raw --print-xml",
    "vol-create-as p d 10M --prealloc-metadata",
    "vol-create-as p",
    "vol-create-as p e x",
    "vol-list p",
    "vol-list --pool p --details",
    "vol-list --details $P",
    "-q vol-list p",
    "vol-list nosuch",
    "vol-info a.raw p",
    "vol-info a.raw --pool p --bytes",
    "vol-info --physical --pool p thin.raw",
    "vol-info $ROOT/p/B.qcow2",
    "vol-info a.raw",
    "vol-info nosuch --pool p",
    "vol-key a.raw p",
    "vol-key --vol größe-日本 --pool p",
    "vol-path a.raw p",
    "vol-name $ROOT/p/a.raw",
    "vol-pool $ROOT/p/a.raw",
    "vol-pool $ROOT/p/nosuch",
    "vol-dumpxml B.qcow2 p",
    "vol-dumpxml größe-日本 --pool p --xpath /volume/name",
    "vol-clone a.raw b.raw p",
    "vol-clone a.raw c.raw --pool p --print-xml",
    "vol-clone a.raw b.raw p",
    "vol-create p $ROOT/volume.xml",
    "vol-create-from p $ROOT/copy.xml a.raw p",
    "vol-resize a.raw 20M p",
    "vol-resize a.raw 1M p",
    "vol-resize --delta --vol a.raw --capacity 5M --pool p",
    "vol-resize a.raw 1K p --shrink",
    "vol-wipe b.raw p",
    "vol-wipe b.raw p --algorithm random",
    "vol-wipe b.raw p --algorithm magic",
    "vol-upload a.raw $ROOT/pool.xml p",
    "vol-download a.raw $ROOT/out --pool p",
    "vol-download a.raw $ROOT/out --pool p --offset 10 --length 20",
    "vol-upload a.raw $ROOT/nosuch p",
    "vol-delete b.raw p",
    "vol-delete b.raw p",
    "vol-delete $ROOT/p/a.raw",
    "vol-delete thin.raw --pool p",
    "vol-delete größe-日本 p",
    "vol-delete B.qcow2 p",
    "vol-delete file.raw p",
    "vol-delete copy.raw p",
    "vol-list p",
    "pool-destroy p",
    "vol-list p",
  ],
};

describe.each(daemons)("cistern prints what virsh prints, with $name", ({ prepare, unavailable }) => {
  const own = stage({
    unavailable,
    open: inNamespace(prepare),
    async prepare({ root, path }) {
      await writeFile(
        path("pool.xml"),
        `<pool type='dir'><name>file</name><target><path>${root}/file</path></target></pool>`,
      );
      await writeFile(path("secret.xml"), "<secret><usage type='ceph'><name>a b</name></usage></secret>");
      await writeFile(path("value"), "aGFsbG8=");
      for (const [file, name] of [
        ["volume.xml", "file.raw"],
        ["copy.xml", "copy.raw"],
      ] as const) {
        await writeFile(path(file), `<volume><name>${name}</name><capacity unit='MiB'>1</capacity></volume>`);
      }
    },
  });

  const virsh = (args: readonly string[]) => runVirsh(["-c", uri(), ...args]);
  const cistern = (args: readonly string[]) => runCistern(["-c", uri(), ...args]);
  const uri = (): string => `qemu+unix:///system?socket=${own.socket}`;

  it.each(Object.keys(SCRIPTS))("%s", { timeout: 120_000 }, async (title) => {
    const script = SCRIPTS[title] ?? [];
    const wanted = await play(script, virsh);
    const given = await play(script, cistern);
    expect(given).toEqual(wanted);
    expect(wanted.filter(({ succeeded }) => succeeded).length).toBeGreaterThan(script.length / 2);
  });

  async function standsFor(word: string): Promise<string> {
    if (word === "$P") return (await virsh(["pool-uuid", "p"])).stdout.trim();
    if (word === "$S")
      return /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec((await virsh(["secret-list"])).stdout)?.[0] ?? "";
    return word;
  }

  async function play(
    script: readonly string[],
    program: (args: readonly string[]) => ReturnType<typeof runVirsh>,
  ): Promise<Result[]> {
    const results: Result[] = [];
    for (const line of script) {
      const words = line.replaceAll("$ROOT", own.root).split(" ");
      const named = await Promise.all(words.map(standsFor));
      const { status, stdout } = await program(named);
      // Of a failure virsh tells with an empty line on standard output, where scripts do not look for it.
      const said = status === 0 ? stdout.split("\n").map(withoutChance).join("\n") : "";
      results.push({ line, succeeded: status === 0, stdout: said });
    }
    await rm(own.path("p"), { recursive: true, force: true });
    await rm(own.path("t"), { recursive: true, force: true });
    await rm(own.path("file"), { recursive: true, force: true });
    return results;
  }
});

/** A line without what differs from one time to the next: UUIDs, times, how full this machine's disk is. */
function withoutChance(line: string): string {
  return line
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (uuid) => "u".repeat(uuid.length))
    .replace(/(?<=time>)\d+\.\d+/, "TIME")
    .replace(/^( {2}<(?:allocation|available) unit='bytes'>)\d{10,}/, "$1SIZE")
    .replace(/^((?:Allocation|Available): +)\d{10,}/, "$1SIZE")
    .replace(/\d+\.\d\d(?= (GiB|TiB))/g, (size) => "9".repeat(size.length));
}

function runVirsh(args: readonly string[]): Promise<Pick<Ended, "status" | "stdout">> {
  const options = { timeout: DEADLINE_MS, env: { ...process.env, LC_ALL: "C.UTF-8" } };
  return new Promise((resolve) => {
    execFile("virsh", args, options, (error, stdout) => {
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout });
    });
  });
}
