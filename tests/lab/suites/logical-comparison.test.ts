import { mkdirSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { prepareLibvirtd } from "../../support/libvirtd.js";
import { RootedDaemon } from "../../support/rooted-daemon.js";
import { loopDisk } from "../guest/loop.js";
import { prepareLvm } from "../guest/lvm.js";
import { attempt, run } from "../guest/run.js";
import { startUdev } from "../guest/udev.js";

const MiB = 1024 * 1024;
const VIRSH_MS = 120_000;
const DISKS: string[] = [];

/** Where cisternd is meant to say something else, and why. */
const WANTED: readonly { readonly step: string; readonly ours: RegExp; readonly why: string }[] = [
  {
    step: "vol-create-as lp snap 64M --allocation 8M --backing-vol a",
    ours: /^Vol snap created/,
    why: "libvirt 9 asks LVM for a virtual size beside an origin, which LVM refuses",
  },
];

const uriOf = (driver: string, socket: string): string => `${driver}+unix:///system?socket=${socket}`;

/** What virsh says, step by step, with two disks that have nothing on them at the beginning. */
function transcript(uri: string): string[] {
  attempt("vgremove", ["-q", "-ff", "-y", "lab"]);
  attempt("pvremove", ["-q", "-ff", "-y", ...DISKS]);
  for (const disk of DISKS) run("wipefs", ["--all", "--quiet", "--force", disk]);
  const said: string[] = [];
  const say = (...args: readonly string[]): void => {
    const { status, stdout, stderr } = attempt("virsh", ["-c", uri, ...args], { timeoutMs: VIRSH_MS });
    said.push(`${args.join(" ")}\n${comparable(stdout + stderr)}[${status}]`);
  };
  const devices = DISKS.map((path) => `<device path='${path}'/>`).join("");
  writeFileSync(
    "/tmp/lp.xml",
    `<pool type='logical'><name>lp</name><source>${devices}<name>lab</name></source></pool>`,
  );
  writeFileSync(
    "/tmp/v.xml",
    "<volume><name>perm</name><capacity unit='M'>5</capacity><target>" +
      "<permissions><mode>0640</mode><owner>33</owner><group>34</group></permissions></target></volume>",
  );
  writeFileSync(
    "/tmp/q.xml",
    "<volume><name>enc</name><capacity unit='M'>5</capacity><target><encryption format='qcow'/></target></volume>",
  );
  say("pool-define", "/tmp/lp.xml");
  say("pool-start", "lp");
  say("pool-build", "lp");
  say("pool-build", "lp");
  say("pool-build", "lp", "--overwrite", "--no-overwrite");
  say("pool-start", "lp");
  say("pool-dumpxml", "lp");
  say("vol-create-as", "lp", "a", "64M");
  say("vol-create-as", "lp", "a", "64M");
  say("vol-create-as", "lp", "b", "10M", "--allocation", "4M");
  say("vol-create", "lp", "/tmp/v.xml");
  say("vol-create", "lp", "/tmp/q.xml");
  say("vol-create-as", "lp", "full", "64M", "--backing-vol", "a");
  for (const name of ["a", "b", "perm", "full"]) say("vol-dumpxml", "--pool", "lp", name);
  for (const name of ["a b", "snapshot", "-dash", "a#b", "lv_mimage_1"]) say("vol-create-as", "lp", "--", name, "4M");
  say("vol-create-as", "lp", "big", "8G");
  say("vol-create-as", "lp", "zero", "0");
  say("vol-clone", "--pool", "lp", "perm", "copy");
  say("vol-dumpxml", "--pool", "lp", "copy");
  say("vol-info", "--pool", "lp", "b");
  say("vol-wipe", "--pool", "lp", "b");
  say("vol-wipe", "--pool", "lp", "copy");
  say("vol-resize", "--pool", "lp", "copy", "80M");
  run("lvcreate", ["-q", "-y", "-n", "striped", "-i2", "-L", "16M", "lab"]);
  run("lvcreate", ["-q", "-y", "-n", "mirrored", "--type", "raid1", "-m1", "-L", "8M", "lab"]);
  run("lvcreate", ["-q", "-y", "-n", "spanning", "-l", "100%FREE", "lab"]);
  say("pool-refresh", "lp");
  for (const name of ["striped", "mirrored", "spanning"]) say("vol-dumpxml", "--pool", "lp", name);
  say("vol-list", "lp", "--details");
  say("pool-info", "lp", "--bytes");
  say("find-storage-pool-sources", "logical");
  say("vol-delete", "--pool", "lp", "spanning");
  say("pool-destroy", "lp");
  say("pool-dumpxml", "lp");
  say("pool-start", "lp");
  say("vol-dumpxml", "--pool", "lp", "full");
  say("vol-create-as", "lp", "snap", "64M", "--allocation", "8M", "--backing-vol", "a");
  run("vgchange", ["-q", "-an", "lab"]);
  run("vgrename", ["-q", "lab", "elsewhere"]);
  say("pool-refresh", "lp");
  say("pool-start", "lp");
  run("vgrename", ["-q", "elsewhere", "lab"]);
  say("pool-start", "lp");
  say("pool-destroy", "lp");
  say("pool-delete", "lp");
  say("pool-build", "lp");
  say("pool-delete", "lp");
  say("pool-delete", "lp");
  say("pool-undefine", "lp");
  return said;
}

/** Without what differs from one run to the next, and how a program was found. */
function comparable(output: string): string {
  return output
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "UUID")
    .replace(/\w{6}(-\w{4}){5}-\w{6}/g, "KEY")
    .replace(/<([amc]time)>[^<]*</g, "<$1>TIME<")
    .replace(/\(\/(?:usr\/)?sbin\//g, "(");
}

describe("logical pools beside a real libvirtd", () => {
  beforeAll(() => {
    startUdev();
    prepareLvm();
    run("modprobe", ["--all", "dm-raid", "raid1", "dm-zero"]);
    for (let number = 0; number < 2; number++) DISKS.push(loopDisk(256 * MiB).device);
    mkdirSync("/run/lab/l", { recursive: true });
  });

  test("virsh says the same of both, step by step, but for what is wanted otherwise", async () => {
    const libvirtd = await prepareLibvirtd("/run/lab/l");
    let theirs: string[];
    try {
      await libvirtd.daemon.start();
      theirs = transcript(uriOf("qemu", libvirtd.socket));
    } finally {
      await libvirtd.close();
    }
    const cisternd = await RootedDaemon.prepare("/run/lab/c");
    await cisternd.start();
    const ours = transcript(uriOf("storage", cisternd.socket));
    await cisternd.stop();
    const differences = ours.flatMap((step, index) => {
      if (step === theirs[index]) return [];
      const [line = "", ...output] = step.split("\n");
      const wanted = WANTED.find((each) => each.step === line && each.ours.test(output.join("\n")));
      return wanted === undefined ? [{ ours: step, theirs: theirs[index] }] : [];
    });
    expect(differences).toEqual([]);
  }, 900_000);
});
