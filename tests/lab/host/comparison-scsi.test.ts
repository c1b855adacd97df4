import { compareType } from "../comparison/compare-type.js";

compareType("scsi", { lane: "uml", minutes: 5 });
