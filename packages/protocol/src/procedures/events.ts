import { PROGRAM } from "../frames/frame.js";
import { struct } from "../xdr/composites.js";
import { int } from "../xdr/scalars.js";
import { messageOf } from "./procedure.js";
import { poolReference, secretReference } from "./shared.js";

const message = messageOf(PROGRAM.REMOTE);

/** What a server tells by itself: packets of type MESSAGE, serial 0, one per registered callback. */
export const events = {
  connectEventConnectionClosed: message(362, "CONNECT_EVENT_CONNECTION_CLOSED", struct({ reason: int })),
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
