import { compareType } from "../comparison/compare-type.js";

compareType("iscsi", { lane: "uml", minutes: 6 });
