/**
 * Where cisternd is meant to answer otherwise than libvirtd 9.0.0. Each entry names what orders it; any other difference
 * is a bug, and so is an entry that matches nothing.
 */
export interface WantedDifference {
  /** File name of the script or program. */
  readonly script: string;
  /** The step's label, exactly. */
  readonly step: string;
  /** What our outcome, as JSON, has to contain. */
  readonly ours: string;
  /** The line of the issue, or of the facts of libvirt's wire that it settles ("quirk" is a row of their table 7). */
  readonly orderedBy: string;
}

const ABSENT_BACKEND =
  "issue, 4: 'The other pool types are defined …; starting one gives libvirt's error for an absent backend until its driver lands'";
const VSTORAGE =
  "issue of the host's own storage, 2: 'vstorage: mount command, mount detection and volumes as files'; Debian's libvirtd is built without it";
const AUTOSTART =
  "issue of the host's own storage, 3: 'an autostart that fails retries with backoff until its source answers': what is owed is kept";
const ALL_TYPES =
  "issue, 3 and 4: all fourteen pool types are defined, listed, dumped, undefined and autostart-flagged";
const VALIDATE = "issue, 3: 'The VALIDATE flags work'; quirk 8: VALIDATE of a valid volume fails in 9.0: fix";
const HOSTILE = "issue, 3: 'A hostile document (entity bomb, external entity, …) is refused … and reads no file'";
const SPARSE_UPLOAD = "quirk 9: holes of a sparse upload truncate the file: fix";
const FAILED_BUILD = "storage semantics 4.5, step 9: after a failed build the file is removed by the backend";
const DIRECTORY_CLONE =
  "documents 4.12: create_xml_from into a directory volume: refuse with 'cannot copy from volume to a directory volume'";

const OPENS_AS =
  "issue, 4: 'Opens as storage:///system and, as an alias, qemu:///system', otherwise libvirt's error for an unknown URI";
const STALE =
  "issue, 4: the restart rules of semantics 4.4: checkPool says whether a pool is active, at a reload as well";
const EPHEMERAL =
  "issue, 4: 'Secrets (… private and ephemeral)': one made ephemeral does not come back after a restart";
const WIPE = "issue, 4: 'wipe': what the file got since it was last seen is part of its content";
const LENIENT = "quirk 19: be lenient per file: one half-written image does not stop its pool";
const QED =
  "issue, 4: 'backing stores': libvirtd loses the unsaid format of a qed image's backing file and refuses the volume";
const PLOOP = "documents 4.11: ploop is a directory with an image in it; neither a plain file nor a look-alike is one";
const HEADER_LIES = "documents 4.11: a number in a header that no image can have is not shown as a fact";
const UNSIGNED_IDS =
  "documents 4.8: owner and group are integers and -1 is unset; libvirtd prints an id over 2^31 as negative";

const NATIVE_QCOW2 =
  "issue 3, 2: 'Empty qcow2 (v2, v3, cluster sizes, lazy refcounts, preallocation=metadata, backing file, extended L2) is written by our own code'";

/** Empty images of qemu-img-calls.py for which libvirtd calls it. */
const NATIVE_QCOW2_STEPS = [
  "qcow2",
  "qcow2 odd size",
  "qcow2 backing",
  "qcow2 backing without capacity",
  "qcow2 options",
  "qcow2 preallocated",
  "qcow2 preallocated sparse",
];

const NO_PROBING =
  "issue of volumes, 1: 'No probing of a guest-writable raw file into another format when the recorded format says raw'";

const REFRESH_BESIDE_JOBS =
  "issue of volumes, 6: 'What libvirt refuses without need (… on refresh while a clone runs) works'";
const LEASES = "issue of volumes, 6: 'Each volume has readers and one writer, held for the whole operation'";
const ROOM = "issue of volumes, 8: 'ENOSPC in any write undoes the operation and reports bytes needed and free'";
const LABEL = "issue of volumes, 4: '<label> … applied on create, clone and upload where the file system takes it'";
const KEPT_SIZE =
  "issue of volumes, 8: 'In-place operations (upload, wipe, resize) promise the old or the new size': of a wipe, the old";
