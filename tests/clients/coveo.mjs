// The calls of @coveo/platform-client about exports, in the order of a program's day: coveo.mjs BASE TOKEN ORG.
// Prints what they answered.
import PlatformClient from "@coveo/platform-client";

const [host, accessToken, organizationId] = process.argv.slice(2);
const client = new PlatformClient({ host, accessToken, organizationId });
const { exports, filters, dimensions } = client.ua;
const window = { from: "2026-03-01T00:00:00.000Z", to: "2026-03-01T23:59:59.999Z" };
const told = {};

told.status = await exports.checkStatus();
told.health = await exports.checkHealth();
told.limit = await exports.getRowLimit();
told.dimension = await dimensions.get("CLICKS.CLICKRANK");
told.exportable = (await dimensions.listExportableDimensions()).length;
told.filter = await filters.createReportFilter({ displayName: "With clicks", value: "withClicks == true" });
told.filters = (await filters.listReportFilters()).filters.map((filter) => filter.id);
told.estimate = await exports.estimateRowsCount({ ...window, tables: ["SEARCHES"] });

const made = await exports.generate({ ...window, f: ["$WITH_CLICKS"], tables: ["SEARCHES", "CLICKS"], d: "é & more" });
told.made = [made.status, made.description, made.tables];
const other = await exports.generateExportWithBody({ ...window, tables: ["KEYWORDS"], exportFormat: "EXCEL" });

let shown = made;
while (shown.status === "PENDING") {
  await new Promise((later) => setTimeout(later, 200));
  shown = await exports.get(made.id);
}
told.shown = [shown.status, shown.filters];
told.listed = (await exports.list()).map(({ id }) => [made.id, other.id].indexOf(id));
const { downloadLink } = await exports.getExportDownloadLink(made.id);
const zip = await fetch(downloadLink);
told.zip = [zip.status, zip.headers.get("content-type")];
await exports.delete(made.id);
told.error = await exports.get(made.id).catch(({ title, detail, status }) => ({ title, detail, status }));
await filters.deleteReportFilter("WITH_CLICKS");
console.log(JSON.stringify(told));
