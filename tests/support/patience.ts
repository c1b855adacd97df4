/** How many times longer than on a machine of its own a program may take: a guest of the lab may be an emulated processor. */
export const PATIENCE = process.env["CISTERN_LAB_LANE"] === undefined ? 1 : 4;
