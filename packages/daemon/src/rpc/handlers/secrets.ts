import type { Handlers } from "../call.js";
import type { Services } from "../services.js";
import { atMost, refuseTooMany } from "./pools.js";

const SECRET_UUIDS = { argument: "maxuuids", limit: "REMOTE_SECRET_LIST_MAX" };

export function secretHandlers({ secrets }: Services): Handlers {
  return {
    connectNumOfSecrets: async () => ({ num: await secrets.count() }),
    connectListSecrets: async ({ maxuuids }) => ({
      uuids: atMost(
        (await secrets.list(0)).map(({ uuid }) => uuid),
        maxuuids,
        SECRET_UUIDS,
      ),
    }),
    connectListAllSecrets: async ({ need_results, flags }) => {
      const found = await secrets.list(flags);
      if (need_results === 0) return { secrets: [], ret: await secrets.count() };
      refuseTooMany(found.length, "secrets");
      return { secrets: found, ret: found.length };
    },
    secretLookupByUuid: async ({ uuid }) => ({ secret: await secrets.lookupByUuid(uuid) }),
    secretLookupByUsage: async ({ usageType, usageID }) => ({
      secret: await secrets.lookupByUsage(usageType, usageID),
    }),
    secretDefineXml: async ({ xml, flags }) => ({ secret: await secrets.define(xml, flags) }),
    secretGetXmlDesc: async ({ secret, flags }) => ({ xml: await secrets.xmlDescription(secret.uuid, flags) }),
    secretSetValue: ({ secret, value, flags }) => secrets.setValue(secret.uuid, value, flags),
    secretGetValue: async ({ secret, flags }, { caller }) => ({
      value: await secrets.getValue(secret.uuid, flags, caller.identity),
    }),
    secretUndefine: ({ secret }) => secrets.undefine(secret.uuid),
    connectSecretEventRegisterAny: ({ eventID, secret }, { connection }) => ({
      callbackID: connection.subscriptions.register("secret", eventID, secret?.uuid ?? null),
    }),
    connectSecretEventDeregisterAny: ({ callbackID }, { connection }) =>
      connection.subscriptions.deregister("secret", callbackID),
  };
}
