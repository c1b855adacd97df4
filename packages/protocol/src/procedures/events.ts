import { PROGRAM } from "../frames/frame.js";
import { struct } from "../xdr/composites.js";
import { int } from "../xdr/scalars.js";
import { messageOf } from "./procedure.js";
import { domainReference, optionalText, poolReference, secretReference, text } from "./shared.js";

const message = messageOf(PROGRAM.REMOTE);

/** A device of a guest, by the name that the hypervisor knows it under. */
const deviceMessage = struct({ callbackID: int, dom: domainReference, devAlias: text });

/** What a server tells by itself: packets of type MESSAGE, serial 0, one per registered callback. */
export const events = {
  domainEventCallbackLifecycle: message(
    318,
    "DOMAIN_EVENT_CALLBACK_LIFECYCLE",
    struct({ callbackID: int, dom: domainReference, event: int, detail: int }),
  ),
  domainEventCallbackDiskChange: message(
    327,
    "DOMAIN_EVENT_CALLBACK_DISK_CHANGE",
    struct({
      callbackID: int,
      dom: domainReference,
      oldSrcPath: optionalText,
      newSrcPath: optionalText,
      devAlias: text,
      reason: int,
    }),
  ),
  domainEventCallbackTrayChange: message(
    328,
    "DOMAIN_EVENT_CALLBACK_TRAY_CHANGE",
    struct({ callbackID: int, dom: domainReference, devAlias: text, reason: int }),
  ),
  domainEventCallbackDeviceRemoved: message(333, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", deviceMessage),
  domainEventBlockJob2: message(
    339,
    "DOMAIN_EVENT_BLOCK_JOB_2",
    struct({ callbackID: int, dom: domainReference, dst: text, type: int, status: int }),
  ),
  domainEventCallbackDeviceAdded: message(354, "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", deviceMessage),
  connectEventConnectionClosed: message(362, "CONNECT_EVENT_CONNECTION_CLOSED", struct({ reason: int })),
  domainEventCallbackDeviceRemovalFailed: message(367, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED", deviceMessage),
  storagePoolEventLifecycle: message(
    370,
    "STORAGE_POOL_EVENT_LIFECYCLE",
    struct({ callbackID: int, pool: poolReference, event: int, detail: int }),
  ),
  storagePoolEventRefresh: message(373, "STORAGE_POOL_EVENT_REFRESH", struct({ callbackID: int, pool: poolReference })),
  secretEventLifecycle: message(
    382,
    "SECRET_EVENT_LIFECYCLE",
    struct({ callbackID: int, secret: secretReference, event: int, detail: int }),
  ),
  secretEventValueChanged: message(
    383,
    "SECRET_EVENT_VALUE_CHANGED",
    struct({ callbackID: int, secret: secretReference }),
  ),
} as const;
