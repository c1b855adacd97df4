import { compareType } from "../comparison/compare-type.js";

compareType("mpath", { lane: "uml", minutes: 5 });