const NATIVE_WIPE = "issue of volumes, 3: 'Wipe: zero, random and trim native'";

/** Of volume-wipe.py: what does not end with a block, or was cut since it was last seen, with its bytes and its blocks of 512. */
const KEPT_SIZES = [
  ["full, odd size", 100_001, 200],
  ["qcow2", 196_616, 392],
  ["shrunk outside", 1_000, 8],
] as const;

/** Files of refresh-headers.py that end in the middle of a qcow2 header. */
const CUT_HEADERS = [32, 35, 36, 71, 72, 79, 80].map((bytes) => `qcow2-cut-${bytes}`);

export const WANTED_DIFFERENCES: readonly WantedDifference[] = [
  ...NATIVE_QCOW2_STEPS.map((step) => ({
    script: "qemu-img-calls.py",
    step: `${step}: calls`,
    ours: '{"ok":[]}',
    orderedBy: NATIVE_QCOW2,
  })),
  ...["resize", "shrink"].map((step) => ({
    script: "qemu-img-calls.py",
    step: `${step} qcow2: calls`,
    ours: " -f qcow2 ",
    orderedBy: NO_PROBING,
  })),

  {
    script: "other-backends-start.py",
    step: "zfs: start",
    ours: "zpool",
    orderedBy: "quirk 16: a zfs pool starts without ZFS: fix (report error when zpool missing)",
  },
  ...["rw: pool capabilities", "ro: pool capabilities"].map((step) => ({
    script: "capabilities.py",
    step,
    ours: "<pool type='vstorage' supported='yes'>",
    orderedBy: VSTORAGE,
  })),
  {
    script: "virsh-pools.virsh",
    step: "pool-capabilities",
    ours: "<pool type='vstorage' supported='yes'>",
    orderedBy: VSTORAGE,
  },
  ...["without", "with"].map((how) => ({
    script: "find-sources.py",
    step: `vstorage ${how} specification`,
    ours: "pool type 'vstorage' does not support source discovery",
    orderedBy: VSTORAGE,
  })),
  ...["create", "start"].map((call) => ({
    script: "pool-types-without-backend.py",
    step: `vstorage: ${call}`,
    ours: "Cannot find 'vstorage-mount' in path",
    orderedBy: VSTORAGE,
  })),
  {
    script: "pool-types-without-backend.py",
    step: "vstorage: find sources",
    ours: "pool type 'vstorage' does not support source discovery",
    orderedBy: VSTORAGE,
  },

  // Types that this libvirtd does not know
  ...(["vstorage", "sheepdog"] as const).flatMap((type) => [
    { script: "pool-types-without-backend.py", step: `${type}: define`, ours: '{"ok":"pool ', orderedBy: ALL_TYPES },
    { script: "pool-types-without-backend.py", step: `${type}: list`, ours: '{"ok":["pool ', orderedBy: ALL_TYPES },
    {
      script: "pool-types-without-backend.py",
      step: `${type}: document`,
      ours: `<pool type='${type}'>`,
      orderedBy: ALL_TYPES,
    },
  ]),
  {
    script: "pool-types-without-backend.py",
    step: "sheepdog: start",
    ours: "missing backend for pool type",
    orderedBy: ABSENT_BACKEND,
  },

  // Documents
  ...["entity of an internal subset", "external entity"].map((step) => ({
    script: "pool-define-errors.py",
    step,
    ours: "Document type declaration with an internal subset is not accepted",
    orderedBy: HOSTILE,
  })),
  ...["validate: good", "validate and preallocate"].map((step) => ({
    script: "volume-create-errors.py",
    step,
    ours: '{"ok":"volume w ',
    orderedBy: VALIDATE,
  })),

  // Volumes
  {
    script: "volume-transfer.py",
    step: "sparse upload over data: content",
    ours: '{"ok":true}',
    orderedBy: SPARSE_UPLOAD,
  },
  { script: "volume-busy.py", step: "failed: files", ours: '{"ok":["v"]}', orderedBy: FAILED_BUILD },
  {
    script: "volume-create-formats.py",
    step: "qcow of 0 bytes: left behind",
    ours: '{"ok":false}',
    orderedBy: FAILED_BUILD,
  },
  {
    script: "volume-clone.py",
    step: "directory from a directory",
    ours: "cannot copy from volume to a directory volume",
    orderedBy: DIRECTORY_CLONE,
  },

  {
    script: "volume-wipe.py",
    step: "grown outside: file",
    ours: '1114112,2176,"zeros"',
    orderedBy: WIPE,
  },
  { script: "09-create-wipe-delete.py", step: "(line) #3", ours: "wiped: True True", orderedBy: KEPT_SIZE },
  { script: "09-create-wipe-delete.py", step: "(line) #4", ours: "info: [0, 1280000, 1282048]", orderedBy: KEPT_SIZE },
  ...KEPT_SIZES.flatMap(([of, bytes, blocks]) => [
    {
      script: "volume-wipe.py",
      step: `${of}: file`,
      ours: `,${bytes},${blocks},"zeros"`,
      orderedBy: KEPT_SIZE,
    },
    { script: "volume-wipe.py", step: `${of}: info`, ours: `[0,${bytes},${blocks * 512}]`, orderedBy: KEPT_SIZE },
    {
      script: "volume-wipe.py",
      step: `${of}: document`,
      ours: `<physical unit='bytes'>${bytes}<`,
      orderedBy: KEPT_SIZE,
    },
  ]),
  {
    script: "volume-wipe.py",
    step: "qcow2: document after refresh",
    ours: "<physical unit='bytes'>196616<",
    orderedBy: KEPT_SIZE,
  },

  ...[
    "building, pool: refresh",
    "cloning to p, its pool: refresh",
    "cloning to other, its pool: refresh",
    "cloning to other, target pool: refresh",
    "wiping, pool: refresh",
  ].map((step) => ({ script: "volume-busy.py", step, ours: '{"ok":0}', orderedBy: REFRESH_BESIDE_JOBS })),
  ...["wiping: download", "wiping: clone"].map((step) => ({
    script: "volume-busy.py",
    step,
    ours: "volume 'full' is still in use.",
    orderedBy: LEASES,
  })),
  {
    script: "volume-create-raw.py",
    step: "too large to allocate",
    ours: "(3221225472 bytes needed, ",
    orderedBy: ROOM,
  },
  ...["label: document", "label: document after refresh"].map((step) => ({
    script: "volume-create-raw.py",
    step,
    ours: "<label>",
    orderedBy: LABEL,
  })),
  { script: "volume-wipe.py", step: "scrub 8: call", ours: '{"ok":[]}', orderedBy: NATIVE_WIPE },
  { script: "volume-wipe.py", step: "algorithm 9", ours: '{"ok":0}', orderedBy: NATIVE_WIPE },
  // Of one mebibyte of zeros: it was trimmed.
  {
    script: "volume-wipe.py",
    step: "kept",
    ours: "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58",
    orderedBy: NATIVE_WIPE,
  },
  {
    script: "virsh-volumes.virsh",
    step: "vol-wipe --pool p b.img --algorithm trim",
    ours: "Vol b.img wiped",
    orderedBy: NATIVE_WIPE,
  },

  // Images whose headers are wrong, short or unusual
  ...CUT_HEADERS.flatMap((name) => [
    { script: "refresh-headers.py", step: `${name}: refresh`, ours: '{"ok":0}', orderedBy: LENIENT },
    {
      script: "refresh-headers.py",
      step: `${name}: document`,
      ours: `<name>${name}</name>`,
      orderedBy: LENIENT,
    },
    { script: "refresh-headers.py", step: `${name}: info`, ours: '{"ok":[0,1048576,4096]}', orderedBy: LENIENT },
  ]),
  ...["64", "255"].map((bits) => ({
    script: "refresh-headers.py",
    step: `qcow2-cluster-bits-${bits}: document`,
    ours: "<compat>1.1</compat>\\n    <features/>",
    orderedBy: HEADER_LIES,
  })),
  {
    script: "refresh-headers.py",
    step: "luks-payload-beyond: document",
    ours: "<capacity unit='bytes'>0</capacity>",
    orderedBy: HEADER_LIES,
  },
  {
    script: "refresh-headers.py",
    step: "luks-payload-beyond: info",
    ours: '{"ok":[0,0,8192]}',
    orderedBy: HEADER_LIES,
  },
  { script: "refresh-headers.py", step: "qed-backing: document", ours: "<name>qed-backing</name>", orderedBy: QED },
  { script: "refresh-images.py", step: "backed.qed: document", ours: "<name>backed.qed</name>", orderedBy: QED },
  { script: "refresh-images.py", step: "backed.qed: info", ours: '{"ok":[0,1048576,', orderedBy: QED },
  { script: "refresh-images.py", step: "backed.qed: physical", ours: '{"ok":[0,1048576,', orderedBy: QED },
  {
    script: "volume-create-formats.py",
    step: "qed on qcow2: document after refresh",
    ours: "<format type='qed'/>",
    orderedBy: QED,
  },
  {
    script: "volume-create-formats.py",
    step: "qed on qcow2: info after refresh",
    ours: '{"ok":[0,1048576,',
    orderedBy: QED,
  },
  { script: "refresh-headers.py", step: "ploop: document", ours: "<volume type='file'>", orderedBy: PLOOP },
  { script: "refresh-headers.py", step: "ploop: info", ours: '{"ok":[0,', orderedBy: PLOOP },
  { script: "refresh-images.py", step: "plain.parallels: document", ours: "<volume type='file'>", orderedBy: PLOOP },
  { script: "refresh-images.py", step: "plain.parallels: info", ours: '{"ok":[0,', orderedBy: PLOOP },
  { script: "refresh-images.py", step: "plain.parallels: physical", ours: '{"ok":[0,', orderedBy: PLOOP },
  {
    script: "refresh-entries.py",
    step: "without odd bytes: 'ploop': info",
    ours: '{"ok":[2,0,0]}',
    orderedBy: PLOOP,
  },
  {
    script: "refresh-entries.py",
    step: "without odd bytes: 'ploop': physical",
    ours: '{"ok":[2,0,0]}',
    orderedBy: PLOOP,
  },
  {
    script: "refresh-entries.py",
    step: "without odd bytes: 'ploop': document",
    ours: "<volume type='dir'>",
    orderedBy: PLOOP,
  },
  {
    script: "refresh-entries.py",
    step: "without odd bytes: 'big-ids': document",
    ours: "<owner>4000000000</owner>\\n      <group>4000000001</group>",
    orderedBy: UNSIGNED_IDS,
  },

  // Connections, restart, secrets
  {
    script: "open-uris.py",
    step: "secret system",
    ours: "no connection driver available for secret:///system",
    orderedBy: OPENS_AS,
  },
  ...["reloaded", "reloaded with a new definition of an active pool"].map((when) => ({
    script: "restart-files.py",
    step: `${when}: missing`,
    ours: "(did not come to this step)",
    orderedBy: STALE,
  })),
  ...["reloaded", "reloaded with a new definition of an active pool"].map((when) => ({
    script: "restart-files.py",
    step: `${when}: state files`,
    ours: "rich.autostart.json",
    orderedBy: AUTOSTART,
  })),
  {
    script: "secrets.py",
    step: "made ephemeral",
    ours: '{"ok":["5e7a1f00-0000-0000-0000-000000000002.xml 100600 0:0 156 bytes"]}',
    orderedBy: EPHEMERAL,
  },
];
