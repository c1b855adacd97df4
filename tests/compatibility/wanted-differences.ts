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
const ALL_TYPES =
  "issue, 3 and 4: all fourteen pool types are defined, listed, dumped, undefined and autostart-flagged";
const VALIDATE = "issue, 3: 'The VALIDATE flags work'; quirk 8: VALIDATE of a valid volume fails in 9.0: fix";
const HOSTILE = "issue, 3: 'A hostile document (entity bomb, external entity, …) is refused … and reads no file'";
const SPARSE_UPLOAD = "quirk 9: holes of a sparse upload truncate the file: fix";
const FAILED_BUILD = "storage semantics 4.5, step 9: after a failed build the file is removed by the backend";
const DIRECTORY_CLONE =
  "documents 4.12: create_xml_from into a directory volume: refuse with 'cannot copy from volume to a directory volume'";

export const WANTED_DIFFERENCES: readonly WantedDifference[] = [
  // Types that have no backend yet
  ...["fs", "logical", "disk", "scsi"].flatMap((type) =>
    ["create", "start"].map((call) => ({
      script: "other-backends-start.py",
      step: `${type}: ${call}`,
      ours: "missing backend for pool type",
      orderedBy: ABSENT_BACKEND,
    })),
  ),
  {
    script: "other-backends-start.py",
    step: "zfs: start",
    ours: "missing backend for pool type 12 (zfs)",
    orderedBy: `${ABSENT_BACKEND}; quirk 16: a zfs pool starts without ZFS: fix`,
  },
  ...["rw: pool capabilities", "ro: pool capabilities"].map((step) => ({
    script: "capabilities.py",
    step,
    ours: "<pool type='fs' supported='no'>",
    orderedBy: ABSENT_BACKEND,
  })),
  {
    script: "virsh-pools.virsh",
    step: "pool-capabilities",
    ours: "<pool type='fs' supported='no'>",
    orderedBy: ABSENT_BACKEND,
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
    {
      script: "pool-types-without-backend.py",
      step: `${type}: start`,
      ours: "missing backend for pool type",
      orderedBy: ABSENT_BACKEND,
    },
  ]),

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
];
