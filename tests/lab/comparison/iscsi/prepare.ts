import { startInitiator } from "../../guest/iscsi.js";
import { attempt } from "../../guest/run.js";
import { startTgt, tgtTarget } from "../../guest/tgt.js";
import { settle, startUdev } from "../../guest/udev.js";
import type { Preparation } from "../preparation.js";

const MIB = 1024 * 1024;
const IQN = "iqn.2004-04.org.example.lab";

/** tgtd on 127.0.0.1 with IQN (two disks, open to all) and IQN_CHAP (one; alice, whose password is "secret-of-alice"). */
export const preparation: Preparation = {
  async setUp() {
    startUdev();
    await startTgt();
    tgtTarget(1, `${IQN}:open`, [64 * MIB, 32 * MIB]);
    tgtTarget(2, `${IQN}:closed`, [16 * MIB], { user: "alice", password: "secret-of-alice" });
    startInitiator();
  },

  renew: () => ({
    environment: { HOST: "127.0.0.1", IQN: `${IQN}:open`, IQN_CHAP: `${IQN}:closed` },
    end() {
      attempt("iscsiadm", ["--mode", "session", "--logout"]);
      attempt("iscsiadm", ["--mode", "node", "--op", "delete"]);
      settle();
    },
  }),
};
