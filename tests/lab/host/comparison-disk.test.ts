import { compareType } from "../comparison/compare-type.js";

compareType("disk", { lane: "uml", minutes: 6 });
