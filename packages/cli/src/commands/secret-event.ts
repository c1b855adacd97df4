import type { SecretEvent } from "@cistern/client";
import { command } from "./command.js";
import { type EventText, eventParameters, printEventTypes, watchEvents } from "./event.js";
import { optionalText } from "./parameters.js";
import { findSecret } from "./secret-document.js";

const KINDS = ["lifecycle", "value-changed"] as const;

export const secretEvent = command({
  name: "secret-event",
  summary: "list event types, or wait for secret events to occur",
  parameters: {
    secret: optionalText("filter by secret uuid", { completes: "secrets" }),
    ...eventParameters(KINDS),
  },
  async run(context, { secret: uuid, ...values }) {
    if (printEventTypes(context, KINDS, values)) return;
    await context.withConnection(async (connection) => {
      const secret = uuid === null ? null : await findSecret(connection, uuid, context);
      await watchEvents(context, await connection.secretEvents(secret, context.call), values, describe);
    });
  },
});

function describe({ kind, secret }: SecretEvent): EventText {
  if (kind === "valueChanged")
    return { kind: "value-changed", text: `event 'value-changed' for secret ${secret.uuid}` };
  const what = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
  return { kind: "lifecycle", text: `event 'lifecycle' for secret ${secret.uuid}: ${what}` };
}
