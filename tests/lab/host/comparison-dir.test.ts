import { compareType } from "../comparison/compare-type.js";

compareType("dir", { lane: "uml", minutes: 4 });
