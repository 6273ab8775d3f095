// Node with archiver. node_archiver.mjs FOLDER OUT jsonl|csv|gzip FROM TO [COUNTRY]
import { createReadStream, createWriteStream, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { createGunzip } from "node:zlib";
import { ZipArchive } from "archiver";

const COLUMNS = ["time", "uuid", "user", "country", "city", "os", "device", "n", "amount", "ok", "path", "props"];
const [folder, out, form, begin, end, country] = process.argv.slice(2);
const files = readdirSync(folder).sort().map((name) => `${folder}/${name}`);
const archive = new ZipArchive({ zlib: { level: 6 } });
const closed = new Promise((done) => archive.pipe(createWriteStream(out)).on("close", done));

const quoted = (value) => {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

if (form === "gzip") {
  for (const file of files) archive.file(file, { name: file.split("/").pop() });
} else {
  const rows = new PassThrough();
  archive.append(rows, { name: "events" });
  if (form === "csv") rows.write(COLUMNS.join(",") + "\n");
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file).pipe(createGunzip()) })) {
      const row = JSON.parse(line);
      if (row.time < begin || row.time >= end) continue;
      if (country && row.country !== country) continue;
      const text = form === "csv" ? COLUMNS.map((column) => quoted(row[column])).join(",") : line;
      if (!rows.write(text + "\n")) await new Promise((done) => rows.once("drain", done));
    }
  }
  rows.end();
}
await archive.finalize();
await closed;
