import { VOLUME_TYPES } from "@cistern/documents";
import type { VolumeReference } from "@cistern/protocol";
import type { PlacedVolume } from "../../volumes/work.js";
import type { Handlers, StreamHandlers } from "../call.js";
import { requesterOf } from "../requester.js";
import type { Services } from "../services.js";

export function volumeHandlers(services: Services): Handlers {
  const { pools, volumes, creation } = services;
  const infoOf = async (
    vol: VolumeReference,
    flags: number,
  ): Promise<{ type: number; capacity: bigint; allocation: bigint }> => {
    const { type, capacityBytes, allocationBytes } = await volumes.info(vol, flags);
    return { type: VOLUME_TYPES.indexOf(type), capacity: capacityBytes, allocation: allocationBytes };
  };

  return {
    storageVolCreateXml: async ({ pool, xml, flags }, call) => ({
      vol: referenceTo(await creation.create(pool, xml, flags, requesterOf(call))),
    }),
    storageVolCreateXmlFrom: async ({ pool, xml, clonevol, flags }, call) => ({
      vol: referenceTo(await creation.createFrom(pool, xml, clonevol, flags, requesterOf(call))),
    }),
    storageVolDelete: ({ vol, flags }, call) => volumes.remove(vol, flags, requesterOf(call)),
    storageVolResize: ({ vol, capacity, flags }, call) => volumes.resize(vol, capacity, flags, requesterOf(call)),
    storageVolWipe: ({ vol, flags }, call) => volumes.wipe(vol, WIPE_ZERO, flags, requesterOf(call)),
    storageVolWipePattern: ({ vol, algorithm, flags }, call) => volumes.wipe(vol, algorithm, flags, requesterOf(call)),
    storageVolLookupByName: ({ pool: reference, name }) => {
      const pool = pools.registry.resolve(reference);
      return { vol: referenceTo({ pool, volume: volumes.inPool(pool, name) }) };
    },
    storageVolLookupByKey: ({ key }) => ({ vol: referenceTo(volumes.byKey(key)) }),
    storageVolLookupByPath: ({ path }) => ({ vol: referenceTo(volumes.byPath(path)) }),
    storageVolGetInfo: ({ vol }) => infoOf(vol, 0),
    storageVolGetInfoFlags: ({ vol, flags }) => infoOf(vol, flags),
    storageVolGetXmlDesc: async ({ vol, flags }) => ({ xml: await volumes.xml(vol, flags) }),
    storageVolGetPath: ({ vol }) => ({ name: volumes.resolve(vol).volume.document.target.path ?? "" }),
  };
}

export function volumeStreamHandlers({ transfers }: Services): StreamHandlers {
  return {
    storageVolUpload: ({ vol, offset, length, flags }, call) =>
      transfers.upload(vol, offset, length, flags, requesterOf(call)),
    storageVolDownload: ({ vol, offset, length, flags }, call) =>
      transfers.download(vol, offset, length, flags, requesterOf(call)),
  };
}

const WIPE_ZERO = 0;

function referenceTo({ pool, volume }: PlacedVolume): VolumeReference {
  return { pool: pool.name, name: volume.document.name, key: volume.document.key ?? "" };
}
