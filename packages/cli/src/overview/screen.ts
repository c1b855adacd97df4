import type { Job } from "@cistern/client";
import { formatLeft } from "../output/job-text.js";
import { formatBar } from "../output/progress.js";
import { formatSize } from "../output/size.js";
import { type Column, formatTable } from "../output/table.js";
import { printable } from "../output/text.js";
import { displayWidth, fitToWidth } from "../output/width.js";
import type { Attention } from "./attention.js";
import { type Overview, type PoolHealth, usedPercent } from "./overview.js";

/** So much of each fits on one screen of 24 lines and is read at once. */
const SHOWN = { pools: 8, jobs: 3, attention: 3 } as const;
const WIDE_COLUMNS = 100;
const BAR_COLUMNS = { narrow: 10, wide: 24 } as const;

/** How things stand, on one screen of so many columns. */
export function formatOverview({ daemon, pools, jobs, attention, next }: Overview, columns: number): string {
  return [
    `${jobs === null ? "libvirt's daemon" : "cisternd"} at ${printable(daemon)}\n\n`,
    pools.length === 0 ? "There are no pools.\n" : formatPools(pools, columns),
    section("Under way", jobs ?? [], SHOWN.jobs, "cistern jobs", (job) => formatJob(job, columns)),
    section(
      "Needs attention",
      attention,
      SHOWN.attention,
      "cistern pool-list --all, cistern jobs --all",
      formatAttention,
    ),
    `\nNext: ${printable(next)}\n`,
  ].join("");
}

function formatPools(pools: readonly PoolHealth[], columns: number): string {
  const barColumns = columns >= WIDE_COLUMNS ? BAR_COLUMNS.wide : BAR_COLUMNS.narrow;
  const table: readonly Column<PoolHealth>[] = [
    { title: "Pool", cell: ({ name }) => name },
    { title: "Health", cell: healthOf },
    { title: "Used", cell: (pool) => usedOf(pool, barColumns) },
  ];
  // Those that need somebody come first, because the rest may not be shown.
  const sorted = [...pools].sort((a, b) => Number(isWell(a)) - Number(isWell(b)));
  const left = sorted.length - SHOWN.pools;
  return (
    formatTable(table, sorted.slice(0, SHOWN.pools)) +
    (left > 0 ? ` … and ${left} more: cistern pool-list --all\n` : "")
  );
}

function healthOf({ state, autostart, autostartFailure }: PoolHealth): string {
  if (autostartFailure !== null) return "not started";
  return state === "inactive" && autostart ? "should run" : state;
}

function isWell(pool: PoolHealth): boolean {
  return healthOf(pool) === pool.state;
}

/** "[####      ]  24.36 GiB of 251.97 GiB (9 %)". */
function usedOf(pool: PoolHealth, barColumns: number): string {
  const percent = usedPercent(pool);
  if (percent === null) return "-";
  const { allocationBytes, capacityBytes } = pool;
  const sizes = `${formatSize(allocationBytes)} of ${formatSize(capacityBytes)} (${percent} %)`;
  return `${formatBar(allocationBytes, capacityBytes, barColumns)}  ${sizes}`;
}

/** "4  wipe volume 'a' of pool 'p'  [###     ]  46 %, 5 s left". */
function formatJob(job: Job, columns: number): string {
  const { doneBytes, totalBytes, state } = job;
  const percent = totalBytes === null ? null : `${(doneBytes * 100n) / totalBytes} %`;
  const left = formatLeft(job);
  const facts = [state === "running" ? percent : state, left === null ? null : `${left} left`];
  const bar = totalBytes === null ? "" : `  ${formatBar(doneBytes, totalBytes, BAR_COLUMNS.narrow)}`;
  const end = `${bar}  ${facts.filter((fact) => fact !== null).join(", ")}`;
  return ` ${fitToWidth(printable(`${job.id}  ${job.title}`), columns - 1 - displayWidth(end))}${end}\n`;
}

function formatAttention({ what, command }: Attention): string {
  return ` ! ${printable(what)}\n   ${printable(command)}\n`;
}

/** Nothing where there is nothing. */
function section<Item>(
  title: string,
  items: readonly Item[],
  most: number,
  all: string,
  format: (item: Item) => string,
): string {
  if (items.length === 0) return "";
  const left = items.length - most;
  const more = left > 0 ? ` … and ${left} more: ${all}\n` : "";
  return `\n${title}\n${items.slice(0, most).map(format).join("")}${more}`;
}
