import { Gauge, Registry } from "prom-client";
import type { Directory } from "../host/index.js";
import { limits } from "../limits.js";
import type { EventLoopDelay } from "./event-loop.js";

/** What is counted elsewhere and read when the metrics are written. */
export interface MetricSources {
  readonly eventLoop: EventLoopDelay;
  clients(): number;
  jobs(): number;
  pools(): { readonly active: number; readonly inactive: number };
  volumes(): number;
}

/**
 * The daemon's numbers in Prometheus' text form, in a file of the run directory that node_exporter's textfile
 * collector (or a person) reads: there is no HTTP door yet.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #directory: Directory;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: Directory, sources: MetricSources) {
    this.#directory = directory;
    this.#gauge(
      "cistern_event_loop_delay_max_seconds",
      "Longest delay of the event loop since the start",
      () => sources.eventLoop.maxMs / 1000,
    );
    this.#gauge(
      "cistern_event_loop_delay_p99_seconds",
      "99th percentile of the event loop's delay",
      () => sources.eventLoop.percentileMs(99) / 1000,
    );
    this.#gauge("cistern_clients", "Connected clients", sources.clients);
    this.#gauge("cistern_jobs", "Slow work under way", sources.jobs);
    this.#gauge("cistern_pools_active", "Active pools", () => sources.pools().active);
    this.#gauge("cistern_pools_inactive", "Inactive pools", () => sources.pools().inactive);
    this.#gauge("cistern_volumes", "Volumes of active pools", sources.volumes);
    this.#gauge("process_resident_memory_bytes", "Resident memory", () => process.memoryUsage.rss());
  }

  start(): void {
    this.#timer = setInterval(() => void this.write().catch(() => {}), limits.metricsIntervalMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#writing.catch(() => {});
    await this.#directory.removeFile(METRICS_FILE).catch(() => {});
  }

  /** One write at a time. */
  async write(): Promise<void> {
    this.#writing = this.#writing
      .catch(() => {})
      .then(async () => {
        const text = await this.#registry.metrics();
        await this.#directory.writeFileAtomically(METRICS_FILE, Buffer.from(text), METRICS_MODE);
      });
    await this.#writing;
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }
}

const METRICS_FILE = "metrics.prom";
const METRICS_MODE = 0o644;
