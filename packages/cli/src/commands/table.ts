import { adopt } from "./adopt.js";
import { attach, detach } from "./attach.js";
import { attachments, domainSources } from "./attachments.js";
import type { Command } from "./command.js";

import { completionOf } from "./completion.js";
import { conflicts } from "./conflicts.js";
import { doctor } from "./doctor.js";
import { explain } from "./explain.js";
import { jobCancel, jobInfo, jobLimit, jobs, jobWatch } from "./jobs.js";
import { orphans } from "./orphans.js";
import { overview } from "./overview.js";

import { poolCreateAs, poolDefineAs } from "./pool-as.js";
import { poolCapabilities } from "./pool-capabilities.js";
import {
  poolAutostart,
  poolBuild,
  poolDelete,
  poolDestroy,
  poolRefresh,
  poolStart,
  poolUndefine,
} from "./pool-change.js";
import { poolCreate, poolDefine, poolDumpxml } from "./pool-document.js";
import { poolEdit } from "./pool-edit.js";
import { poolEvent } from "./pool-event.js";
import { poolInfo } from "./pool-info.js";
import { poolList } from "./pool-list.js";
import { poolName, poolUuid } from "./pool-name.js";
import { findStoragePoolSources, findStoragePoolSourcesAs } from "./pool-source.js";
import { secretDefine, secretDumpxml, secretUndefine } from "./secret-document.js";
import { secretEvent } from "./secret-event.js";
import { secretList } from "./secret-list.js";
import { secretGetValue, secretSetValue } from "./secret-value.js";
import { volDelete, volResize, volWipe } from "./vol-change.js";
import { volClone } from "./vol-clone.js";
import { volCreate, volCreateFrom } from "./vol-create.js";
import { volCreateAs } from "./vol-create-as.js";
import { volDiskXml } from "./vol-disk-xml.js";
import { volDumpxml } from "./vol-document.js";
import { volInfo } from "./vol-info.js";
import { volInspect } from "./vol-inspect.js";
import { volList } from "./vol-list.js";
import { volKey, volName, volPath, volPool } from "./vol-name.js";
import { volDownload, volUpload } from "./vol-transfer.js";

export interface CommandGroup {
  readonly title: string;
  /** As virsh ends what it printed, but for --quiet. */
  readonly endsWithBlankLine: boolean;
  readonly commands: readonly Command[];
}

/** What `cistern` alone does. */
export const START_COMMAND: Command = overview;

/** All commands, in the order of the help. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  {
    title: "Pools, in virsh's words",
    endsWithBlankLine: true,
    commands: [
      poolList,
      poolInfo,
      poolDumpxml,
      poolName,
      poolUuid,
      poolDefine,
      poolDefineAs,
      poolCreate,
      poolCreateAs,
      poolEdit,
      poolBuild,
      poolStart,
      poolRefresh,
      poolAutostart,
      poolDestroy,
      poolDelete,
      poolUndefine,
      poolEvent,
      poolCapabilities,
      findStoragePoolSources,
      findStoragePoolSourcesAs,
    ],
  },
  {
    title: "Volumes, in virsh's words",
    endsWithBlankLine: true,
    commands: [
      volList,
      volInfo,
      volDumpxml,
      volName,
      volKey,
      volPath,
      volPool,
      volCreate,
      volCreateAs,
      volCreateFrom,
      volClone,
      volUpload,
      volDownload,
      volResize,
      volWipe,
      volDelete,
    ],
  },
  {
    title: "Volumes, in Cistern's own",
    endsWithBlankLine: false,
    commands: [volInspect, volDiskXml],
  },
  {
    title: "Secrets, in virsh's words",
    endsWithBlankLine: true,
    commands: [secretList, secretDefine, secretDumpxml, secretSetValue, secretGetValue, secretUndefine, secretEvent],
  },
  {
    title: "Who uses what",
    endsWithBlankLine: false,
    commands: [attachments, explain, conflicts, orphans, adopt, doctor, attach, detach, domainSources],
  },
  {
    title: "Slow work",
    endsWithBlankLine: false,
    commands: [jobs, jobInfo, jobWatch, jobCancel, jobLimit],
  },
  {
    title: "All together, and the shell",
    endsWithBlankLine: false,
    commands: [START_COMMAND, completionOf(() => COMMANDS)],
  },
];

export const COMMANDS: readonly Command[] = COMMAND_GROUPS.flatMap(({ commands }) => commands);
