import { compareType } from "../comparison/compare-type.js";

compareType("fs", { lane: "uml", minutes: 8 });
