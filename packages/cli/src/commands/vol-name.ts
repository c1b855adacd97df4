import { findVolume } from "../lookup.js";
import { command } from "./command.js";
import { flag, optionalPoolParameter, volumeParameter } from "./parameters.js";

export const volName = command({
  name: "vol-name",
  summary: "returns the volume name for a given volume key or path",
  parameters: { vol: volumeParameter },
  async run(context, { vol }) {
    await context.withConnection(async (connection) => {
      const { name, poolName } = await findVolume(connection, vol, null, context.call);
      context.printName(name, { pool: poolName, name });
    });
  },
});

export const volKey = command({
  name: "vol-key",
  summary: "returns the volume key for a given volume name or path",
  parameters: { vol: volumeParameter, pool: optionalPoolParameter },
  async run(context, { vol, pool }) {
    await context.withConnection(async (connection) => {
      const { name, poolName, key } = await findVolume(connection, vol, pool, context.call);
      context.printName(key, { pool: poolName, name, key });
    });
  },
});

export const volPath = command({
  name: "vol-path",
  summary: "returns the volume path for a given volume name or key",
  parameters: { vol: volumeParameter, pool: optionalPoolParameter },
  async run(context, { vol, pool }) {
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, pool, context.call);
      const path = await volume.path(context.call);
      context.printName(path, { pool: volume.poolName, name: volume.name, path });
    });
  },
});

export const volPool = command({
  name: "vol-pool",
  summary: "returns the storage pool for a given volume key or path",
  parameters: { vol: volumeParameter, uuid: flag("return the pool uuid rather than pool name") },
  async run(context, { vol, uuid: wantsUuid }) {
    await context.withConnection(async (connection) => {
      const volume = await findVolume(connection, vol, null, context.call);
      const { name, uuid } = await connection.lookupPoolOfVolume(volume, context.call);
      context.printName(wantsUuid ? uuid : name, { name, uuid });
    });
  },
});
