import { compareType } from "../comparison/compare-type.js";

compareType("netfs", { lane: "uml", minutes: 6 });
