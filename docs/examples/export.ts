// Makes an export of one table, waits for it, and downloads it. Needs Node 22.18 or newer, which runs TypeScript.
//
//   DECANT_URL=https://... DECANT_TOKEN=dct_... node export.ts liferay_page 2026-03-01T00:00:00Z 2026-04-01T00:00:00Z
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";

interface Export {
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled" | "expired" | "deleted";
  archive?: { rows: number };
  links: { self: string; download?: string };
}

/** Asks until the server has time, and throws what it tells of any other error. */
async function api(url: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${process.env.DECANT_TOKEN}`);
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url, { ...init, headers });
    if (answer.ok) return answer;
    if (![429, 503].includes(answer.status) || attempt === 5) throw new Error(await answer.text());
    await setTimeout(1000 * Number(answer.headers.get("Retry-After") ?? 5));
  }
}

const [table, from, to] = process.argv.slice(2);
let answer = await api(`${process.env.DECANT_URL}/v1/exports`, {
  method: "POST",
  // With a key, a request that is sent again makes no second export.
  headers: { "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
  body: JSON.stringify({ tables: [table], window: { from, to }, format: "csv", name: table }),
});
let made = (await answer.json()) as Export;
while (made.status === "queued" || made.status === "running") {
  await setTimeout(1000 * Number(answer.headers.get("Retry-After") ?? 2));
  answer = await api(made.links.self);
  made = (await answer.json()) as Export;
}
if (!made.links.download) throw new Error(JSON.stringify(made, null, 2));

// fetch drops the token where the download leads to S3, which would refuse it.
const archive = await api(made.links.download);
await pipeline(Readable.fromWeb(archive.body as never), createWriteStream(`${table}.zip`));
console.log(`${table}.zip: ${made.archive?.rows} rows`);
