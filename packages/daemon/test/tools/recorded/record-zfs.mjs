// Records what zpool and zfs print into zfs.json. Run in a guest kernel that has ZFS, as root: it makes and destroys a pool
// on a loop device. node record-zfs.mjs OUTPUT
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { release } from "node:os";

const run = (line) => {
  const [program, ...args] = line.split(" ");
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  return { line, exitStatus: status, stdout, stderr };
};
const quietly = (line) => {
  const result = run(line);
  if (result.exitStatus !== 0) throw new Error(`${line}: ${result.stderr}`);
};

const properties = "zpool get -Hp health,size,free,allocated";
const list = "zfs list -Hp -d 1 -t volume -o name,volsize,refreservation";
const recordings = {};
const record = (name, line) => {
  recordings[name] = run(line);
};

record("module missing: properties", `${properties} tank`);
record("module missing: list", `${list} tank`);
quietly("modprobe zfs");
quietly("modprobe loop");
for (const number of [0, 1]) {
  quietly(`truncate -s 512M /tmp/disk${number}`);
  quietly(`losetup /dev/loop${number} /tmp/disk${number}`);
}
record("pool missing: properties", `${properties} tank`);
record("pool missing: list", `${list} tank`);
record("create a pool", "zpool create tank mirror /dev/loop0 /dev/loop1");
record("create a pool again", "zpool create tank /dev/loop0");
record("create a pool of a used device", "zpool create other /dev/loop0");
record("create a pool of no device", "zpool create other /dev/nothing");
record("properties", `${properties} tank`);
record("no volumes", `${list} tank`);
record("create", "zfs create -o volmode=dev -V 65536K tank/thick");
record("create a sparse one", "zfs create -o volmode=dev -s -V 1048576K tank/sparse");
record("create with some reserved", "zfs create -o volmode=dev -s -o refreservation=1024K -V 8192K tank/some");
record("create of an odd size", "zfs create -o volmode=dev -V 1K tank/odd");
record("create of a name that is taken", "zfs create -o volmode=dev -V 65536K tank/thick");
record("create without room", "zfs create -o volmode=dev -V 1048576K tank/large");
record("create with a bad name", "zfs create -o volmode=dev -V 1024K tank/a@b");
record("create below nothing", "zfs create -o volmode=dev -V 1024K tank/nothing/v");
record("create a dataset", "zfs create -o mountpoint=none tank/images");
quietly("zfs create -V 8M tank/images/inner");
quietly("zfs snapshot tank/some@before");
record("list", `${list} tank`);
record("list a dataset", `${list} tank/images`);
record("list down to the last", "zfs list -Hp -t volume -r -o name,volsize,refreservation tank");
record("list a volume", "zfs list -Hp -t volume -o name,volsize,refreservation tank/thick");
record("list a missing volume", "zfs list -Hp -t volume -o name,volsize,refreservation tank/nothing");
record("a dataset exists", "zfs list -Hp -o name tank/images");
record("a dataset is missing", "zfs list -Hp -o name tank/nothing");
record("block size", "zfs get -Hp -o value volblocksize tank/thick");
record("resize", "zfs set volsize=134217728 tank/thick");
record("resize to an odd size", "zfs set volsize=134217729 tank/thick");
record("resize and reserve", "zfs set volsize=16777216 refreservation=auto tank/some");
record("list after resizing", `${list} tank`);
record("rename", "zfs rename tank/odd tank/even");
record("rename to a name that is taken", "zfs rename tank/even tank/thick");
record("rename a missing volume", "zfs rename tank/odd tank/other");
record("destroy", "zfs destroy tank/even");
record("destroy a missing volume", "zfs destroy tank/even");
record("destroy a volume with snapshots", "zfs destroy tank/some");
record("destroy with snapshots", "zfs destroy -r tank/some");
record("properties without one disk", "zpool offline tank /dev/loop1");
record("properties of a degraded pool", `${properties} tank`);
record("destroy a dataset", "zfs destroy -r tank/images");
record("destroy a pool", "zpool destroy tank");
record("destroy a missing pool", "zpool destroy tank");
record("version", "zfs version");

const [, , output] = process.argv;
const kernel = release();
writeFileSync(output, `${JSON.stringify({ kernel, recordings }, null, 2)}\n`);
